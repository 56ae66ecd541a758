"""Conditions and semaphores of `threading`, over locks of ours."""

from __future__ import annotations

import functools
import threading
import time
from typing import Any

from celadon._core import green
from celadon.green.turns import core_of, is_promised, wait_turn
from celadon.patch.registry import replace


def patch_condition() -> None:
    """Conditions over our locks wait in one step, without a lock of their own for each."""
    cls: Any = threading.Condition
    native_wait, native_notify, native_reinit = (
        cls.wait,
        cls.notify,
        cls._at_fork_reinit,
    )

    def core_of(self: Any) -> Any:
        core = self.__dict__.get("_celadon_core")
        if core is None and type(self._lock) in (green.Lock, green.RLock):
            core = self._celadon_core = green.Condition(self._lock)
            if type(self) is cls:  # from now on without a Python function between
                self.wait, self.notify = core.wait, core.notify
                self.notify_all = core.notify_all
        return core

    @functools.wraps(native_wait)
    def wait(self: Any, timeout: float | None = None) -> Any:
        core = core_of(self)
        return native_wait(self, timeout) if core is None else core.wait(timeout)

    @functools.wraps(native_notify)
    def notify(self: Any, n: int = 1) -> None:
        core = core_of(self)
        if core is None:
            native_notify(self, n)
        else:
            core.notify(n)

    @functools.wraps(cls.notify_all)
    def notify_all(self: Any) -> None:
        core = core_of(self)
        if core is None:
            native_notify(self, len(self._waiters))
        else:
            core.notify_all()

    @functools.wraps(native_reinit)
    def _at_fork_reinit(self: Any) -> None:
        native_reinit(self)
        if self.__dict__.pop("_celadon_core", None) is not None:
            for name in ("wait", "notify", "notify_all"):
                self.__dict__.pop(name, None)

    for function in (wait, notify, notify_all, _at_fork_reinit):
        replace(cls, function.__name__, function)


def make_semaphore_fair() -> None:
    cls: Any = threading.Semaphore
    native = cls.acquire

    @functools.wraps(native)
    def acquire(self: Any, blocking: bool = True, timeout: float | None = None) -> Any:
        def permits() -> int:
            return self._value  # type: ignore[no-any-return]

        core = core_of(self._cond) if blocking else None
        if core is None or not is_promised(core, permits):
            return native(self, blocking, timeout)
        end = None if timeout is None else time.monotonic() + timeout
        with self._cond:
            if not wait_turn(core, permits, end):
                return False
            self._value -= 1
            return True

    replace(cls, "acquire", acquire)
    replace(cls, "__enter__", acquire)
