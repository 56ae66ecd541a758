"""`queue`: the C queue; the `queue.Queue` family stays, over our locks.

Its `get` serves first who came first. As it stands, an item that is put while somebody
waits belongs to whoever takes it first: under load that is a newcomer each time, and who
waits does so for ever.
"""

from __future__ import annotations

import _queue
import functools
import operator
import queue
import time
from typing import Any

from celadon._core import green
from celadon.patch.brief import guard_by_brief_lock
from celadon.patch.registry import replace


def install() -> None:
    replace(_queue, "SimpleQueue", green.SimpleQueue)
    replace(queue, "SimpleQueue", green.SimpleQueue)
    adapt_class(queue.Queue, queue.Empty)


def adapt_class(cls: Any, empty: type[Exception]) -> None:
    """For `queue.Queue`, and for copies of it; `empty` is what their `get` raises."""
    guard_by_brief_lock(cls, operator.attrgetter("mutex"))
    _make_fair(cls, empty)


def _make_fair(cls: Any, empty: type[Exception]) -> None:
    native_get = cls.get

    @functools.wraps(native_get)
    def get(self: Any, block: bool = True, timeout: float | None = None) -> Any:
        core = getattr(self.not_empty, "_celadon_core", None)
        if core is not None and core.notified() and block and _all_promised(self):
            end = None if timeout is None else time.monotonic() + timeout
            with self.not_empty:
                _wait_behind_the_others(self, end, empty)
                # Only the lock is taken again below, and it is ours already.
                return _take(self)
        return native_get(self, block, timeout)

    replace(cls, "get", get)


def _all_promised(self: Any) -> bool:
    return bool(0 < self._qsize() <= self.not_empty._celadon_core.notified())


def _wait_behind_the_others(
    self: Any, end: float | None, empty: type[Exception]
) -> None:
    """Until there is an item that nobody was notified of, or we were."""
    while not self._qsize() or _all_promised(self):
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            raise empty
        if getattr(self, "is_shutdown", False) and not self._qsize():
            raise queue.ShutDown  # type: ignore[attr-defined]
        if self.not_empty.wait(left) and self._qsize():
            return


def _take(self: Any) -> Any:
    item = self._get()
    self.not_full.notify()
    return item
