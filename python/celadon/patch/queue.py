"""`queue`: the C queue; the `queue.Queue` family stays, over our locks.

Its `get` and its `put` serve first who came first (`celadon.green.turns`).
"""

from __future__ import annotations

import _queue
import functools
import operator
import queue
import sys
import time
from typing import Any

from celadon._core import green
from celadon.green.turns import core_of, is_promised, wait_turn
from celadon.patch.brief import guard_by_brief_lock
from celadon.patch.registry import replace


def install() -> None:
    # As what is pickled says where to find it.
    green.SimpleQueue.__module__ = "_queue"
    replace(_queue, "SimpleQueue", green.SimpleQueue)
    replace(queue, "SimpleQueue", green.SimpleQueue)
    adapt_class(queue.Queue, queue.Empty)
    _make_put_fair(queue.Queue)


def adapt_class(cls: Any, empty: type[Exception]) -> None:
    """For `queue.Queue`, and for copies of it; `empty` is what their `get` raises."""
    guard_by_brief_lock(cls, operator.attrgetter("mutex"))
    _make_get_fair(cls, empty)


# Who waits does so in CPython's own methods. Below only the lock is taken again, which is
# not to be taken twice, so that what they do then is done here.


def _make_get_fair(cls: Any, empty: type[Exception]) -> None:
    native_get = cls.get

    @functools.wraps(native_get)
    def get(self: Any, block: bool = True, timeout: float | None = None) -> Any:
        def there() -> int:
            return sys.maxsize if _is_shut_down(self) else self._qsize()

        core = core_of(self.not_empty)
        if core is None or not block or not is_promised(core, there):
            return native_get(self, block, timeout)
        with self.not_empty:
            if not wait_turn(core, there, _end_of(timeout)):
                raise empty
            if not self._qsize():
                raise queue.ShutDown  # type: ignore[attr-defined]
            item = self._get()
            self.not_full.notify()
            return item

    replace(cls, "get", get)


def _make_put_fair(cls: Any) -> None:
    native_put = cls.put

    @functools.wraps(native_put)
    def put(
        self: Any, item: Any, block: bool = True, timeout: float | None = None
    ) -> None:
        def room() -> int:
            return sys.maxsize if _is_shut_down(self) else self.maxsize - self._qsize()

        core = core_of(self.not_full) if self.maxsize > 0 and block else None
        if core is None or not is_promised(core, room):
            native_put(self, item, block, timeout)
            return
        with self.not_full:
            if not wait_turn(core, room, _end_of(timeout)):
                raise queue.Full
            if _is_shut_down(self):
                raise queue.ShutDown  # type: ignore[attr-defined]
            self._put(item)
            self.unfinished_tasks += 1
            self.not_empty.notify()

    replace(cls, "put", put)


def _is_shut_down(self: Any) -> bool:
    return bool(getattr(self, "is_shutdown", False))


def _end_of(timeout: float | None) -> float | None:
    if timeout is None:
        return None
    if timeout < 0:
        raise ValueError("'timeout' must be a non-negative number")
    return time.monotonic() + timeout
