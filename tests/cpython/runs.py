"""How each test of somebody else's suite ended, and what differs between two ways to run it.

A child runs the suite and tells it line by line (`child.py`, `pytest_child.py`). Where one hangs
or ends in the middle of a test, another child goes on behind that test, which failed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

QUIET = 90.0  # seconds without news from a test: it hangs

# What runs it, by the file for its report and that of tests which are not to run.
Command = Callable[[Path, Path], list[str]]


@dataclass
class Run:
    """How the tests ended."""

    outcomes: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    ticks: int = 0
    said: str = ""  # by the last child: its end, and the end of its output

    @property
    def absent(self) -> bool:
        return not self.outcomes

    def note(self, line: str) -> None:
        entry = json.loads(line)
        test, outcome = entry["test"], entry["outcome"]
        if outcome in ("ticks", "done"):
            self.ticks += int(entry["text"])
        elif self.outcomes.get(test) != "failed":
            self.outcomes[test] = outcome
            self.texts[test] = entry["text"]

    def interrupted(self) -> list[str]:
        """Tests that began and never ended."""
        return [test for test, outcome in self.outcomes.items() if outcome == "start"]


def run_whole(
    command: Command,
    limit: float,
    environment: Mapping[str, str],
    cwd: Path | None = None,
) -> Run:
    """Runs it, and again without the test that hung or crashed, until it gets through.

    `cwd` is where it runs, else an empty folder; `limit` seconds it may take in all.
    """
    run = Run()
    with tempfile.TemporaryDirectory() as folder:
        report, skip = Path(folder, "report"), Path(folder, "skip")
        work = cwd or Path(folder, "work")
        work.mkdir(exist_ok=True)
        end = time.monotonic() + limit
        while True:
            report.write_text("")
            skip.write_text("\n".join(run.outcomes))
            words = command(report, skip)
            run.said = _watch(words, report, work, environment, end)
            for line in report.read_text().splitlines():
                run.note(line)
            broken = run.interrupted()
            for test in broken:
                run.outcomes[test] = "failed"
                run.texts[test] = run.said
            if not broken or time.monotonic() > end:
                return run


def _watch(
    command: list[str],
    report: Path,
    work: Path,
    environment: Mapping[str, str],
    end: float,
) -> str:
    with open(report.parent / "output", "w+", errors="replace") as output:
        child = subprocess.Popen(
            command,
            cwd=work,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **environment},
        )
        hung = False
        while True:
            try:
                child.wait(1)
                break
            except subprocess.TimeoutExpired:
                silence = time.time() - report.stat().st_mtime
                if silence > QUIET or time.monotonic() > end:
                    hung = True
                    # Its stack goes to the output: faulthandler is told by SIGABRT.
                    child.send_signal(signal.SIGABRT)
                    break
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        output.seek(0)
        tail = output.read()[-3000:]
    return f"{'hung' if hung else 'ended'} with {child.returncode}\n{tail}"


def read_expected(path: Path) -> dict[str, str]:
    """Tests that are known to fail, each with the reason."""
    expected = {}
    if path.exists():
        for line in path.read_text().splitlines():
            if line and not line.startswith("#"):
                test, _, reason = line.partition(": ")
                expected[test] = reason
    return expected


@dataclass
class Tally:
    """One way against the plain one. A test counts if it passes in the plain one."""

    counted: int = 0
    passed: int = 0
    broken: int = 0  # that fail both ways
    ticks: int = 0
    state: str = ""
    exceptions: list[str] = field(default_factory=list)


def compare(plain: Run, changed: Run) -> Tally:
    tally = Tally(ticks=changed.ticks)
    if plain.absent:
        tally.state = "absent"
        return tally
    for test, outcome in plain.outcomes.items():
        how = changed.outcomes.get(test)
        if outcome != "passed":
            tally.broken += outcome == how == "failed"
            continue
        tally.counted += 1
        if how == "passed":
            tally.passed += 1
        else:
            tally.exceptions.append(test)
    return tally


def tell(
    row: str, tally: Tally, expected: Mapping[str, str], texts: Mapping[str, str]
) -> list[str]:
    """Prints how it went; tests that fail and are not expected to."""
    print(f"{row}: {tally.state or f'{tally.passed}/{tally.counted}'}", flush=True)
    surprises = []
    for test in tally.exceptions:
        known = test in expected
        print(f"  {'known' if known else 'FAILED'}: {test}", flush=True)
        if not known:
            surprises.append(test)
            text = texts.get(test, "").strip().replace("\n", "\n    ")
            if text:
                print("    " + text, flush=True)
    return surprises


def tell_passing(
    plain: Run, tallies: Iterable[Tally], expected: Iterable[str]
) -> list[str]:
    """Prints, and gives, those of `expected` that were run and fail in no way."""
    failed = {test for tally in tallies for test in tally.exceptions}
    passing = [
        test
        for test in sorted(expected)
        if plain.outcomes.get(test) and test not in failed
    ]
    for test in passing:
        print(f"  passes now: {test}", flush=True)
    return passing
