"""Tasks that are cancelled in the middle of a step.

On asyncio's own loop nobody else runs while a task does. Here one may wait in a call that
blocks, where others run, and cancel it.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple

from celadon._core import green as _green
from celadon.aio import report, state

_Args = TypeVarTuple("_Args")
_ON_SIGINT = asyncio.Runner._on_sigint.__code__  # type: ignore[attr-defined]
_RESPITE = 0.01  # seconds between two attempts to cancel what cannot be by now


class Task(asyncio.Task[Any]):
    """A task of an `EventLoop`.

    A call that blocks is not disturbed by a cancellation: the task has it at its first
    ``await`` behind that call, unless `uncancel` takes it back before. But the call ends
    where a request does it that is to end, or a task that was cancelled with one.
    """

    _owed = 0  # cancellations that it has not had yet; anyio makes one at every turn
    _had = 0  # that came to it in a call
    _message: Any = None  # of the last of them
    _sent: _green.Alarm | None = None  # one that is on its way to a call
    _ends_calls = False  # of those that it cancels

    def cancel(self, msg: Any | None = None) -> bool:
        """As of `asyncio.Task`."""
        # A Ctrl-C is not lost on a main task that ends behind the call.
        if sys._getframe(1).f_code is _ON_SIGINT:
            return super().cancel(msg)
        return self._cancel(msg, _is_end())

    def _cancel(self, msg: Any | None, ends_call: bool) -> bool:
        self._ends_calls = self._ends_calls or ends_call
        is_suspended = self._fut_waiter is not None  # type: ignore[attr-defined]
        if is_suspended or not _green.follow_held_task(self):
            return super().cancel(msg)
        if self._owed:
            _slow_down(self.get_loop())
        self._owed += 1
        self._message = msg
        if ends_call and self._sent is None:
            self._sent = _green.Alarm.at_call(self, _cancellation(msg))
        return True

    def cancelling(self) -> int:
        """As of `asyncio.Task`."""
        return super().cancelling() + self._owed + self._had

    def uncancel(self) -> int:
        """As of `asyncio.Task`."""
        if self._owed:
            self._owed -= 1
        elif self._had:
            self._had -= 1
        else:
            super().uncancel()
        return self.cancelling()

    def _go_on(self) -> None:
        """The core calls this when what held it has returned."""
        loop = self.get_loop()
        _speed_up(loop)
        if (self._owed or self._sent) and not loop.is_closed():
            loop.call_soon(self._pay)  # which comes once its step is over

    def _pay(self) -> None:
        if _green.follow_held_task(self):
            return
        owed, self._owed = self._owed, 0
        sent, self._sent = self._sent, None
        if sent is not None and not sent.cancel():
            self._had += owed
            return
        for _ in range(owed):
            super().cancel(self._message)


def end(future: asyncio.Future[Any]) -> None:
    """Cancels it; of a task, the call that holds it ends, too."""
    if isinstance(future, Task):
        future._cancel(None, True)
    else:
        future.cancel()


def _is_end() -> bool:
    """What cancels a task here is a request that is to end, or a task that was to."""
    loop = asyncio._get_running_loop()
    by = asyncio.current_task(loop) if loop is not None else None
    return getattr(by, "_ends_calls", False) or _green.work_is_to_end()


def _cancellation(msg: Any | None) -> asyncio.CancelledError:
    return asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg)


def end_calls(loop: asyncio.AbstractEventLoop) -> None:
    """Cancels tasks in the midst of calls that hold them: nothing waits for these any more."""
    for task in asyncio.all_tasks(loop):
        holder = _green.follow_held_task(task)
        if holder:
            _green.interrupt_owner(holder, asyncio.CancelledError())


class TaskLoop(asyncio.SelectorEventLoop):
    """What a loop has to do with its tasks."""

    _task_factory: Any
    task_type = Task

    def __init__(self, selector: selectors.BaseSelector) -> None:
        super().__init__(selector)
        report.loops.add(self)

    def create_task(self, coro: Any, **keywords: Any) -> asyncio.Task[Any]:
        """As of asyncio's loops."""
        if self._task_factory is not None:
            return super().create_task(coro, **keywords)
        self._check_closed()  # type: ignore[attr-defined]
        task = self.task_type(coro, loop=self, **keywords)
        try:
            state.forget_caller(task)
            return task
        finally:
            # What it has raised by now, if it is eager, may know this frame.
            del task

    def _call_soon_or_later(
        self,
        callback: Callable[[*_Args], object],
        *args: *_Args,
        context: Context | None = None,
    ) -> asyncio.Handle:
        # anyio cancels again at every turn until all tasks of a scope have left it.
        if getattr(callback, "__name__", None) == "_deliver_cancellation":
            return self.call_later(_RESPITE, callback, *args, context=context)
        return type(self).call_soon(self, callback, *args, context=context)


def _slow_down(loop: asyncio.AbstractEventLoop) -> None:
    """Somebody cancels again and again what will not end before a call has returned."""
    if isinstance(loop, TaskLoop):
        vars(loop)["call_soon"] = loop._call_soon_or_later


def _speed_up(loop: asyncio.AbstractEventLoop) -> None:
    vars(loop).pop("call_soon", None)
