"""Does the explorer bite? Each mutant puts a fault back, and what proves it mended must
find it.

usage: python -m tests.explorer.mutate [--build FOLDER] [--list] [ID ...]

A mutant is a source file with one passage put in another's place, in a copy of the package.
Its extension is the one of the preset `dev`, with the changed file linked ahead of the
archives, so that it takes the place of the original.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.explorer.catalogue import Row, rows

ROOT = Path(__file__).parents[2]
SECONDS = "60"
# The package that is installed is found ahead of what the path says.
START = """
import runpy, sys
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in type(f).__module__]
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("tests.explorer.run", run_name="__main__")
"""


@dataclass(frozen=True)
class Mutant:
    id: str
    file: str
    old: str
    new: str

    def changed(self) -> str:
        text = (ROOT / self.file).read_text()
        if text.count(self.old) != 1:
            raise SystemExit(f"{self.id}: its passage is not in {self.file} once")
        return text.replace(self.old, self.new)

    def proofs(self) -> list[Row]:
        return [row for row in rows() if self.id in row.proves]


MUTANTS = (
    Mutant(  # a kill while a thread starts
        "G03",
        "python/celadon/patch/threading.py",
        "green.enter_shield(None)  # the system lets it run, or fails",
        "pass",
    ),
    Mutant(  # woken for what is taken back meanwhile: as if its time were up
        "G06",
        "src/green/parking.cc",
        "if (deadline != kNever && !strand.wait_alarm_.armed()) return",
        "return",
    ),
    Mutant(  # others run while a lock is held
        "G09",
        "src/green/preemption.cc",
        "!strand.locks_held().empty() ||",
        "",
    ),
    Mutant(  # a kill where nothing is waited for
        "G14",
        "src/green/waiter.cc",
        "if (deadline != kNever && deadline <= monotonic_now()) shielded = true;",
        "",
    ),
)


def configure(build: Path) -> None:
    python = f"-DPython_EXECUTABLE={sys.executable}"
    command = ["cmake", "--preset", "dev", "-B", str(build), "-DCELADON_PYTHON=ON"]
    subprocess.run([*command, python], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["cmake", "--build", str(build), "--target", "_core"], check=True)


def extension(mutant: Mutant, build: Path, folder: Path) -> Path:
    """Compiled and linked as the build has it."""
    [original] = build.glob("_core.*.so")
    if not mutant.file.endswith(".cc"):
        return original
    changed, made = folder / "changed.cc", folder / "changed.o"
    changed.write_text(mutant.changed())
    commands = json.loads((build / "compile_commands.json").read_text())
    source = str(ROOT / mutant.file)
    entry = next(each for each in commands if each["file"] == source)
    command = shlex.split(entry["command"])
    command[command.index("-o") + 1] = str(made)
    command[command.index("-c") + 1] = str(changed)
    subprocess.run([*command, "-w"], cwd=entry["directory"], check=True)
    lines = subprocess.run(
        ["ninja", "-C", str(build), "-t", "commands", "_core"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    link = shlex.split(lines.splitlines()[-1])
    link = link[link.index("&&") + 1 :]
    link = link[: link.index("&&")]
    at = link.index("-o") + 1
    link[at] = str(folder / original.name)
    link.insert(at + 1, str(made))
    subprocess.run(link, cwd=build, check=True)
    return folder / original.name


def hunt(mutant: Mutant, build: Path) -> list[str]:
    """Of each scenario that proves it: under which schedule it does not hold."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        package = folder / "python"
        skip = shutil.ignore_patterns("__pycache__", "*.so")
        shutil.copytree(ROOT / "python", package, ignore=skip)
        if mutant.file.startswith("python/"):
            (folder / mutant.file).write_text(mutant.changed())
        shutil.copy(extension(mutant, build, folder), package / "celadon")
        names = [row.name for row in mutant.proofs()]
        done = subprocess.run(
            [sys.executable, "-c", START, str(package), *names, "--seconds", SECONDS],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return [f"{t['name']}: {t.get('schedule', 'NOT FOUND')}" for t in told]


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--build", type=Path, default=ROOT / "build/mutants")
    options.add_argument("--list", action="store_true", help="whether each still fits")
    options.add_argument("ids", nargs="*")
    given = options.parse_args()
    mutants = [m for m in MUTANTS if not given.ids or m.id in given.ids]
    for mutant in mutants:
        mutant.changed()
    if given.list:
        print(f"{len(mutants)} mutants fit")
        return 0
    configure(given.build)
    blind = 0
    for mutant in mutants:
        found = hunt(mutant, given.build)
        print(mutant.id, *(found or ["NOTHING PROVES IT"]), sep="\n  ", flush=True)
        blind += not found or all("NOT FOUND" in line for line in found)
    return min(blind, 1)


if __name__ == "__main__":
    sys.exit(main())
