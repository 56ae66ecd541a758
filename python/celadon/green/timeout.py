"""Time limits on what runs here."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from celadon._core import green as _green
from celadon.green.task_alarm import TaskAlarm, is_coroutine, running_task

_SHIELD_BOUND = 5.0


def _alarm(seconds: float, exception: Any) -> _green.Alarm | TaskAlarm:
    """For the block that begins here."""
    task = running_task()
    if task is None:
        return _green.Alarm(seconds, exception)
    return TaskAlarm(seconds, exception, task)


class Timeout(BaseException):
    """Raises itself, or `exception`, in this greenlet once `seconds` have passed.

    A context manager, or `start` and `cancel`. With ``exception=False`` it ends its block
    without an exception. Delivered at wait points only; leaving the block takes back what
    was not delivered yet. In a coroutine its block is the task's, and an await is a wait
    point; there `start` raises `RuntimeError`.
    """

    def __init__(self, seconds: float | None = None, exception: Any = None) -> None:
        super().__init__()
        self.seconds = seconds
        self.exception = exception
        self._alarm: _green.Alarm | TaskAlarm | None = None

    def start(self) -> None:
        """Begins to count; does nothing for ``seconds=None``."""
        if self.pending:
            raise AssertionError(f"{self!r} is already started")
        if running_task() is not None and is_coroutine(sys._getframe(1)):
            raise RuntimeError(
                "start() of a Timeout ends no await: in a coroutine it is for a `with` "
                "block, or asyncio.timeout() is"
            )
        if self.seconds is not None:
            self._alarm = _green.Alarm(self.seconds, self._raised())

    def _raised(self) -> Any:
        own = self.exception is None or self.exception is False
        return self if own else self.exception

    def cancel(self) -> None:
        """Never raises any more."""
        if self._alarm is not None:
            self._alarm.cancel()

    close = cancel

    @property
    def pending(self) -> bool:
        """Whether it is counting."""
        return self._alarm is not None and self._alarm.pending

    @property
    def expired(self) -> bool:
        """Whether the time has passed."""
        return self._alarm is not None and self._alarm.fired

    def __enter__(self) -> Timeout:
        if not self.pending and self.seconds is not None:
            self._alarm = _alarm(self.seconds, self._raised())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if isinstance(self._alarm, TaskAlarm) and self._alarm.replaces(error):
            if self.exception is not False:
                raise self._raised() from error
            return True
        self.cancel()
        return error is self and self.exception is False

    def __str__(self) -> str:
        return "" if self.seconds is None else f"{self.seconds:g} seconds"


class deadline:
    """Raises `celadon.RequestTimeout` in this block after `seconds`.

    Nested deadlines take the earliest.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._alarm: _green.Alarm | TaskAlarm | None = None

    def __enter__(self) -> deadline:
        self._alarm = _alarm(self.seconds, _green.RequestTimeout)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(self._alarm, TaskAlarm) and self._alarm.replaces(error):
            raise _green.RequestTimeout from error
        if self._alarm is not None:
            self._alarm.cancel()


class shield:
    """Holds kills and timeouts back until the block ends, for `seconds` at most."""

    def __init__(self, seconds: float = _SHIELD_BOUND) -> None:
        self.seconds = seconds

    def __enter__(self) -> shield:
        _green.enter_shield(self.seconds)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _green.leave_shield()
        if error is None:
            _green.checkpoint()
