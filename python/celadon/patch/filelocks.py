"""Locks on files, of `fcntl` and `os.lockf`: a greenlet that waits lets others run.

It tries without waiting, again and again. A native thread could wait instead, but not be
called back: what it took after a kill would be a lock of this process, or of a descriptor
that somebody still uses, and nobody could give it back alone. When somebody of this
process lets go, those that wait here try at once. The price: the kernel, which sees nobody
wait, finds no deadlock (EDEADLK) between processes.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import os
from collections.abc import Callable
from typing import Any

from celadon._core import green
from celadon.patch.registry import replace

_FIRST, _LONGEST = 0.0005, 0.02  # seconds between two tries
_EACH = 0.0005  # more for each that waits, so that many take no more tries than few

_WAITS = {fcntl.F_SETLKW: fcntl.F_SETLK}
if hasattr(fcntl, "F_OFD_SETLKW"):
    _WAITS[fcntl.F_OFD_SETLKW] = fcntl.F_OFD_SETLK


def install() -> None:
    replace(fcntl, "flock", _of_flags(fcntl.flock))
    replace(fcntl, "lockf", _of_flags(fcntl.lockf))
    replace(fcntl, "fcntl", _of_commands(fcntl.fcntl))
    replace(os, "lockf", _of_sections(os.lockf))
    os.register_at_fork(after_in_child=_waiting.clear)


def _of_flags(native: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(native)
    def lock(fd: Any, operation: int, /, *rest: Any) -> Any:
        if operation & fcntl.LOCK_UN:
            return _let_go(fd, lambda: native(fd, operation, *rest))
        if operation & fcntl.LOCK_NB or not green.can_park():
            return native(fd, operation, *rest)
        return _wait(fd, lambda: native(fd, operation | fcntl.LOCK_NB, *rest))

    return lock


def _of_commands(native: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(native)
    def control(fd: Any, command: int, /, *rest: Any) -> Any:
        at_once = _WAITS.get(command)
        if at_once is None or not green.can_park():
            return native(fd, command, *rest)
        return _wait(fd, lambda: native(fd, at_once, *rest))

    return control


def _of_sections(native: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(native)
    def lockf(fd: int, command: int, length: int, /) -> Any:
        if command == os.F_ULOCK:
            return _let_go(fd, lambda: native(fd, command, length))
        if command != os.F_LOCK or not green.can_park():
            return native(fd, command, length)
        return _wait(fd, lambda: native(fd, os.F_TLOCK, length))

    return lockf


class _Waiters:
    """Those of this process that wait for one file."""

    def __init__(self) -> None:
        self.count = 0
        self.released = green.Event()

    def wake(self) -> None:
        """All, in the order in which they came: what each wants only it can try."""
        released, self.released = self.released, green.Event()
        released.set()


_waiting: dict[tuple[int, int], _Waiters] = {}


def _wait(fd: Any, attempt: Callable[[], Any]) -> Any:
    taken, result = _try(attempt)
    if taken:
        return result
    file = _file_of(fd)
    waiters = _waiting.setdefault(file, _Waiters())
    waiters.count += 1
    pause = _FIRST
    try:
        while True:
            released = waiters.released
            if _file_of(fd) != file:  # closed, and the number is another's now
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            taken, result = _try(attempt)
            if taken:
                return result
            released.wait(pause)
            pause = min(pause * 2, _LONGEST + _EACH * waiters.count)
    finally:
        waiters.count -= 1
        if not waiters.count:
            _waiting.pop(file, None)


def _try(attempt: Callable[[], Any]) -> tuple[bool, Any]:
    try:
        return True, attempt()
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False, None


def _let_go(fd: Any, native: Callable[[], Any]) -> Any:
    result = native()
    waiters = _waiting.get(_file_of(fd)) if _waiting else None
    if waiters is not None:
        waiters.wake()
    return result


def _file_of(fd: Any) -> tuple[int, int]:
    status = os.fstat(fd if isinstance(fd, int) else fd.fileno())
    return status.st_dev, status.st_ino
