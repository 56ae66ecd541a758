"""Pools of native threads."""

from __future__ import annotations

import os
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from celadon._core import green as _green
from celadon._core.metrics import Series
from celadon.green.helpers import HelperThread
from celadon.green.native_calls import Call, gil, pauses

T = TypeVar("T")


class _Measures:
    """How a pool of threads stands, in ``/metrics``."""

    _BOUNDS = "0.001,0.0025,0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10"

    def __init__(self, name: str) -> None:
        def series(kind: str, names: tuple[str, ...], *values: str) -> Series:
            family, text = {
                "gauge": ("celadon_offload_tasks", "Calls for native threads."),
                "histogram": (
                    "celadon_offload_wait_seconds",
                    "Time until a native thread took a call.",
                ),
            }[kind]
            bounds = self._BOUNDS if kind == "histogram" else ""
            cells = len(bounds.split(",")) + 2 if bounds else 1
            merge = "sum" if bounds else "livesum"
            return Series(family, kind, text, bounds, merge, cells, names, values)

        self._queued = series("gauge", ("pool", "state"), name, "queued")
        self._running = series("gauge", ("pool", "state"), name, "running")
        self.waited = series("histogram", ("pool",), name)

    def note(self, pool: NativePool) -> None:
        self._queued.set(0, pool.waiting)
        self._running.set(0, pool.running)


class NativePool:
    """At most `threads` native threads; they start when they are needed.

    Waiting calls are taken in their order. With `is_hasty` the loop hurries while one runs:
    not for calls that mostly wait, for as long as it may be.
    """

    def __init__(self, threads: int, name: str, is_hasty: bool = True) -> None:
        self._gil = gil if is_hasty else None
        self.threads = threads
        self.name = name
        self._measures: _Measures | None = None
        self._begin()
        _pools.add(self)

    def _begin(self) -> None:
        """Without threads, as in the child of a fork."""
        self._calls: deque[Call] = deque()
        self._wanted = _green.Semaphore(0)
        self._started = 0
        self._idle = 0
        self._running = 0

    @property
    def waiting(self) -> int:
        """Calls that no thread has taken yet."""
        return len(self._calls)

    @property
    def running(self) -> int:
        """Calls that run now, those whose caller gave up included."""
        return self._running

    def run(self, fn: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """``fn(*args, **kwargs)`` on a native thread, in a copy of the context.

        A greenlet that is killed meanwhile gives up the wait, not the call. Where nothing
        can be suspended, such as in a native thread, the call happens in place.
        """
        if not _green.can_park():
            return fn(*args, **kwargs)
        call = Call(lambda: fn(*args, **kwargs))
        self._submit(call)
        call.done.wait()
        return call.result()  # type: ignore[no-any-return]

    def run_to_end(self, fn: Callable[[], T], cancel: Callable[[], Any]) -> T:
        """As `run`; a greenlet that is killed meanwhile calls ``cancel()`` and stays.

        For calls on objects that nobody may touch before the call has ended. ``cancel()``
        may wait: until then, too, it stays. It may also come before there is anything to
        cancel: it is called until the call has ended.
        """
        if not _green.can_park():
            return fn()
        call = Call(fn)
        self._submit(call)
        try:
            call.done.wait()
        except BaseException:
            try:
                _green.enter_shield(_LONGEST_END)
                for pause in pauses():
                    with suppress(Exception):  # the call may have ended by then
                        cancel()
                    if call.done.wait(pause):
                        break
            finally:
                _green.leave_shield()
            raise
        return call.result()  # type: ignore[no-any-return]

    def run_owned(
        self,
        fn: Callable[[], T],
        always: Callable[[], Any],
        abandoned: Callable[[], Any],
    ) -> T:
        """As `run`, for a call that holds something until it has ended.

        ``always()`` is called when it has; ``abandoned()`` before that, if the caller was
        killed before it had the result. Then both are called on a native thread.
        """
        ends = [1]  # of two, the call's and the wait's: who comes last gives back

        def is_last() -> bool:
            try:
                ends.pop()  # one step, whoever has the interpreter
            except IndexError:
                return True
            return False

        def give_up() -> None:
            try:
                abandoned()
            finally:
                always()

        def owned() -> T:
            try:
                return fn()
            finally:
                if is_last():
                    give_up()

        call = Call(owned, "database")
        try:
            self._submit(call)
        except RuntimeError:  # no thread can be started
            always()
            raise
        try:
            call.done.wait()
        except BaseException:
            if is_last():
                self.start(give_up)
            raise
        always()
        return call.result()  # type: ignore[no-any-return]

    def start(self, fn: Callable[[], Any]) -> None:
        """Runs ``fn()`` on a native thread and waits for nothing; its errors are lost."""
        self._submit(Call(fn))

    def _submit(self, call: Call) -> None:
        if self._measures is None:
            self._measures = _Measures(self.name)
        self._calls.append(call)
        self._measures.note(self)
        if self._idle < len(self._calls) and self._started < self.threads:
            self._start_thread(call)
        self._wanted.release()

    def _start_thread(self, call: Call) -> None:
        """Where there is no room for one more, those that there are do `call` too."""
        self._started += 1
        thread = HelperThread(self._work, f"{self.name}-{self._started}")
        try:
            thread.start()
        except RuntimeError:
            self._started -= 1
            if self._started == 0:
                self._calls.remove(call)
                raise

    def _work(self) -> None:
        while True:
            self._idle += 1
            self._wanted.acquire()
            self._idle -= 1
            self._running += 1
            if self._gil is not None:
                self._gil.begin()
            call = self._calls.popleft()
            if self._measures is not None:
                self._measures.waited.observe(time.monotonic() - call.made_at)
                self._measures.note(self)
            call.run()
            del call
            if self._gil is not None:
                self._gil.end()
            self._running -= 1
            if self._measures is not None:
                self._measures.note(self)


def forget_threads() -> None:
    """Of all pools, where they have ended: those that are needed start anew."""
    gil.forget()
    for pool in [*_pools]:
        pool._begin()


_LONGEST_END = 60.0  # seconds

_pools: weakref.WeakSet[NativePool] = weakref.WeakSet()

os.register_at_fork(after_in_child=forget_threads)
