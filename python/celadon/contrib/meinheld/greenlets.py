"""What greenlets need, by meinheld's names."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import Any

import greenlet

from celadon import _core
from celadon._core.green import poll_fd as _poll_fd
from celadon.green import sleep as _sleep
from celadon.green import spawn as _spawn

_READ, _WRITE = 1, 2


class timeout(OSError):
    """A wait took longer than it was allowed."""


class Timer:
    """A call that is to come."""

    def __init__(self, seconds: float, call: Callable[[], Any]) -> None:
        self.called = False
        self._cancelled = False
        self._call = call
        _core.green.start_hub()
        _spawn(self._run, seconds)

    def cancel(self) -> None:
        """It does not come, unless it has."""
        self._cancelled = True

    def _run(self, seconds: float) -> None:
        _sleep(seconds)
        if not self._cancelled:
            self.called = True
            self._call()


def schedule_call(
    seconds: float, call: Callable[..., Any], *args: Any, **kwargs: Any
) -> Timer:
    """Calls it in a greenlet, after so many seconds."""
    if seconds < 0:
        raise TypeError("seconds value out of range")
    if not callable(call):
        raise TypeError("must be callable")
    return Timer(seconds, lambda: call(*args, **kwargs))


def spawn(
    func: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: dict[str, Any] | None = None,
) -> None:
    """Calls it in a greenlet, soon."""
    _core.green.start_hub()
    _spawn(func, *(args or ()), **(kwargs or {}))


def sleep(seconds: float) -> None:
    """Lets others run."""
    _sleep(seconds)


def trampoline(
    fileno: int, read: Any = None, write: Any = None, timeout: float = 0
) -> None:
    """Waits until a descriptor can be read or written; 0 seconds are for ever.

    Raises `timeout` after so many seconds, `ValueError` for nothing to wait for.
    """
    if fileno < 0 or timeout < 0:
        raise ValueError("fileno or timeout value out of range")
    events = (_READ if read else 0) | (_WRITE if write else 0)
    if events:
        came = _poll_fd(fileno, events, timeout or None)
        if came > 0:
            return
        if came < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    elif timeout:
        _sleep(timeout)
    else:
        raise ValueError("timeout value out of range")
    raise _Timeout("timeout")


_Timeout = timeout


def get_ident() -> Any:
    """The greenlet that runs."""
    return greenlet.getcurrent()
