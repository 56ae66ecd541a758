"""An event loop of asyncio that waits as a greenlet does.

Transports, protocols, sockets, signals and child processes are asyncio's own. What is
ours is who waits and who is woken: whatever greenlet drives the loop rests in the hub of
its thread (`celadon._core.aio.LoopWait`), beside all other greenlets, and each of them may
call the loop's methods, as its own thread could.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
import sys
import threading
from _thread import get_native_id
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple

from celadon._core import aio as _aio
from celadon._core import green as _green
from celadon.aio import children, state
from celadon.aio.handles import HandleLoop

children.install()

_Args = TypeVarTuple("_Args")
_LONGEST_REST = 24 * 3600.0  # seconds
# A heap in which more than half of more than so many timers are cancelled is made anew.
_MANY_TIMERS = 100


class EventLoop(HandleLoop):
    """An asyncio event loop that runs side by side with greenlets, in the same thread.

    While it has nothing to do, greenlets and requests run, and it may run in any of them:
    `run_forever` and `run_until_complete` suspend the greenlet that calls them. All of
    asyncio's interface is there (Python's documentation of "Event Loop Methods").

    A callback that waits itself, as synchronous code in an ``async def`` does under
    `celadon.patch`, suspends only itself: another greenlet runs the other callbacks of
    this loop meanwhile. So what comes between two lines of a coroutine without ``await``
    is nothing, unless one of the two waits. With ``hands_over=False`` the loop stands
    still meanwhile, as asyncio's own does, and other greenlets run.
    """

    # asyncio's own, which its stubs do not tell of.
    _scheduled: list[asyncio.TimerHandle]
    _clock_resolution: float
    _timer_cancelled_count: int
    _current_handle: asyncio.Handle | None
    _stopping: bool
    _closed: bool
    _thread_id: int | None
    _native_id = 0  # of the thread that it runs in, or has run in last

    def __init__(self, *, hands_over: bool = True) -> None:
        super().__init__(selectors.EpollSelector())
        self._rest = _aio.LoopWait(self._selector.fileno(), hands_over)
        self._rests = False  # or is about to: who has something for it wakes it
        self._rests_natively = False
        self._must_look = False
        self._reign = 0  # goes up whenever another greenlet drives
        self._raised: BaseException | None = None  # in a helper, for who runs the loop
        self._is_forked = False
        self._life: asyncio.Future[None] | None = None
        self.waits: set[state.Waiting] = set()

    def _wake(self) -> None:
        if self._rests_natively:
            super()._write_to_self()  # type: ignore[misc]
        else:
            self._rest.wake()

    def _write_to_self(self) -> None:
        """What `call_soon_threadsafe` and handlers of signals call."""
        if self._rests:
            self._wake()

    def call_soon(
        self,
        callback: Callable[[*_Args], object],
        *args: *_Args,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Calls ``callback(*args)`` at the next turn. From any greenlet of its thread."""
        if self._debug or self._closed:
            handle = super().call_soon(callback, *args, context=context)
            state.forget_caller(handle)
            return handle
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        if self._rests:
            self._wake()
        return handle

    def _call_soon(
        self, callback: Callable[..., object], args: Any, context: Context | None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        state.forget_caller(handle)
        self._ready.append(handle)
        if self._rests:
            self._wake()
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Args], object],
        *args: *_Args,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Calls ``callback(*args)`` when `time` gives `when`, in seconds. Likewise."""
        timer = super().call_at(when, callback, *args, context=context)
        state.forget_caller(timer)
        if self._rests:
            self._wake()
        return timer

    def stop(self) -> None:
        """Ends `run_forever` after the turn that runs. From any greenlet of its thread."""
        super().stop()
        if self._rests:
            self._wake()

    def _check_thread(self) -> None:
        # Greenlets of its thread may call it, which have identities of their own.
        if self.is_running() and not self.runs_here():
            what = "Non-thread-safe operation invoked on an event loop other than the "
            raise RuntimeError(what + "current one")

    def run_forever(self) -> None:
        """Suspends the greenlet until `stop` is called. `RuntimeError`: it runs, or another
        loop does in this greenlet."""
        self._check_closed()  # type: ignore[attr-defined]
        self._check_running()  # type: ignore[attr-defined]
        _green.start_hub()
        self._thread_id = threading.get_ident()
        self._native_id = get_native_id()
        self._set_coroutine_origin_tracking(self._debug)  # type: ignore[attr-defined]
        is_the_threads = _green.current_slot() == 0  # what its main script runs
        before = _aio.kept_loop()
        if is_the_threads:
            _aio.keep_loop(self)
        try:
            self._drive(is_helper=False)
        finally:
            if is_the_threads:
                _aio.keep_loop(before)
            self._stopping = False
            self._thread_id = None
            self._set_coroutine_origin_tracking(False)  # type: ignore[attr-defined]

    def runs_here(self) -> bool:
        """Whether it runs in this native thread, in whichever greenlet."""
        return self.is_running() and self._native_id == get_native_id()

    def _help(self) -> None:
        """Drives while who runs the loop waits in one of its callbacks.

        What ends a script is raised there, once it is back from what may need the loop.
        """
        while not (self._rest.driven or self._thread_id is None or self._stopping):
            try:
                self._drive(is_helper=True)
            except BaseException as error:
                self._raised = error
                self._write_to_self()
                if not isinstance(error, KeyboardInterrupt | SystemExit):
                    return

    def _drive(self, is_helper: bool) -> None:
        """Runs what is to be run until the loop is stopped.

        A helper leaves before that, once who runs the loop is back.
        """
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(
            firstiter=self._asyncgen_firstiter_hook,  # type: ignore[attr-defined]
            finalizer=self._asyncgen_finalizer_hook,  # type: ignore[attr-defined]
        )
        state.set_running_loop(self)
        try:
            reign = self._begin_reign()
            if not is_helper:
                self._left = 0
            # As asyncio's, a run that is stopped at once has looked at descriptors once.
            self._must_look = True
            while True:
                self._turn(reign)
                if self._raised is not None and not is_helper:
                    state.raise_from_helper(self)
                if self._stopping or (is_helper and self._reign != reign):
                    break
                if self._reign != reign:
                    reign = self._begin_reign()
        except BaseException as error:
            if self._is_forked:
                _green.end_child(error)
            raise
        finally:
            if not is_helper:
                self._begin_reign()  # a helper, if there is one, leaves
            self._rest.release()
            state.set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)

    def _on_fork(self) -> None:
        """Of a child: what runs here is the last callback that does."""
        self._is_forked = True
        self._reign += 1

    def _begin_reign(self) -> int:
        """What runs here drives from now on, and others no longer."""
        self._reign += 1
        self._rests = False
        self._hold()
        self._rest.seize()
        return self._reign

    def _turn(self, reign: int) -> None:
        """Waits until there is something to run, and runs it once."""
        if self._left or self._look_around(reign):
            self._run_ready(reign)

    def _look_around(self, reign: int) -> bool:
        """False: another one drives by now."""
        if self._scheduled:
            self._forget_cancelled()
        found = self._rest_until_due(reign)
        if self._reign != reign:
            return False
        if found:
            self._process_events(found)
        if self._scheduled:
            end = self.time() + self._clock_resolution
            self._ready.extend(state.take_due(self._scheduled, end))
        self._left = len(self._ready)
        return True

    def _rest_until_due(self, reign: int) -> list[tuple[selectors.SelectorKey, int]]:
        self._rests = True  # before it looks whether there is something
        try:
            left = 0 if self._ready else self._time_left()
            found = self._rest.rest(left)
            if found is None:
                self._rests_natively = True
                # What another thread has sent before that woke nobody.
                return self._selector.select(0 if self._ready else left)
            if not found and not self._must_look:
                return []
            self._must_look = False
            return self._selector.select(0)
        finally:
            self._rests_natively = False
            if self._reign == reign:
                self._rests = False

    def _time_left(self) -> float | None:
        """Seconds until something is due; None: nobody knows."""
        if self._stopping:
            return 0
        if not self._scheduled:
            return None
        left = self._scheduled[0].when() - self.time()
        return min(max(0, left), _LONGEST_REST)

    def _forget_cancelled(self) -> None:
        timers = self._scheduled
        if self._timer_cancelled_count > max(_MANY_TIMERS, len(timers)) / 2:
            self._scheduled = state.without_cancelled(timers)
            self._timer_cancelled_count = 0
        while self._scheduled and self._scheduled[0].cancelled():
            self._timer_cancelled_count -= 1
            heapq.heappop(self._scheduled)._scheduled = False  # type: ignore[attr-defined]

    def close(self) -> None:
        """Frees what it holds. `RuntimeError`: it runs."""
        if not self.is_running():
            self._rest.close()
        super().close()
        while self.waits:
            self.waits.pop().lose_loop()
