"""Runs the tests: `python -m tools.suite test|quick|check`, which is what make does."""

from __future__ import annotations

import argparse
import fcntl
import math
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TextIO

from tools.suite.display import Display
from tools.suite.parts import VERBS, Options, parts_of
from tools.suite.run import Run
from tools.suite.summary import records, slowest, summary

FOLDER = Path("build/suite")  # what each part says, all results, and the lock
CORES = len(os.sched_getaffinity(0))


def count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than one")
    return number


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools.suite", description=__doc__)
    add = parser.add_argument
    add("verb", choices=VERBS)
    add("--slow", action="store_true", help="list the slowest tests")
    add("-v", "--verbose", action="store_true", help="a line for each test")
    add("--workers", type=count, default=4 * CORES, help="Python tests at a time")
    add("--jobs", type=count, default=CORES, help="compilers at a time")
    add(
        "--within",
        type=float,
        default=math.inf,
        metavar="MINUTES",
        help="start no part of `check` that may take longer",
    )
    add("--venv", default=".venv", help="the environment that is built and used")
    add("--python", default=sys.executable, help="what makes that environment")
    return parser.parse_args()


def lock(file: TextIO) -> None:
    """One run of a checkout at a time: they build into the same folders."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("another run of this checkout goes on; waiting for it", flush=True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGINT)


def forget_temporary_bytecode() -> None:
    """Of modules that tests wrote for themselves, in folders that nobody sees again."""
    below = Path(tempfile.gettempdir()).absolute().relative_to("/")
    shutil.rmtree(FOLDER / "bytecode" / below, ignore_errors=True)


def main() -> int:
    arguments = parse()
    # What tests say has all letters there are; what shows it may know few.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    options = Options(
        arguments.venv, arguments.python, arguments.jobs, arguments.workers
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as file:
        lock(file)
        forget_temporary_bytecode()
        began = time.monotonic()
        display = Display(arguments.verbose)
        parts = parts_of(arguments.verb)
        run = Run(parts, options, display, FOLDER, arguments.within * 60)
        run.go()
        seconds = time.monotonic() - began
        (FOLDER / "results.jsonl").write_text(records(run.tallies))
    if run.stopped_by:
        display.write(f"stopped by {signal.Signals(run.stopped_by).name}\n\n")
    if arguments.slow:
        display.write(slowest(run.tallies) + "\n\n")
    display.write(summary(run.tallies, run.left_out, seconds) + "\n")
    return run.status()


if __name__ == "__main__":
    sys.exit(main())
