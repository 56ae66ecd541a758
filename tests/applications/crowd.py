"""Many clients at once, some of whom go away in mid-answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

from tests.applications.answers import Answer
from tests.applications.application import Page
from tests.applications.guest import Guest, differ
from tests.applications.story import Teller
from tests.applications.visitor import Unanswered, Visitor
from tests.support.raw import Response

CLIENTS = 32
_LEAVE = 0.2  # of the requests
_ACT = 0.3
_TELL = 0.1  # of the times that a client decides what it does

Act = Callable[[Guest], None]


class Crowd:
    """Asks for seconds; each answer has to be the one that was given to one client alone, and
    each story has to go on as it is told."""

    def __init__(
        self,
        known: Visitor,
        expected: list[tuple[Page, Answer]],
        read: Callable[[Response, int], Answer],
        story: Sequence[Page] = (),
        acts: Sequence[tuple[Act, list[str]]] = (),
        act: Callable[[Act, int, str], list[str]] = lambda *_: [],
    ) -> None:
        self.answered = 0
        self.left = 0
        self.wrong: list[str] = []
        self._known = known
        self._expected = expected
        self._read = read
        self._story = story
        self._acts = acts
        self._act = act
        self.acted = 0
        self.told = 0
        self._lock = threading.Lock()

    def come(self, seconds: float, seed: int) -> None:
        end = time.monotonic() + seconds
        threads = [
            threading.Thread(target=self._visit, args=(seed, number, end))
            for number in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _visit(self, seed: int, number: int, end: float) -> None:
        random = Random(f"{seed} {number}")
        mark = f"m{seed}x{number}"
        teller = Teller(self._known.port, self._story, mark, number)
        with Visitor(self._known.port, keeps=True) as visitor:
            while True:
                visitor.knows(self._known)
                page, expected = random.choice(self._expected)
                if self._story and (not teller.told or random.random() < _TELL):
                    self._tell(teller, random)
                elif self._acts and random.random() < _ACT:
                    self._play(random, mark)
                elif random.random() < _LEAVE:
                    self._break_off(visitor, page, random)
                else:
                    self._ask(visitor, page, expected)
                if time.monotonic() > end or len(self.wrong) > 2:
                    return

    def _tell(self, teller: Teller, random: Random) -> None:
        def before(visitor: Visitor, page: Page) -> None:
            if page.is_asked_again and random.random() < _LEAVE:
                self._break_off(visitor, page, random)

        found = teller.tell(before)
        with self._lock:
            self.told += 1
            self.answered += teller.answered
            self.wrong += [f"story under load: {each}" for each in found]

    def _play(self, random: Random, mark: str) -> None:
        act, expected = random.choice(self._acts)
        with self._lock:
            self.acted += 1
            mark = f"{mark}a{self.acted}x"
        found = differ(expected, self._act(act, self._known.port, mark))
        with self._lock:
            self.wrong += [f"{act.__name__} under load: {each}" for each in found]

    def _break_off(self, visitor: Visitor, page: Page, random: Random) -> None:
        with suppress(OSError):
            visitor.break_off(page, random)
        with self._lock:
            self.left += 1

    def _ask(self, visitor: Visitor, page: Page, expected: Answer) -> None:
        try:
            answer = self._read(visitor.ask(page), visitor.port)
            found = expected.differences(answer)
        except Unanswered as error:
            found = [str(error)]
        with self._lock:
            self.answered += 1
            self.wrong += [f"{page} under load: {each}" for each in found]
