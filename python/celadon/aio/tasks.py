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
    ``await`` behind that call, unless `uncancel` takes it back before.
    """

    _owed = 0  # cancellations that it has not had yet; anyio makes one at every turn
    _message: Any = None  # of the last of them

    def cancel(self, msg: Any | None = None) -> bool:
        """As of `asyncio.Task`."""
        is_suspended = self._fut_waiter is not None  # type: ignore[attr-defined]
        # A Ctrl-C is not lost on a main task that ends behind the call.
        is_ctrl_c = sys._getframe(1).f_code is _ON_SIGINT
        if is_suspended or is_ctrl_c or not _green.follow_held_task(self):
            return super().cancel(msg)
        if self._owed:
            _slow_down(self.get_loop())
        self._owed += 1
        self._message = msg
        return True

    def cancelling(self) -> int:
        """As of `asyncio.Task`."""
        return super().cancelling() + self._owed

    def uncancel(self) -> int:
        """As of `asyncio.Task`."""
        if not self._owed:
            return super().uncancel()
        self._owed -= 1
        return self.cancelling()

    def _go_on(self) -> None:
        """The core calls this when what held it has returned."""
        loop = self.get_loop()
        _speed_up(loop)
        if self._owed and not loop.is_closed():
            loop.call_soon(self._pay)  # which comes once its step is over

    def _pay(self) -> None:
        if not self._owed or _green.follow_held_task(self):
            return
        owed, self._owed = self._owed, 0
        for _ in range(owed):
            super().cancel(self._message)


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
