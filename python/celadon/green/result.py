"""A value that somebody will have."""

from __future__ import annotations

from typing import Any

from celadon._core import green as _green
from celadon.green.shared_errors import as_first_raised, depth_of


class AsyncResult:
    """Set once, by a value or an exception; read by any number of greenlets or threads."""

    def __init__(self) -> None:
        self._done = _green.Event()
        self._value: Any = None
        self._exception: BaseException | None = None
        self._depth = 0  # of its traceback, when it was given

    def set(self, value: Any = None) -> None:
        """Gives the value, and wakes all who wait."""
        self._value, self._exception = value, None
        self._done.set()

    def set_exception(self, exception: BaseException) -> None:
        """Gives an exception, which `get` raises."""
        self._value, self._exception = None, exception
        self._depth = depth_of(exception)
        self._done.set()

    def ready(self) -> bool:
        """Whether it was set."""
        return self._done.is_set()

    def successful(self) -> bool:
        """Whether it was set by a value."""
        return self._done.is_set() and self._exception is None

    @property
    def value(self) -> Any:
        """The value; None before there is one."""
        return self._value

    @property
    def exception(self) -> BaseException | None:
        """The exception, if it was set by one."""
        return self._exception

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it is set; `timeout` in seconds. False: it passed."""
        return self._done.wait(timeout)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """The value; raises the exception, or `TimeoutError`."""
        if block:
            self._done.wait(timeout)
        if not self._done.is_set():
            raise TimeoutError("no result yet")
        if self._exception is not None:
            raise as_first_raised(self._exception, self._depth)
        return self._value

    def get_nowait(self) -> Any:
        """As `get`, without a wait."""
        return self.get(block=False)
