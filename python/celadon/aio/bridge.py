"""From greenlets to tasks, and from tasks to greenlets."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from greenlet import GreenletExit

from celadon._core import green as _green
from celadon.aio.loop import EventLoop
from celadon.aio.tasks import end
from celadon.aio.thread_loop import loop_of_thread
from celadon.green.spawn import Greenlet

T = TypeVar("T")
P = ParamSpec("P")


def run(main: Coroutine[Any, Any, T], *, debug: bool | None = None) -> T:
    """As `asyncio.run`, on an `EventLoop`: other greenlets run meanwhile.

    In a greenlet it suspends that greenlet alone. Raises `RuntimeError` where a loop runs
    already. What the main script runs is the loop that `wait` uses in its thread.
    """
    with asyncio.Runner(debug=debug, loop_factory=EventLoop) as runner:
        return runner.run(main)


class _Wait:
    """One greenlet that waits for one awaitable."""

    __slots__ = ("_awaitable", "_done", "_error", "_future", "_handle", "_loop")

    def __init__(self, awaitable: Awaitable[Any], loop: EventLoop) -> None:
        self._awaitable: Any = awaitable  # until it begins
        self._loop = loop
        self._done = _green.Event()
        self._future: asyncio.Future[Any] | None = None
        self._error: BaseException | None = None
        # In the loop, where what is awaited finds it running, and in our context.
        context = contextvars.copy_context()
        self._handle: asyncio.Handle | None = loop.call_soon(
            self._begin, context=context
        )

    def _begin(self) -> None:
        self._handle = None  # it knows us
        awaitable, self._awaitable = self._awaitable, None
        try:
            self._future = asyncio.ensure_future(awaitable, loop=self._loop)
        except BaseException as error:
            self._error = error
            self._done.set()
        else:
            self._future.add_done_callback(lambda _: self._done.set())

    def result(self) -> Any:
        self._loop.waits.add(self)
        try:
            self._wait()
        finally:
            self._loop.waits.discard(self)
        # What is raised knows this frame, and with it us.
        error, self._error = self._error, None
        future, self._future = self._future, None
        try:
            if error is not None:
                raise error
            assert future is not None
            return future.result()
        finally:
            del error, future

    def _wait(self) -> None:
        try:
            self._done.wait()
        except BaseException:
            if self._future is None:
                self._forget()
            else:
                end(self._future)
            self._done.wait()
            if self._future is not None and not self._future.cancelled():
                self._future.exception()  # its loop need not tell of it
            raise

    def has(self, error: BaseException) -> bool:
        """Whether that is what it is about to raise."""
        future = self._future
        is_done = future is not None and future.done() and not future.cancelled()
        return is_done and future.exception() is error  # type: ignore[union-attr]

    def lose_loop(self) -> None:
        """The loop is closed: what it has not ended never ends."""
        self._error = RuntimeError("the loop was closed before the awaitable was done")
        self._forget()

    def _forget(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if self._future is None:
            _drop(self._awaitable)
        self._done.set()


def _drop(awaitable: Awaitable[Any]) -> None:
    """What never begins is no oversight."""
    if inspect.iscoroutine(awaitable):
        awaitable.close()


def wait(awaitable: Awaitable[T]) -> T:
    """The result of `awaitable`; suspends the greenlet until it is done.

    It runs on the loop of this thread: the one that the thread's main script runs, if that
    is an `EventLoop`, or that an ASGI application is served on, else one that is kept for
    the thread. A future or task runs on the
    loop that it belongs to. The context is copied, as for a task.

    A kill or `celadon.Timeout` cancels it, waits until it has ended, and is raised; a
    second one does not wait. Raises what the awaitable raises, `asyncio.CancelledError` if
    it was cancelled, and `RuntimeError` for a future whose loop does not run in this thread.
    """
    if not inspect.isawaitable(awaitable):
        raise TypeError("An asyncio.Future, a coroutine or an awaitable is required")
    if asyncio.isfuture(awaitable):
        if awaitable.done():
            return awaitable.result()  # type: ignore[no-any-return]
        loop = awaitable.get_loop()
        if not isinstance(loop, EventLoop) or not loop.runs_here():
            raise RuntimeError("the loop of this future does not run in this thread")
    else:
        try:
            loop = loop_of_thread()
        except BaseException:  # killed while that was started
            _drop(awaitable)
            raise
    if not _green.can_park():
        raise RuntimeError("nothing can be suspended here")
    waiting = _Wait(awaitable, loop)
    del awaitable  # it may know what it raises, which knows this frame
    return waiting.result()  # type: ignore[no-any-return]


class _Call(Greenlet):
    """A greenlet that a task waits for."""

    def __init__(
        self, loop: EventLoop, fn: Callable[..., Any], args: Any, kwargs: Any
    ) -> None:
        super().__init__(fn, *args, **kwargs)
        self._loop = loop
        self._ended: asyncio.Future[None] | None = None
        self._waited = True

    def _finish(self) -> None:
        super()._finish()
        if self._ended is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_settle, self._ended)

    async def wait(self) -> None:
        while not self.dead:
            self._ended = self._loop.create_future()
            if not self.dead:  # others may have run while that was made
                await self._ended


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def green(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs ``fn(*args, **kwargs)`` on a greenlet of this thread, and gives its result.

    For synchronous code that waits, as `asyncio.to_thread` is for code that holds a thread.
    The context is copied. Raises what `fn` raises. A cancellation kills the greenlet, and
    is raised once that has ended. Raises `RuntimeError` where another kind of loop runs.
    """
    loop = asyncio.get_running_loop()
    if not isinstance(loop, EventLoop):
        raise RuntimeError("celadon.aio.green() needs a running celadon.aio.EventLoop")
    call = _Call(loop, fn, args, kwargs)
    call._start()
    try:
        await call.wait()
    except asyncio.CancelledError:
        await _end(call)
        raise
    if isinstance(call.value, GreenletExit):
        raise call.value
    return call.get(block=False)  # type: ignore[no-any-return]


async def _end(call: _Call) -> None:
    """Kills it, again for every cancellation that comes meanwhile."""
    call._waited = False  # an error of its end goes to the log
    while not call.dead:
        call.kill(block=False)
        try:
            await call.wait()
        except asyncio.CancelledError:
            continue
