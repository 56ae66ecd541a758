"""What the tools print, turned into results."""

from __future__ import annotations

import json
import re
import shlex
from collections import deque
from typing import ClassVar

from tools.suite.tally import Outcome, Result, Tally

_TAIL = 60  # lines that are shown of a command that failed
_LINE = 2000  # characters of each


class Reader:
    """Of a command that is one thing: it fails as a whole, or is no test at all."""

    def __init__(self, tally: Tally, name: str, command: str) -> None:
        self.tally = tally
        self.name = name
        self.command = command
        self._tail: deque[str] = deque(maxlen=_TAIL)
        self._failed_before = len(tally.failures())
        self._results_before = len(tally.results)

    def line(self, text: str) -> None:
        """A line of output."""
        self._tail.append(text[:_LINE])
        # ninja's, of a build.
        if at := re.match(r"\[(\d+)/(\d+)\] ", text):
            self.tally.stage = f"{at[1]} of {at[2]}"

    def event(self, text: str) -> None:
        """A line from the pipe for events."""

    def end(self, status: int) -> None:
        """The command has ended. Whatever failed, a result says so."""
        if status != 0 and len(self.tally.failures()) == self._failed_before:
            self.fail(f"ended with status {status}")

    def results(self) -> int:
        """How many there are of this command."""
        return len(self.tally.results) - self._results_before

    def fail(self, why: str) -> None:
        detail = "\n".join([*self._tail, why])
        result = Result(self.name, Outcome.FAILED, 0.0, detail, self.command)
        self.tally.end(result)


class Check(Reader):
    """Of a command that is one test."""

    def end(self, status: int) -> None:
        super().end(status)
        if status == 0:
            self.tally.end(Result(self.name))


class Headers(Reader):
    """Of the build that compiles each header alone: those that are not named are well."""

    def __init__(self, tally: Tally, name: str, command: str) -> None:
        super().__init__(tally, name, command)
        self._failing: dict[str, list[str]] = {}
        self._now: list[str] | None = None
        self._count = 0

    def line(self, text: str) -> None:
        super().line(text)
        if count := re.match(r"-- (\d+) headers", text):
            self._count = int(count[1])
        elif text.startswith("FAILED: "):
            found = re.search(r"alone/(\S+\.h)\.cc", text)
            self._now = self._failing.setdefault(found[1], []) if found else None
        elif re.match(r"\[\d+/\d+\]|ninja: ", text):
            self._now = None
        elif self._now is not None:
            self._now.append(text)

    def end(self, status: int) -> None:
        for header, said in self._failing.items():
            name = f"src/{header} does not compile alone"
            detail = "\n".join(said[1:])  # without the compiler's command
            self.tally.end(Result(name, Outcome.FAILED, 0.0, detail, self.command))
        super().end(status)
        if status == 0 and self._count == 0:
            self.fail("no header was named")
        for _ in range(self._count - len(self._failing)):
            self.tally.end(Result("a header compiles alone"))


class Ctest(Reader):
    """Of a build and its run by ctest."""

    START = re.compile(r" +Start +\d+: (.+)")
    END = re.compile(
        r" *\d+/\d+ +Test +#\d+: (.+?) \.+(\*\*\*)? *(\S.*?) +([\d.]+) sec$"
    )

    def __init__(self, tally: Tally, name: str, command: str) -> None:
        super().__init__(tally, name, command)
        self._failed: Result | None = None
        self._said: list[str] = []

    def line(self, text: str) -> None:
        super().line(text)
        if start := self.START.match(text):
            self._flush()
            self.tally.start(start[1])
        elif end := self.END.match(text):
            self._flush()
            self._test_ended(*end.groups())
        elif text.startswith("100% tests passed") or "% tests passed," in text:
            self._flush()
        elif self._failed:
            self._said.append(text)

    def _test_ended(self, name: str, bad: str | None, what: str, seconds: str) -> None:
        pattern = shlex.quote(f"^{re.escape(name)}$")
        again = f"ctest --test-dir build/dev --output-on-failure -R {pattern}"
        if what == "Passed":
            self.tally.end(Result(name, seconds=float(seconds)))
        elif bad and what == "Skipped":
            self.tally.end(Result(name, Outcome.SKIPPED, float(seconds), "", again))
        else:
            self._failed = Result(name, Outcome.FAILED, float(seconds), what, again)

    def _flush(self) -> None:
        """The failed test has said all that it had to say."""
        if self._failed is None:
            return
        detail = "\n".join([self._failed.detail, *self._said]).strip()
        name, seconds = self._failed.name, self._failed.seconds
        again = self._failed.again
        self.tally.end(Result(name, Outcome.FAILED, seconds, detail, again))
        self._failed = None
        self._said = []

    def end(self, status: int) -> None:
        self._flush()
        super().end(status)
        if self.results() == 0:
            self.fail("no test was named")


class Pytest(Reader):
    """Of pytest with the plugin that tells its events."""

    STATUS: ClassVar[dict[int, str]] = {
        2: "it was interrupted",
        3: "an error within pytest",
        4: "pytest was called wrongly",
        5: "no test was found",
    }

    def event(self, text: str) -> None:
        try:
            event = json.loads(text)
        except ValueError:  # it was killed halfway
            self.fail(f"half of an event was told: {text[:_LINE]}")
            return
        match event.pop("what"):
            case "total":
                self.tally.total = event["count"]
            case "start":
                self.tally.start(event["name"])
            case "end":
                outcome = Outcome(event.pop("outcome"))
                again = f"{self.command} {shlex.quote(event['name'])}"
                self.tally.end(Result(outcome=outcome, again=again, **event))

    def end(self, status: int) -> None:
        if status > 1 or status < 0:
            self.fail(f"{self.STATUS.get(status, 'pytest ended')} (status {status})")
        super().end(status)
        missing = (self.tally.total or 0) - self.results()
        if status == 0 and missing > 0:
            self.fail(f"{missing} tests did not run")
        elif self.results() == 0:
            self.fail("no test was told of")
