"""Copies the sources of this checkout to another folder: `copy_sources.py FOLDER`.

Files that are there already, with the same size and time, stay as they are, so that what
was built from them stays fresh. Those that are no more here are removed there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
LIST = ".sources"  # in the copy: what was copied


def sources() -> list[str]:
    done = subprocess.run(
        ["bash", HERE / "tools/sources.sh"], stdout=subprocess.PIPE, text=True
    )
    done.check_returncode()
    return done.stdout.splitlines()


def copy(target: Path) -> None:
    listed = target / LIST
    _refuse(target, is_ours=listed.exists())
    target.mkdir(parents=True, exist_ok=True)
    before = listed.read_text().splitlines() if listed.exists() else []
    now = sources()
    # First, so that a copy which was interrupted is known as one.
    listed.write_text("".join(f"{name}\n" for name in sorted({*before, *now})))
    for name in set(before) - set(now):
        (target / name).unlink(missing_ok=True)
    for name in now:
        _refresh(HERE / name, target / name)
    listed.write_text("".join(f"{name}\n" for name in now))


def _refuse(target: Path, is_ours: bool) -> None:
    """What lies in a folder that is somebody's would be lost, or be taken for sources."""
    place = target.resolve()
    if place == HERE or HERE in place.parents or place in HERE.parents:
        sys.exit(f"{target} is not outside of {HERE}: name a folder elsewhere")
    if place.exists() and not is_ours and any(place.iterdir()):
        sys.exit(f"{target} holds something else: name an empty folder")


def _refresh(source: Path, target: Path) -> None:
    if target.exists() and _stamp(source) == _stamp(target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copy2(source, target)
    target.chmod(target.stat().st_mode | 0o200)


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


if __name__ == "__main__":
    copy(Path(sys.argv[1]))
