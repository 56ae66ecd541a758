"""`_thread`, `threading` and the locks that live already.

Threads stay native. Locks work between greenlets, between threads, and mixed; a greenlet
has an identity, a `threading.local` and a `current_thread()` of its own. Those that drive
an event loop of `celadon.aio` have them in common.
"""

from __future__ import annotations

import _thread
import functools
import logging
import operator
import threading
import time
from types import ModuleType
from typing import Any

from celadon._core import green
from celadon.green.helpers import HelperThread
from celadon.green.thread_ends import run_thread_ends
from celadon.logging import logger
from celadon.patch import owners
from celadon.patch.brief import guard_by_brief_lock
from celadon.patch.conditions import make_semaphore_fair, patch_condition
from celadon.patch.imports import when_imported
from celadon.patch.registry import original, replace

_USUAL_END = 0.001  # seconds; more than an interpreter's own end of a thread takes
_LONGEST_PAUSE = 0.05


class _SlotThread(threading._DummyThread):
    """What `threading.current_thread()` gives in greenlets."""

    def __init__(self, number: int) -> None:
        threading.Thread.__init__(self, name=f"celadon-slot-{number}", daemon=True)
        self._started.set()  # type: ignore[attr-defined]
        self._set_ident()  # type: ignore[attr-defined]
        if hasattr(self, "_set_native_id"):
            self._set_native_id()
        if hasattr(threading, "_make_thread_handle"):
            self._handle = threading._make_thread_handle(self.ident)
        with threading._active_limbo_lock:  # type: ignore[attr-defined]
            threading._active[self.ident] = self  # type: ignore[attr-defined]

    def is_alive(self) -> bool:
        return threading._active.get(self.ident) is self  # type: ignore[attr-defined]

    def _celadon_runner_ended(self) -> None:
        """Its runner is given back."""
        with threading._active_limbo_lock:  # type: ignore[attr-defined]
            if self.is_alive():
                del threading._active[self.ident]  # type: ignore[attr-defined]


def install() -> None:
    _patch_low_level()
    _patch_threading()
    owners.install()
    _swap_live_locks()


def _name_as_cpython() -> None:
    """Names by which `pickle` and documentation find what stands in `_thread` now."""
    for kind, name in (
        (green.Lock, "lock"),
        (green.RLock, "RLock"),
        (green.local, "_local"),
    ):
        kind.__module__, kind.__name__, kind.__qualname__ = "_thread", name, name
    if not hasattr(_thread, "lock"):
        # Before 3.13: by this one a child without the patch finds what makes a lock.
        green.Lock.__qualname__ = "allocate_lock"


def _patch_low_level() -> None:
    _name_as_cpython()
    replace(_thread, "allocate_lock", green.Lock)
    replace(_thread, "allocate", green.Lock)
    replace(_thread, "LockType", green.Lock)
    if hasattr(_thread, "lock"):
        replace(_thread, "lock", green.Lock)
    replace(_thread, "RLock", green.RLock)
    replace(_thread, "get_ident", green.get_ident)
    replace(_thread, "_local", green.local)


def _patch_threading() -> None:
    replace(threading, "Lock", green.Lock)
    replace(threading, "_allocate_lock", green.Lock)
    replace(threading, "RLock", green.RLock)
    replace(threading, "_CRLock", green.RLock)
    replace(threading, "get_ident", green.get_ident)
    replace(threading, "local", green.local)
    _patch_current_thread()
    _hide_helpers()
    _patch_join()
    _wait_for_threads_at_exit()
    patch_condition()
    make_semaphore_fair()
    for cls in (threading.Semaphore, threading.Event, threading.Barrier):
        guard_by_brief_lock(cls, operator.attrgetter("_cond._lock"))
    when_imported("concurrent.futures._base", _guard_futures)


def _guard_futures(base: ModuleType) -> None:
    """Tasks look at those of native threads, as `asyncio.to_thread` has it."""
    guard_by_brief_lock(base.Future, operator.attrgetter("_condition._lock"))


def _patch_current_thread() -> None:
    native = threading.current_thread
    slot_thread = green.slot_thread

    @functools.wraps(native)
    def current_thread() -> threading.Thread:
        return slot_thread(_SlotThread) or native()

    replace(threading, "current_thread", current_thread)


def _hide_helpers() -> None:
    """Who looks whether others run in this process is told of none of ours."""
    native = threading.enumerate

    @functools.wraps(native)
    def enumerate() -> list[threading.Thread]:
        return [each for each in native() if not isinstance(each, HelperThread)]

    @functools.wraps(threading.active_count)
    def active_count() -> int:
        return len(enumerate())

    replace(threading, "enumerate", enumerate)
    replace(threading, "active_count", active_count)


def _patch_join() -> None:
    """A greenlet that joins a native thread parks until the thread says that it ends."""
    bootstrap = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]
    native_join = threading.Thread.join
    is_alive = threading.Thread.is_alive
    start = threading.Thread.start

    def patched_start(self: Any) -> None:
        if self._initialized and not self._started.is_set():
            self._celadon_ended = green.Event()
        # It waits until the thread runs. A kill that came then would leave a thread which
        # nobody knows of, or a place in a pool that nobody has.
        try:
            green.enter_shield(None)  # the system lets it run, or fails
            start(self)
        finally:
            green.leave_shield()

    def patched_bootstrap(self: Any) -> None:
        try:
            bootstrap(self)
        finally:
            # One whose start was withdrawn, or wrapped before the patch, has none.
            ended = getattr(self, "_celadon_ended", None)
            if ended is not None:
                ended.set()
            _tell_of_unfinished(self)

    def join(self: Any, timeout: float | None = None) -> None:
        ended = getattr(self, "_celadon_ended", None)
        if (
            not self._started.is_set()
            or not green.can_park()
            or self is threading.current_thread()
            or isinstance(self, threading._DummyThread)
        ):
            native_join(self, timeout)
            return
        end = None if timeout is None else time.monotonic() + max(timeout, 0)
        # In a forked child the threads of the parent have ended without a word.
        if not is_alive(self) or ended is None or ended.wait(_until(end)):
            await_end(self, end)

    def await_end(self: Any, end: float | None) -> None:
        """What is left is the interpreter's own: microseconds, but for what a finalizer
        of the thread's locals does, which may wait for a greenlet. Nothing tells of that,
        nor of the end of a thread that began before the patch, such as the main one.
        """
        if hasattr(self, "_celadon_ended"):
            native_join(self, min(_USUAL_END, _until(end) or _USUAL_END))
        pause = _USUAL_END
        while is_alive(self):
            left = _until(end)
            if left == 0:
                return
            green.sleep(pause if left is None else min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)
        native_join(self, 0)

    replace(threading.Thread, "start", functools.wraps(start)(patched_start))
    replace(threading.Thread, "_bootstrap_inner", patched_bootstrap)
    replace(threading.Thread, "join", functools.wraps(native_join)(join))


def _tell_of_unfinished(thread: threading.Thread) -> None:
    run_thread_ends()
    count = green.unfinished()
    if not count:
        return
    # It is known once more while it logs, which would make another object for it else.
    active = threading._active  # type: ignore[attr-defined]
    active[thread.ident] = thread
    try:
        logger.warning(
            "thread %s has ended, and with it %d greenlets that it had spawned: they never "
            "end, join them there",
            thread.name,
            count,
        )
    except Exception:  # of the application's logging: there is nobody to raise it to
        pass
    finally:
        active.pop(thread.ident, None)


def _wait_for_threads_at_exit() -> None:
    """Those that the interpreter waits for, in C, may wait for greenlets. After what others
    have asked for then: that may be what ends a thread.
    """

    # Not what a class has in its place: that may tell the thread to end, or wait for nothing.
    join = threading.Thread.join

    def wait() -> None:
        while left := [each for each in threading.enumerate() if _holds_exit(each)]:
            for thread in left:
                join(thread)

    if hasattr(threading, "_threading_atexits"):
        threading._threading_atexits.insert(0, wait)


def _holds_exit(thread: threading.Thread) -> bool:
    return not thread.daemon and thread is not threading.main_thread()


def _until(end: float | None) -> float | None:
    return None if end is None else max(end - time.monotonic(), 0)


def _swap_live_locks() -> None:
    """Locks made before the patch, from a fixed list (green.md 3.5)."""
    replace(threading, "_active_limbo_lock", green.RLock())
    for name in ("_shutdown_locks_lock",):
        if hasattr(threading, name):
            replace(threading, name, green.Lock())
    replace(logging, "_lock", green.RLock())
    for handler in [ref() for ref in logging._handlerList]:  # type: ignore[attr-defined]
        if handler is not None and handler.lock is not None:
            handler.lock = green.RLock()
    if logging.lastResort is not None:
        logging.lastResort.lock = green.RLock()  # type: ignore[assignment]
    if original("threading", "RLock") is not None:
        functools.RLock = green.RLock  # type: ignore[attr-defined]
    _swap_if_imported()


def _swap_if_imported() -> None:
    import sys

    tempfile = sys.modules.get("tempfile")
    if tempfile is not None:
        replace(tempfile, "_allocate_lock", green.Lock)
        tempfile._once_lock = green.Lock()  # type: ignore[attr-defined]
    futures = sys.modules.get("concurrent.futures.thread")
    if futures is not None:
        futures._global_shutdown_lock = green.Lock()  # type: ignore[attr-defined]
