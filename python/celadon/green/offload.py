"""Native threads that run calls which block, while the greenlet that wants them waits."""

from __future__ import annotations

import contextvars
import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

from celadon._core import green as _green
from celadon._core.metrics import Series
from celadon.green.helpers import HelperThread

T = TypeVar("T")


def pauses(first: float = 0.05, longest: float = 1.0) -> Iterator[float]:
    """Seconds between attempts at what has no answer of its own: each twice the last."""
    pause = first
    while True:
        yield pause
        pause = min(2 * pause, longest)


class _Call:
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


class _Gil:
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


_gil = _Gil()


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
        self._gil = _gil if is_hasty else None
        self.threads = threads
        self.name = name
        self._measures: _Measures | None = None
        self._begin()
        _pools.add(self)

    def _begin(self) -> None:
        """Without threads, as in the child of a fork."""
        self._calls: deque[_Call] = deque()
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
        call = _Call(lambda: fn(*args, **kwargs))
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
        call = _Call(fn)
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

        call = _Call(owned, "database")
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
        self._submit(_Call(fn))

    def _submit(self, call: _Call) -> None:
        if self._measures is None:
            self._measures = _Measures(self.name)
        self._calls.append(call)
        self._measures.note(self)
        if self._idle < len(self._calls) and self._started < self.threads:
            self._start_thread(call)
        self._wanted.release()

    def _start_thread(self, call: _Call) -> None:
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
    _gil.forget()
    for pool in [*_pools]:
        pool._begin()


_LONGEST_END = 60.0  # seconds

_pools: weakref.WeakSet[NativePool] = weakref.WeakSet()
os.register_at_fork(after_in_child=forget_threads)

_pool = NativePool(8, "celadon-offload")


def offload(fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Runs ``fn(*args, **kwargs)`` on a native thread and waits for its result.

    For calls that block in C and cannot be made cooperative. Eight threads, or as many
    as the setting ``offload_threads`` says. The context is copied. A kill or a timeout
    gives up the wait, not the call.
    """
    return _pool.run(fn, *args, **kwargs)


def run_offloaded(
    call: Callable[[], T], always: Callable[[], Any], abandoned: Callable[[], Any]
) -> T:
    """As `offload`; ``always()`` is called when the call has ended, in any case.

    A caller that is killed leaves at once; ``abandoned()`` is then called before that, on
    a native thread.
    """
    return _pool.run_owned(call, always, abandoned)


def set_threads(threads: int) -> None:
    """How many threads `offload` may use; those that run already stay."""
    if threads < 1:
        raise ValueError("offload needs at least one thread")
    _pool.threads = threads


def native_thread(
    target: Callable[..., Any],
    *args: Any,
    name: str | None = None,
    daemon: bool = True,
    **kwargs: Any,
) -> threading.Thread:
    """Starts ``target(*args, **kwargs)`` in a native thread of its own."""
    thread = threading.Thread(
        target=target, args=args, kwargs=kwargs, name=name, daemon=daemon
    )
    thread.start()
    return thread
