"""`_multiprocessing.SemLock`: what `multiprocessing` makes its locks and semaphores of.

Among greenlets the kernel's semaphore knows neither who waits nor who owns. So those of
one process queue here, the first of them waits on a native thread, and the owner is
counted here. The semaphore itself is the kernel's as ever: for a process that is not
patched, and for one that inherits or unpickles it.
"""

from __future__ import annotations

import importlib
import os
import threading
import time
import weakref
from types import TracebackType
from typing import Any

from celadon._core import green
from celadon.green.native_pool import NativePool
from celadon.patch.registry import replace

try:
    _multiprocessing: Any = importlib.import_module("_multiprocessing")
except ImportError:  # a Python without semaphores
    _multiprocessing = None

_Native: Any = getattr(_multiprocessing, "SemLock", None)
_RECURSIVE, _SEMAPHORE = 0, 1

_SLICE = 0.02  # seconds after which a thread that waits looks whether it still should
_POLL = 0.005  # seconds between two tries where no thread is left to wait
_pool = NativePool(64, "celadon-semaphore")


def install() -> None:
    if _Native is not None:
        replace(_multiprocessing, "SemLock", SemLock)
        os.register_at_fork(before=_fork.before, after_in_child=_fork.after_in_child)


class SemLock:
    """As `_multiprocessing.SemLock`; a greenlet that waits lets others run."""

    if _Native is not None:
        SEM_VALUE_MAX = _Native.SEM_VALUE_MAX

    def __init__(
        self, kind: int, value: int, maxvalue: int, name: str, unlink: bool
    ) -> None:
        plain = _SEMAPHORE if kind == _RECURSIVE else kind
        self._use(_Native(plain, value, maxvalue, name, unlink), kind)

    @classmethod
    def _rebuild(
        cls, handle: int, kind: int, maxvalue: int, name: str | None, /
    ) -> SemLock:
        self = cls.__new__(cls)
        self._use(_Native._rebuild(handle, _SEMAPHORE, maxvalue, name), kind)
        return self

    @classmethod
    def instead_of(cls, native: Any) -> SemLock:
        """For one that was made before the patch, and that nobody holds."""
        self = cls._rebuild(native.handle, native.kind, native.maxvalue, native.name)
        self._origin = native  # whose end would close the handle
        return self

    def _use(self, native: Any, kind: int) -> None:
        self._native = native
        self.handle: int = native.handle
        self.kind = kind
        self.maxvalue: int = native.maxvalue
        self.name: str | None = native.name
        self._origin: Any = None
        self._held = 0
        self._owner = 0
        self._turn = green.Lock()
        _living.add(self)

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        if self.kind == _RECURSIVE and self._is_mine():
            self._held += 1
            return True
        may_wait = block and (timeout is None or timeout > 0)
        if may_wait and green.can_park():
            taken = self._wait(timeout)
        else:
            taken = self._native.acquire(block, timeout)
        if taken:
            self._held = 1 if self.maxvalue == 1 else self._held + 1
            self._owner = green.current_owner()
        return taken

    def _wait(self, timeout: float | None) -> bool:
        # Whoever comes while others wait comes behind them.
        if not self._turn.locked() and self._native.acquire(False):
            return True
        end = None if timeout is None else time.monotonic() + timeout
        longest = -1 if timeout is None else min(timeout, threading.TIMEOUT_MAX)
        if not self._turn.acquire(True, longest):
            return False
        try:
            return self._native.acquire(False) or self._wait_first(end)
        finally:
            self._turn.release()

    def _wait_first(self, end: float | None) -> bool:
        while _pool.running + _pool.waiting >= _pool.threads:
            left = _POLL if end is None else min(_POLL, end - time.monotonic())
            if left <= 0:
                return False
            green.sleep(left)
            if self._native.acquire(False):
                return True
        wait = _Wait(self._native, end)
        try:
            return _pool.run_to_end(wait.run, wait.cancel)
        except BaseException:
            wait.cancel()
            if not wait.settle("given up"):
                self._native.release()
            raise

    def release(self) -> None:
        if self.kind == _RECURSIVE:
            if not self._is_mine():
                raise AssertionError(
                    "attempt to release recursive lock not owned by thread"
                )
            if self._held > 1:
                self._held -= 1
                return
        # First, for the next owner may be there as soon as it is released.
        held, self._held = self._held, 0 if self.maxvalue == 1 else self._held - 1
        try:
            self._native.release()
        except BaseException:
            self._held = held
            raise

    def _count(self) -> int:
        return self._held

    def _is_mine(self) -> bool:
        return self._held > 0 and self._owner == green.current_owner()

    def _get_value(self) -> int:
        return self._native._get_value()  # type: ignore[no-any-return]

    def _is_zero(self) -> bool:
        return self._native._is_zero()  # type: ignore[no-any-return]

    def _after_fork(self) -> None:
        self._held = 0

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self.release()


SemLock.__module__ = "_multiprocessing"


class _Wait:
    """For a semaphore, on a native thread: taken, or given up, and never both."""

    def __init__(self, native: Any, end: float | None) -> None:
        self._native = native
        self._end = end
        self._over = False
        self._outcome: dict[str, str] = {}

    def settle(self, outcome: str) -> bool:
        """Whether it is this one: the first that is said holds."""
        return self._outcome.setdefault("", outcome) is outcome

    def cancel(self) -> None:
        self._over = True

    def run(self) -> bool:
        while not self._over:
            left = _SLICE
            if self._end is not None:
                left = min(left, max(self._end - time.monotonic(), 0))
            if self._native.acquire(True, left):
                if self.settle("taken"):
                    return True
                self._native.release()
                return False
            if left == 0:
                return False
        return False


class _Fork:
    """In a child nobody waits, and who made it is another one by name."""

    def __init__(self) -> None:
        self._forker = 0

    def before(self) -> None:
        self._forker = green.current_owner()

    def after_in_child(self) -> None:
        for lock in [*_living]:
            lock._turn._at_fork_reinit()
            if lock._owner == self._forker:
                lock._owner = green.current_owner()


_fork = _Fork()
_living: weakref.WeakSet[SemLock] = weakref.WeakSet()
