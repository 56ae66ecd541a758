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

# How long another process may take to do its part.
_BOUND = 60.0


def install() -> None:
    when_imported("multiprocessing.synchronize", _patch_condition)
    when_imported("multiprocessing.connection", _patch_connection)


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
    replace(cls, "notify", _shielded(cls.notify))


def _shielded(native: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(native)
    def call(*args: Any, **kwargs: Any) -> Any:
        green.enter_shield(_BOUND)
        try:
            return native(*args, **kwargs)
        finally:
            green.leave_shield()

    return call


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
            green.enter_shield(_BOUND)
            self._is_shielded = True
        return self._condition._lock.acquire()

    def leave(self) -> None:
        if self._is_shielded:
            green.leave_shield()


def _patch_connection(connection: ModuleType) -> None:
    cls: Any = connection.Connection
    for name, events in (("_recv_bytes", 1), ("_send_bytes", 2)):
        replace(cls, name, _whole(getattr(cls, name), events))
    # Where it was imported before the patch, they have the native ones as defaults.
    replace(cls, "_recv", _by(cls._recv, "read"))
    replace(cls, "_send", _by(cls._send, "write"))


def _whole(native: Callable[..., Any], events: int) -> Callable[..., Any]:
    """A message that has begun comes to its end, else the next one would begin in it."""
    shielded = _shielded(native)

    @functools.wraps(native)
    def transfer(self: Any, *args: Any) -> Any:
        if green.can_park():
            green.wait_fd(self._handle, events)
        return shielded(self, *args)

    return transfer


def _by(native: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(native)
    def transfer(self: Any, subject: Any, *rest: Any) -> Any:
        return native(self, subject, *(rest or (getattr(os, name),)))

    return transfer
