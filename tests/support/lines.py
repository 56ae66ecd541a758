"""Lines that a process writes, and waiting for them.

A line answers one wait: the next wait looks behind it only, and behind what was there when
something was done to the process. What was said before is no answer to what came after.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable

from tests.support.raw import TIMEOUT


class Lines(list[str]):
    """What a stream has said until now."""

    def __init__(self) -> None:
        super().__init__()
        self.done = 0  # how many there were when something was done to the process
        self._seen = 0  # how many of them answer no wait any more
        self._news = threading.Condition()
        self.has_ended = False  # nobody is left who could say more

    def read(self, stream: Iterable[str]) -> None:
        """Takes lines from `stream` to its end."""
        try:
            for line in stream:
                with self._news:
                    self.append(line.rstrip("\n"))
                    self._news.notify_all()
        finally:
            with self._news:
                self.has_ended = True
                self._news.notify_all()

    def wait(self, pattern: str) -> re.Match[str]:
        """The next line that matches, behind the one that the last wait was for."""
        at, found = self._find(pattern, self._seen)
        self._seen = at + 1
        return found

    def wait_all(self, *patterns: str) -> None:
        """The next line for each of `patterns`, which come in no order."""
        self._seen = 1 + max(self._find(each, self._seen)[0] for each in patterns)

    def said(self, pattern: str, limit: float = TIMEOUT) -> re.Match[str]:
        """The first line that matches, whenever it was or will be said."""
        return self._find(pattern, 0, limit)[1]

    def forget(self) -> None:
        """Lines until now answer no wait any more."""
        self._seen = len(self)

    def act(self) -> None:
        """Something is being done: what was said until now is no answer to it."""
        self.forget()
        self.done = len(self)

    def _find(
        self, pattern: str, start: int, limit: float = TIMEOUT
    ) -> tuple[int, re.Match[str]]:
        wanted = re.compile(pattern)
        at = start

        def find() -> re.Match[str] | None:
            nonlocal at
            while at < len(self):
                if match := wanted.search(self[at]):
                    return match
                at += 1
            return None

        with self._news:
            self._news.wait_for(lambda: find() or self.has_ended, limit)
            found = find()
        assert found, f"no {pattern!r} behind line {start} of:\n" + "\n".join(self)
        return at, found
