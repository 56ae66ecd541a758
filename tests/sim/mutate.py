"""Does the simulator bite? Each file of mutants/ breaks the server in one place; the
simulator must find it by new seeds, as one of the kinds that the file names.

usage: mutate.py [--seconds N] [--list] [NAME ...]

A mutant is one source file with one passage put in another's place: it is compiled as
the preset `dev` compiles it and linked ahead of the archives, so that it takes the
place of the original. N seconds of processor time are the most that each may take.
Names are beginnings of names: `c0 d` are the first faults that were found.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build/dev"
# Where each room's archive lies: of gateway, what knows no Python.
ARCHIVES = (
    "tests/cc/libceladon_gateway.a",
    *(
        f"libceladon_{room}.a"
        for room in ("ws", "server", "net", "http", "loop", "base")
    ),
)
FAULT = re.compile(r"[cd]\d\d(?=-)")


@dataclass(frozen=True)
class Mutant:
    name: str
    kinds: list[str]
    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Result:
    name: str
    verdict: str
    kept: str = ""  # how many scenarios of regressions/ show it, of how many
    seconds: float = 0
    scenarios: str = ""

    @property
    def found(self) -> bool:
        return bool(self.scenarios)


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


def change(mutant: Mutant) -> str:
    text = (ROOT / mutant.file).read_text()
    if text.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.name}: its passage is not in {mutant.file} once")
    return text.replace(mutant.old, mutant.new)


def commands() -> str:
    return (BUILD / "compile_commands.json").read_text()


def compile_command(source: Path) -> tuple[list[str], str]:
    entry = next(
        each for each in json.loads(commands()) if Path(each["file"]) == source
    )
    return shlex.split(entry["command"]), entry["directory"]


def build(mutant: Mutant) -> Path:
    folder = BUILD / "mutants"
    folder.mkdir(exist_ok=True)
    changed = folder / f"{mutant.name}.cc"
    changed.write_text(change(mutant))
    command, directory = compile_command(ROOT / mutant.file)
    made = folder / f"{mutant.name}.o"
    command[command.index("-o") + 1] = str(made)
    command[command.index("-c") + 1] = str(changed)
    subprocess.run([*command, "-Wno-error", "-w"], cwd=directory, check=True)
    program = folder / mutant.name
    objects = sorted(map(str, (BUILD / "tests/sim/CMakeFiles/sim.dir").glob("*.o")))
    archives = [str(BUILD / archive) for archive in ARCHIVES]
    zlib = ["-lz"] if "CELADON_HAS_ZLIB" in commands() else []
    subprocess.run(
        ["g++", "-o", str(program), *objects, str(made), *archives, *zlib, "-pthread"],
        check=True,
    )
    return program


def replay(program: Path, name: str) -> str:
    """The scenarios that once showed the fault which this puts back."""
    fault = FAULT.match(name)
    if not fault:
        return ""
    paths = sorted((HERE / "regressions").glob(f"{fault[0]}-*"))
    runs = [
        subprocess.run(
            [program, "--isolate", "--scenario", path], stdout=subprocess.DEVNULL
        )
        for path in paths
    ]
    return f"{sum(run.returncode == 1 for run in runs)}/{len(runs)}"


def hunt(mutant: Mutant, seconds: float) -> Result:
    program = build(mutant)
    kept = replay(program, mutant.name)
    only = [word for kind in mutant.kinds for word in ("--only", kind)]
    done = subprocess.run(
        [program, "--cpu-seconds", str(seconds), "--shrink", "0", *only],
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",  # of the bytes that it finds wrong
    )
    for path in (BUILD / "mutants").glob(f"{mutant.name}*"):
        path.unlink()
    found = re.search(r"^seed \d+: ([\w-]+): (.*)$", done.stdout, re.MULTILINE)
    spent = re.search(
        r"^(\d+) scenarios, \d+ steps, .* ([\d.]+) s", done.stdout, re.MULTILINE
    )
    if done.returncode != 1 or not found:
        others = re.findall(r"^ +\d+ x ([\w-]+),", done.stdout, re.MULTILINE)
        verdict = "NOT FOUND" + (f", only {' '.join(others)}" if others else "")
        return Result(mutant.name, verdict, kept)
    took, scenarios = (float(spent[2]), spent[1]) if spent else (0.0, "1")
    return Result(mutant.name, f"{found[1]}: {found[2]}", kept, took, scenarios)


def show(result: Result, width: int) -> None:
    took = f"{result.seconds:.1f} s" if result.found else "-"
    print(
        f"{result.name:{width}} {took:>7} {result.scenarios:>9} {result.kept:>5}"
        f"  {result.verdict[:90]}",
        flush=True,
    )


def faults(paths: list[Path]) -> set[str]:
    return {found[0] for path in paths if (found := FAULT.match(path.name))}


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--list", action="store_true", help="whether each still fits")
    options.add_argument("names", nargs="*")
    given = options.parse_args()
    paths = sorted((HERE / "mutants").glob("*.txt"))
    missing = faults(list((HERE / "regressions").glob("*"))) - faults(paths)
    if missing:
        raise SystemExit(f"no mutant puts back {', '.join(sorted(missing))}")
    mutants = [read(path) for path in paths]
    if given.names:
        mutants = [m for m in mutants if m.name.startswith(tuple(given.names))]
    for mutant in mutants:
        change(mutant)
    if given.list:
        print(f"{len(mutants)} mutants fit")
        return 0
    width = max((len(mutant.name) for mutant in mutants), default=0)
    head = f"{'mutant':{width}} {'CPU':>7} {'scenarios':>9} {'kept':>5}  found as"
    print(head, flush=True)
    began = time.monotonic()
    results = []
    for mutant in mutants:
        results.append(hunt(mutant, given.seconds))
        show(results[-1], width)
    blind = [result.name for result in results if not result.found]
    took = time.monotonic() - began
    print(f"{len(results) - len(blind)} of {len(results)} found in {took:.0f} s")
    for name in blind:
        print(f"NOT FOUND: {name}")
    return 1 if blind or not results else 0


if __name__ == "__main__":
    sys.exit(main())
