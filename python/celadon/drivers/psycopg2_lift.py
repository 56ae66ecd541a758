"""psycopg2's wait callback, lifted for a call that psycopg2 refuses to do under one.

The callback is one pointer for the process, and psycopg2 looks at it without the
interpreter's lock. While it is lifted the thread of the greenlets stands still outside of
psycopg2: else a query of another greenlet could miss it, and would wait in C.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celadon import green
from celadon._core.green import can_park
from celadon.patch.registry import original

_NOBODY = None


class Lift:
    """Of one call, made where its greenlet runs; see `lifted`."""

    def __init__(self, callback: Callback) -> None:
        self._callback = callback
        self._meeting = _Meeting() if can_park() else None

    def lifted(self, call: Callable[..., Any], *args: Any) -> Any:
        """``call(*args)``, which looks whether there is a callback, finds none, and then
        has `end` called.

        No other thread of Python's runs between the two lines: CPython gives its lock away
        after calls, and a comparison is none.
        """
        if self._meeting is not None:
            self._meeting.begin()
        try:
            _ = self._callback.lift == _NOBODY
            return call(*args)
        finally:
            self.end()  # where it was refused before anybody called that

    def end(self) -> None:
        self._callback.use()
        if self._meeting is not None:
            self._meeting.end()


class Callback:
    """`wait`, told to psycopg2."""

    def __init__(self, extensions: Any, wait: Callable[[Any], None]) -> None:
        self._set = extensions.set_wait_callback
        self._wait = wait
        # It is compared with `_NOBODY` to lift the callback.
        self.lift = type("_Lift", (), {"__eq__": self._set, "__hash__": None})()

    def use(self) -> None:
        self._set(self._wait)


class _Meeting:
    """Of the greenlets' thread, which makes it, and a native one: between `begin` and `end`
    of this one that stands still."""

    def __init__(self) -> None:
        allocate_lock = original("_thread", "allocate_lock")
        self._asked = green.Event()
        self._stands, self._goes_on = allocate_lock(), allocate_lock()
        self._stands.acquire()
        self._goes_on.acquire()
        green.spawn(self._stand_still)

    def _stand_still(self) -> None:
        self._asked.wait()
        self._stands.release()
        self._goes_on.acquire()

    def begin(self) -> None:
        self._asked.set()
        self._stands.acquire()

    def end(self) -> None:
        """Also where it has ended before, or never began."""
        if self._goes_on.locked():
            self._goes_on.release()
        self._asked.set()
