"""`multiprocessing`: a kill or a timeout finds no condition and no message half done.

Its locks and semaphores wait as `celadon.patch.semaphores` says, its pipes as those of
`os.read` and `os.write`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

from celadon._core import green
from celadon.patch.imports import when_imported
from celadon.patch.registry import replace
from celadon.patch.shields import BOUND, shielded


def install() -> None:
    when_imported("multiprocessing.synchronize", _patch_condition)
    when_imported("multiprocessing.connection", _patch_connection)
    for how in ("spawn_posix", "forkserver"):
        when_imported(f"multiprocessing.popen_{how}", _patch_launch)


def _patch_condition(synchronize: ModuleType) -> None:
    cls: Any = synchronize.Condition
    native_wait = cls.wait

    @functools.wraps(native_wait)
    def wait(self: Any, timeout: float | None = None) -> Any:
        seen = _Waiter(self)
        try:
            return native_wait(seen, timeout)
        finally:
            seen.leave()

    replace(cls, "wait", wait)
    replace(cls, "notify", shielded(cls.notify))


class _Waiter:
    """A condition as its own `wait` sees it: its lock is taken again whatever comes."""

    def __init__(self, condition: Any) -> None:
        self._condition = condition
        self._lock = self
        self._semlock = condition._lock._semlock
        self.release = condition._lock.release
        self._is_shielded = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._condition, name)

    def acquire(self) -> Any:
        if not self._is_shielded:
            self._is_shielded = True  # first: a signal's handler may raise in between
            green.enter_shield(BOUND)
        return self._condition._lock.acquire()

    def leave(self) -> None:
        if self._is_shielded:
            green.leave_shield()


def _patch_launch(popen: ModuleType) -> None:
    """A process that was started is known to who started it."""
    cls: Any = popen.Popen
    replace(cls, "_launch", shielded(cls._launch))


def _patch_connection(connection: ModuleType) -> None:
    cls: Any = connection.Connection
    for name, events in (("_recv_bytes", 1), ("_send_bytes", 2)):
        replace(cls, name, _whole(getattr(cls, name), events))
    # Where it was imported before the patch, they have the native ones as defaults.
    replace(cls, "_recv", _by(cls._recv, "read"))
    replace(cls, "_send", _by(cls._send, "write"))


def _whole(native: Callable[..., Any], events: int) -> Callable[..., Any]:
    """A message that has begun comes to its end, else the next one would begin in it."""
    to_its_end = shielded(native)

    @functools.wraps(native)
    def transfer(self: Any, *args: Any) -> Any:
        if green.can_park():
            green.wait_fd(self._handle, events)
        return to_its_end(self, *args)

    return transfer


def _by(native: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(native)
    def transfer(self: Any, subject: Any, *rest: Any) -> Any:
        return native(self, subject, *(rest or (getattr(os, name),)))

    return transfer
