"""Does the simulator bite? Each file of mutants/ breaks the server in one place; the
simulator must find it by new seeds, as one of the kinds that the file names.

usage: mutate.py [SECONDS] [NAME ...]

A mutant is one source file with one passage put in another's place: it is compiled as
the preset `sim` compiles it and linked ahead of the archives, so that it takes the
place of the original.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build/sim"
ROOMS = ("server", "net", "http", "loop", "base")


@dataclass(frozen=True)
class Mutant:
    name: str
    kinds: list[str]
    file: str
    old: str
    new: str


def read(path: Path) -> Mutant:
    head, rest = path.read_text().split("<<<<\n", 1)
    old, rest = rest.split("====\n", 1)
    new = rest.split(">>>>\n", 1)[0]
    fields = dict(
        line.split(": ", 1) for line in head.splitlines() if not line.startswith("#")
    )
    # A passage within a line is given as a line.
    return Mutant(
        path.stem, fields["kinds"].split(), fields["file"], old[:-1], new[:-1]
    )


def compile_command(source: Path) -> tuple[list[str], str]:
    commands = json.loads((BUILD / "compile_commands.json").read_text())
    entry = next(each for each in commands if Path(each["file"]) == source)
    return shlex.split(entry["command"]), entry["directory"]


def build(mutant: Mutant) -> Path:
    source = ROOT / mutant.file
    text = source.read_text()
    if text.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.name}: its passage is not in {mutant.file} once")
    folder = BUILD / "mutants"
    folder.mkdir(exist_ok=True)
    changed = folder / f"{mutant.name}.cc"
    changed.write_text(text.replace(mutant.old, mutant.new))
    command, directory = compile_command(source)
    made = folder / f"{mutant.name}.o"
    command[command.index("-o") + 1] = str(made)
    command[command.index("-c") + 1] = str(changed)
    subprocess.run([*command, "-Wno-error"], cwd=directory, check=True)
    program = folder / mutant.name
    objects = sorted(map(str, (BUILD / "tests/sim/CMakeFiles/sim.dir").glob("*.o")))
    archives = [str(BUILD / f"libceladon_{room}.a") for room in ROOMS]
    subprocess.run(
        ["g++", "-o", str(program), *objects, str(made), *archives, "-pthread"],
        check=True,
    )
    return program


def is_found(mutant: Mutant, seconds: str) -> bool:
    program = build(mutant)
    only = [word for kind in mutant.kinds for word in ("--only", kind)]
    began = time.monotonic()
    done = subprocess.run(
        [program, "--seconds", seconds, "--shrink", "0", *only],
        stdout=subprocess.PIPE,
        text=True,
    )
    found = done.returncode == 1
    verdict = f"after {time.monotonic() - began:.1f} s" if found else "NOT FOUND"
    print(f"{mutant.name}: {verdict}", flush=True)
    return found


def main() -> int:
    seconds, names = (sys.argv[1:2] or ["60"])[0], sys.argv[2:]
    paths = sorted((Path(__file__).parent / "mutants").glob("*.txt"))
    mutants = [read(path) for path in paths if not names or path.stem in names]
    found = [is_found(mutant, seconds) for mutant in mutants]
    return 0 if all(found) and found else 1


if __name__ == "__main__":
    sys.exit(main())
