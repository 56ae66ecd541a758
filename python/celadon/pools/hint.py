"""What the figures of a pool say, once: that it is what makes its users wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celadon.logging import logger

if TYPE_CHECKING:
    from celadon.pools.pool import ConnectionPool

_CHECKOUTS = 100  # that are judged together
_WORTH_A_WORD = 0.005  # seconds


class Hint:
    """Of one pool."""

    def __init__(self) -> None:
        self._said = False
        self._acquired = 0
        self._waited = 0.0
        self._used = 0.0

    def note(self, pool: ConnectionPool[Any]) -> None:
        """One more was acquired."""
        counters = pool._counters
        if self._said or counters.acquired - self._acquired < _CHECKOUTS:
            return
        wait = (counters.wait_seconds - self._waited) / _CHECKOUTS
        use = (counters.use_seconds - self._used) / _CHECKOUTS
        self._acquired = counters.acquired
        self._waited, self._used = counters.wait_seconds, counters.use_seconds
        if wait < _WORTH_A_WORD or wait < use or len(pool._lent) < pool.max_size:
            return
        self._said = True
        logger.warning(
            "hint: pool %s is the bottleneck: its last %d users waited %.0f ms for a "
            "connection and kept it for %.0f ms; all %d are in use and %d wait: raise "
            "max_size, or keep connections for less time",
            pool.name,
            _CHECKOUTS,
            1000 * wait,
            1000 * use,
            pool.max_size,
            len(pool._waiters),
        )
