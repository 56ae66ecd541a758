"""Time limits in tasks of asyncio, whose steps run on one greenlet now and on another one
after their next await."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from celadon._core import green as _green
from celadon.green.spawn import spawn_later

# CO_COROUTINE, CO_ITERABLE_COROUTINE and CO_ASYNC_GENERATOR of `inspect`, which takes its
# time to import.
_ASYNCHRONOUS = 0x80 | 0x100 | 0x200
_AGAIN = 0.01  # seconds, until a task that blocks is looked at once more


def running_task() -> Any:
    """The task of asyncio whose step runs here; None where none does."""
    events, tasks = map(sys.modules.get, ("asyncio.events", "asyncio.tasks"))
    if events is None or tasks is None:
        return None
    loop = events._get_running_loop()
    return None if loop is None else tasks.current_task(loop)


def is_coroutine(frame: FrameType) -> bool:
    """Whether what runs there may await."""
    return frame.f_code.co_flags & _ASYNCHRONOUS != 0


class TaskAlarm:
    """What `celadon._core.green.Alarm` is for a greenlet, for a task that runs here.

    A call that blocks is interrupted, whichever greenlet it parked; an await is, by a
    cancellation of the task, in whose place the block that ends raises `exception`
    (`replaces`).
    """

    def __init__(self, seconds: float, exception: Any, task: Any) -> None:
        self.fired = False
        self._task = task
        self._exception = exception
        self._asked_before: int = task.cancelling()
        self._ended_calls_before = getattr(task, "_ends_calls", None)
        self._is_over = False
        self._cancels = False
        self._interrupt: _green.Alarm | None = None
        self._timer = spawn_later(max(seconds, 0), self._fire)

    @property
    def pending(self) -> bool:
        return not self._is_over and not self.fired

    def cancel(self) -> None:
        """Never any more; what was not delivered is taken back."""
        self._is_over = True
        self._exception = None  # which may know this
        self._timer.kill(block=False)
        if self._interrupt is not None:
            self._interrupt.cancel()

    def replaces(self, error: BaseException | None) -> bool:
        """It is over; whether it ended its block by `error`, a cancellation of its own."""
        self.cancel()
        if not self._cancels:
            return False
        self._cancels = False
        if self._ended_calls_before is not None:
            self._task._ends_calls = self._ended_calls_before
        is_ours = self._task.uncancel() <= self._asked_before
        return is_ours and isinstance(error, sys.modules["asyncio"].CancelledError)

    def _fire(self) -> None:
        self.fired = True
        self._interrupt = _green.Alarm.at_call(self._task, self._exception)
        self._task.get_loop().call_soon_threadsafe(self._end_block)

    def _end_block(self) -> None:
        """In its loop: the block goes on still."""
        if self._is_over or self._task.done():
            return
        if getattr(self._task.get_coro(), "cr_running", False):
            # In a call behind which a cancellation would come, or in none just now.
            if self._interrupt is None:
                self._interrupt = _green.Alarm.at_call(self._task, self._exception)
            self._task.get_loop().call_later(_AGAIN, self._end_block)
        elif self._interrupt is None or self._interrupt.cancel():
            self._cancels = True
            if self._ended_calls_before is None:
                self._task.cancel()
            else:  # of `celadon.aio`: calls end that hold others which it cancels in turn
                self._task._cancel(None, True)
