"""Environments of Python beside the tests' own, each kept under build until what it holds
is another.

celadon is in each as it was built here; all else is what was asked for.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

_PROGRAM = """#!{python}
import sys
from celadon.__main__ import main
sys.exit(main())
"""
_MARK = ".installed"
OURS = Path(sysconfig.get_path("purelib"))


class NotInstalled(Exception):
    """Why, in the words of who tried."""


def make(folder: Path, requirements: str, minutes: float = 10) -> None:
    """Has in `folder` what `requirements` name, each with a version, and nothing that they
    do not name; anew where that is not what was installed. `minutes` it may take at most."""
    mark = folder / _MARK
    if mark.exists() and mark.read_text() == _words(requirements):
        return
    print(f"installing into {folder}, within {minutes:g} minutes", flush=True)
    make_anew(folder)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(requirements)
        file.flush()
        install(folder, "--no-deps", "-r", file.name, minutes=minutes)
    finish(folder, requirements)


def finish(folder: Path, requirements: str) -> None:
    """All of `requirements` is there; so is celadon, from now on."""
    _add_celadon(folder)
    (folder / _MARK).write_text(_words(requirements))


def _words(requirements: str) -> str:
    return f"{sys.version}\n{requirements}"


def make_anew(folder: Path) -> None:
    _call(120, sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder))


def install(folder: Path, *words: str, minutes: float) -> None:
    quiet = ("install", "-q", "--disable-pip-version-check")
    _call(minutes * 60, *pip(folder), *quiet, *words)


def download(name: str, version: str, folder: Path, minutes: float = 10) -> Path:
    """The source distribution of a project, as a file in `folder`."""
    words = ("--no-deps", "--no-binary", name, "-d", str(folder), f"{name}=={version}")
    quiet = ("download", "-q", "--disable-pip-version-check")
    _call(minutes * 60, sys.executable, "-m", "pip", *quiet, *words)
    (archive,) = folder.glob("*.tar.gz")
    return archive


def pip(folder: Path) -> tuple[str, ...]:
    """The tests' own, at work on `folder`."""
    return (sys.executable, "-m", "pip", "--python", str(folder / "bin/python"))


def site_of(folder: Path) -> Path:
    (site,) = folder.glob("lib/python*/site-packages")
    return site


def _add_celadon(folder: Path) -> None:
    site = site_of(folder)
    for path in OURS.glob("*celadon*"):
        (site / path.name).symlink_to(path)
    add_program(folder)


def add_program(folder: Path) -> None:
    """The command of a celadon that is importable there."""
    program = folder / "bin/celadon"
    program.write_text(_PROGRAM.format(python=(folder / "bin/python").absolute()))
    program.chmod(0o755)


def _call(seconds: float, *command: str) -> None:
    try:
        done = subprocess.run(command, timeout=seconds, text=True, capture_output=True)
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"took longer than {seconds / 60:g} minutes") from None
    if done.returncode != 0:
        last = (done.stdout + done.stderr).splitlines()[-5:]
        raise NotInstalled("\n".join(last) or f"status {done.returncode}")
