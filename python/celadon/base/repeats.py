"""Errors that come again and again: some are written, the others counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from celadon._core import green as _green

MOST = 10  # of one place in a period
PERIOD = 10.0  # seconds
PLACES = 200  # that are told apart; more than that are always written

Place = tuple[str, str, int]


def place_of(error: BaseException) -> Place:
    """The kind of an error, and the file and line that raised it."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__, "", 0
    return type(error).__name__, trace.tb_frame.f_code.co_filename, trace.tb_lineno


class Repeats:
    """Which errors are written. `tell(place, count)` hears of how many were not."""

    def __init__(
        self,
        tell: Callable[[Place, int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._seen: dict[Place, tuple[float, int]] = {}  # begin of the period, errors
        # One whose holder is never preempted: another greenlet could not wait for it.
        self._lock = _green.Lock()._brief()

    def admit(self, error: BaseException) -> tuple[bool, bool]:
        """Whether to write this one, and whether it is the first that is not written.

        Whoever is told of the first one calls `end` once the period is over, so that
        the count is known though no other error comes.
        """
        place, now = place_of(error), self._clock()
        unwritten = 0
        with self._lock:
            began, count = self._seen.get(place, (now, 0))
            if now - began >= PERIOD:
                unwritten = max(count - MOST, 0)
                began, count = now, 0
            if place not in self._seen and not self._has_room(now):
                return True, False
            self._seen[place] = began, count + 1
        if unwritten:
            self._tell(place, unwritten)
        return count < MOST, count == MOST

    def end(self) -> None:
        """Tells of all that was not written, and begins again."""
        with self._lock:
            seen, self._seen = self._seen, {}
        for place, (_, count) in seen.items():
            if count > MOST:
                self._tell(place, count - MOST)

    def _has_room(self, now: float) -> bool:
        if len(self._seen) >= PLACES:
            for place, (began, count) in list(self._seen.items()):
                if now - began >= PERIOD and count <= MOST:
                    del self._seen[place]
        return len(self._seen) < PLACES
