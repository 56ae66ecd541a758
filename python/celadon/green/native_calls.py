"""A call on a native thread, and what it does to the interpreter and to the loop."""

from __future__ import annotations

import contextvars
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from celadon._core import green as _green


def pauses(first: float = 0.05, longest: float = 1.0) -> Iterator[float]:
    """Seconds between attempts at what has no answer of its own: each twice the last."""
    pause = first
    while True:
        yield pause
        pause = min(2 * pause, longest)


class Call:
    __slots__ = ("_context", "_do", "done", "error", "made_at", "value")

    def __init__(self, do: Callable[[], Any], kind: str = "thread") -> None:
        self._do: Callable[[], Any] | None = do
        self._context = contextvars.copy_context()
        self.done = _green.Event(kind)
        self.made_at = time.monotonic()
        self.value: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        do, self._do = self._do, None
        assert do is not None
        try:
            self.value = self._context.run(do)
        except BaseException as error:
            self.error = error
        self.done.set()

    def result(self) -> Any:
        """What the call gave, once it is done; raises what it raised."""
        error, self.error = self.error, None  # its traceback knows this call
        if error is None:
            return self.value
        try:
            raise error
        finally:
            del error


class Gil:
    """How long a native thread waits for the interpreter before it asks for it.

    A loop that is never idle gives it away only when asked. While calls run on native
    threads those ask soon; else seldom, which costs the loop less.
    """

    SOON = 0.00005  # seconds

    def __init__(self) -> None:
        self._calls = 0
        self._interval = 0.0
        self._soon = 0.0  # what was set, as it is read back

    def begin(self) -> None:
        _green.enter_native_call()
        self._calls += 1
        if self._calls == 1:
            self._interval = sys.getswitchinterval()
            sys.setswitchinterval(min(self.SOON, self._interval))
            self._soon = sys.getswitchinterval()

    def end(self) -> None:
        _green.leave_native_call()
        self._calls -= 1
        if self._calls == 0:
            self._restore()

    def _restore(self) -> None:
        if (
            sys.getswitchinterval() == self._soon
        ):  # else the application has set its own
            sys.setswitchinterval(self._interval)

    def forget(self) -> None:
        """In the child of a fork no call runs."""
        if self._calls:
            self._calls = 0
            self._restore()


gil = Gil()
