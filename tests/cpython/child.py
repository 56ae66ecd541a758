"""Runs one module of CPython's own suite and tells, line by line, how each test ended.

Usage: child.py MODULE REPORT SKIP [--patched] [--aio]; SKIP is a file of test ids not to
run. With --aio every loop that asyncio makes is celadon's.
Knows nothing of this repository: it runs in the interpreter under test.
"""

from __future__ import annotations

import faulthandler
import importlib.util
import json
import sys
import unittest
from collections.abc import Iterator
from typing import Any


class Reporter(unittest.TestResult):
    """Writes `start` and an outcome per test; a test that ends the process has none."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._out = open(path, "a", buffering=1)
        self.failfast = False

    def tell(self, test: Any, outcome: str, text: str = "") -> None:
        name = test.id() if hasattr(test, "id") else str(test)
        line = {"test": name, "outcome": outcome, "text": text[-2000:]}
        self._out.write(json.dumps(line) + "\n")

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self.tell(test, "start")

    def addSuccess(self, test: Any) -> None:
        self.tell(test, "passed")

    def addError(self, test: Any, err: Any) -> None:
        self.tell(test, "failed", self._exc_info_to_string(err, test))  # type: ignore[attr-defined]

    addFailure = addError

    def addSkip(self, test: Any, reason: str) -> None:
        self.tell(test, "skipped", reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        self.tell(test, "passed")

    def addUnexpectedSuccess(self, test: Any) -> None:
        self.tell(test, "failed", "unexpected success")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            self.addError(test, err)


def flat(suite: Any) -> Iterator[Any]:
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flat(item)
        else:
            yield item


def without(suite: unittest.TestSuite, skipped: set[str]) -> unittest.TestSuite:
    """The same tree, so that class and module fixtures stay, with fewer tests."""
    kept = unittest.TestSuite()
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            kept.addTest(without(item, skipped))
        elif item.id() not in skipped:
            kept.addTest(item)
    return kept


def start_ticking(ticks: list[int]) -> None:
    """A greenlet that counts shows that tests do not hold up the others."""
    from celadon import green

    def tick() -> None:
        while True:
            green.sleep(0.01)
            ticks[0] += 1

    green.spawn(tick)


def use_our_loop() -> None:
    import asyncio
    import asyncio.unix_events as unix

    from celadon.aio import EventLoop

    class Loop(EventLoop):
        def __init__(self, selector: object = None) -> None:
            super().__init__()

    asyncio.SelectorEventLoop = Loop  # type: ignore[assignment,misc]
    unix.SelectorEventLoop = Loop  # type: ignore[assignment,misc]
    if hasattr(asyncio, "EventLoop"):
        asyncio.EventLoop = Loop  # type: ignore[misc]
    unix._UnixDefaultEventLoopPolicy._loop_factory = Loop  # type: ignore[attr-defined]


def main() -> None:
    module, report, skip = sys.argv[1:4]
    patched, aio = (word in sys.argv[4:] for word in ("--patched", "--aio"))
    faulthandler.enable()
    ticks = [0]
    if patched:
        import celadon.patch

        celadon.patch.all()
    if aio:
        use_our_loop()
    if patched or aio:
        start_ticking(ticks)
    sys.argv = [sys.argv[0]]
    from test import support
    from test.libregrtest import setup

    support.verbose = 0
    support.use_resources = [
        "audio", "curses", "decimal", "cpu", "subprocess", "tzdata", "xpickle",
    ]  # fmt: skip
    setup_process = getattr(setup, "setup_process", None)
    if setup_process is not None:
        setup_process()
    reporter = Reporter(report)
    with open(skip) as lines:
        skipped = {line.strip() for line in lines}
    if importlib.util.find_spec(f"test.{module}") is not None:
        module = f"test.{module}"
    try:
        suite = unittest.defaultTestLoader.loadTestsFromName(module)
    except unittest.SkipTest as error:
        reporter.tell(module, "skipped", str(error))
        return
    without(suite, skipped).run(reporter)
    reporter.tell(module, "ticks" if patched or aio else "done", str(ticks[0]))


if __name__ == "__main__":
    main()
