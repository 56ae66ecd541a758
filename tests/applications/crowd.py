"""Many clients at once, some of whom go away in mid-answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random

from tests.applications.answers import Answer
from tests.applications.application import Page
from tests.applications.visitor import Unanswered, Visitor
from tests.support.raw import Response

CLIENTS = 32
_LEAVE = 0.2  # of the requests


class Crowd:
    """Asks for seconds; each answer has to be the one that was given to one client alone."""

    def __init__(
        self,
        known: Visitor,
        expected: list[tuple[Page, Answer]],
        read: Callable[[Response, int], Answer],
    ) -> None:
        self.answered = 0
        self.left = 0
        self.wrong: list[str] = []
        self._known = known
        self._expected = expected
        self._read = read
        self._lock = threading.Lock()

    def come(self, seconds: float, seed: int) -> None:
        end = time.monotonic() + seconds
        threads = [
            threading.Thread(target=self._visit, args=(Random(f"{seed} {number}"), end))
            for number in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _visit(self, random: Random, end: float) -> None:
        with Visitor(self._known.port, keeps=True) as visitor:
            while True:
                visitor.knows(self._known)
                page, expected = random.choice(self._expected)
                if random.random() < _LEAVE:
                    with suppress(OSError):
                        visitor.break_off(page, random)
                    with self._lock:
                        self.left += 1
                else:
                    self._ask(visitor, page, expected)
                if time.monotonic() > end or len(self.wrong) > 2:
                    return

    def _ask(self, visitor: Visitor, page: Page, expected: Answer) -> None:
        try:
            answer = self._read(visitor.ask(page), visitor.port)
            found = expected.differences(answer)
        except Unanswered as error:
            found = [str(error)]
        with self._lock:
            self.answered += 1
            self.wrong += [f"{page} under load: {each}" for each in found]
