"""Runs a suite of pytest's and tells, line by line, how each test ended.

Usage: pytest_child.py REPORT SKIP [--patched] [--aio] -- WORDS OF PYTEST; SKIP is a file of
test ids not to run. With --aio every loop that asyncio makes is celadon's.
Knows nothing of this repository: it runs in the environment of the suite.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


class Reporter:
    """Of pytest's hooks: `start` and an outcome per test; one that ends the process has none."""

    def __init__(self, path: str, skipped: set[str]) -> None:
        self._out = open(path, "a", buffering=1)
        self._skipped = skipped
        self._end = ("skipped", "")

    def tell(self, test: str, outcome: str, text: str = "") -> None:
        line = {"test": test, "outcome": outcome, "text": text[-2000:]}
        self._out.write(json.dumps(line) + "\n")

    def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> None:
        left_out = [item for item in items if item.nodeid in self._skipped]
        items[:] = [item for item in items if item.nodeid not in self._skipped]
        config.hook.pytest_deselected(items=left_out)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.tell(report.nodeid, "failed", str(report.longrepr))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._end = ("skipped", "")
        self.tell(nodeid, "start")

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Three times: for what was made before the test, the test, and what ends behind it."""
        is_expected = report.skipped and hasattr(report, "wasxfail")
        if report.failed:
            self._end = ("failed", f"{report.when}: {report.longrepr}")
        elif is_expected or (report.passed and report.when == "call"):
            self._end = ("passed", "")
        elif report.skipped:
            self._end = ("skipped", str(report.longrepr))

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.tell(nodeid, *self._end)


def main() -> int:
    report, skip = sys.argv[1:3]
    middle = sys.argv.index("--")
    ways, words = sys.argv[3:middle], sys.argv[middle + 1 :]
    # Processes that a test starts import this file, and have no such folder.
    from child import start_ticking, use_our_loop

    ticks = [0]
    if "--patched" in ways:
        import celadon.patch

        celadon.patch.all()
    if "--aio" in ways:
        use_our_loop()
    if ways:
        start_ticking(ticks)
    import pytest

    reporter = Reporter(report, set(Path(skip).read_text().splitlines()))
    sys.argv = [sys.argv[0]]
    # As `python -m pytest` has it, in place of the folder of this file.
    sys.path[0] = str(Path.cwd())
    quiet = ["-q", "--color=no", "-p", "no:cacheprovider"]
    status = pytest.main([*quiet, *words], plugins=[reporter])
    reporter.tell("all", "ticks" if ways else "done", str(ticks[0]))
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
