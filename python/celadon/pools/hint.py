"""What the figures of a pool say, once: that it is what makes its users wait."""

from __future__ import annotations

from celadon.logging import logger
from celadon.pools.statistics import Counters

_CHECKOUTS = 100  # that are judged together
_WORTH_A_WORD = 0.005  # seconds


class Hint:
    """Of one pool."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._said = False
        self._acquired = 0
        self._waited = 0.0
        self._used = 0.0

    def note(self, counters: Counters, used: int, most: int, waiting: int) -> None:
        """One more was acquired: `used` of at most `most` are out, `waiting` want one."""
        if self._said or counters.acquired - self._acquired < _CHECKOUTS:
            return
        wait = (counters.wait_seconds - self._waited) / _CHECKOUTS
        use = (counters.use_seconds - self._used) / _CHECKOUTS
        self._acquired = counters.acquired
        self._waited, self._used = counters.wait_seconds, counters.use_seconds
        if wait < _WORTH_A_WORD or wait < use or used < most:
            return
        self._said = True
        logger.warning(
            "hint: pool %s is the bottleneck: its last %d users waited %.0f ms for a "
            "connection and kept it for %.0f ms; all %d are in use and %d wait: raise "
            "max_size, or keep connections for less time",
            self._name,
            _CHECKOUTS,
            1000 * wait,
            1000 * use,
            most,
            waiting,
        )
