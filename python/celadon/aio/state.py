"""What asyncio keeps for itself, and the core is to know; who waits for a loop."""

from __future__ import annotations

import asyncio
import heapq
import os
from asyncio import base_events, events, tasks
from collections.abc import Iterator
from typing import Any, NoReturn, Protocol
from weakref import WeakSet

from celadon._core import green as _green


class Waiting(Protocol):
    """A greenlet that waits for something of a loop."""

    def has(self, error: BaseException, /) -> bool:
        """Whether that is what it is about to raise."""

    def lose_loop(self) -> None:
        """The loop is closed before that."""


class Endless(Protocol):
    """A loop that runs as long as its thread."""

    _life: asyncio.Future[None] | None

    def _on_fork(self) -> None:
        """This is a child's, which is to end with the callback that it was forked in."""

    def create_future(self) -> asyncio.Future[Any]:
        """As of asyncio's loops."""


_endless: WeakSet[Endless] = WeakSet()


def note_endless(loop: Endless) -> None:
    """Nobody waits for its end: in a forked child it would never come."""
    _endless.add(loop)


def life_of(loop: Any) -> asyncio.Future[None] | None:
    """What is done at the end of a loop that no task of its own ends; None of another."""
    if loop not in _endless:
        return None
    if loop._life is None:
        loop._life = loop.create_future()
    return loop._life  # type: ignore[no-any-return]


def end_life(loop: Any) -> None:
    """It is about to be closed, once what that calls has run."""
    if loop._life is not None and not loop._life.done():
        loop._life.set_result(None)


def _note_fork() -> None:
    for loop in _endless:
        loop._on_fork()


os.register_at_fork(after_in_child=_note_fork)


def end_child(handle: asyncio.Handle) -> NoReturn:
    """Ends a forked child with the callback that has run, as one ends with its greenlet."""
    task = getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]
    error = None
    if isinstance(task, asyncio.Task) and task.done() and not task.cancelled():
        error = task.exception()
    _green.end_child(error)


def run_watched(loop: Any, handle: asyncio.Handle) -> None:
    """In debug mode: what takes long is told."""
    began = loop.time()
    loop._current_handle = handle
    try:
        handle._run()
    finally:
        loop._current_handle = None
    took = loop.time() - began
    if took >= loop.slow_callback_duration:
        what = base_events._format_handle(handle)  # type: ignore[attr-defined]
        base_events.logger.warning(  # type: ignore[attr-defined]
            "Executing %s took %.3f seconds", what, took
        )


def set_running_loop(loop: asyncio.AbstractEventLoop | None) -> None:
    """For asyncio, and for the core, which puts it aside while its greenlet is parked."""
    events._set_running_loop(loop)
    _green.set_running_loop(loop)


def raise_from_helper(loop: Any) -> NoReturn:
    """What ended a helper of it. Its traceback knows this frame, which is to know it no
    longer."""
    error, loop._raised = loop._raised, None
    try:
        raise error
    finally:
        del error


def forget_caller(made: asyncio.Handle | asyncio.Task[Any]) -> None:
    """The frame of ours that called asyncio does not belong to where it was made."""
    if made._source_traceback:  # type: ignore[union-attr]
        del made._source_traceback[-1]  # type: ignore[union-attr]


def take_due(timers: list[asyncio.TimerHandle], end: float) -> Iterator[asyncio.Handle]:
    """Those of a heap that are due before `end`, in their order."""
    while timers and timers[0].when() < end:
        timer = heapq.heappop(timers)
        timer._scheduled = False  # type: ignore[attr-defined]
        yield timer


def without_cancelled(timers: list[asyncio.TimerHandle]) -> list[asyncio.TimerHandle]:
    """Those of a heap that are not, as another one."""
    left = []
    for timer in timers:
        if timer.cancelled():
            timer._scheduled = False  # type: ignore[attr-defined]
        else:
            left.append(timer)
    heapq.heapify(left)
    return left


def _keep_asyncio_state() -> None:
    """Tells the core where asyncio keeps the running loop and each loop's task."""
    _green.keep_set_running_loop(events._set_running_loop)
    swap = getattr(tasks, "_swap_current_task", None)
    _green.keep_current_tasks(swap or tasks._current_tasks)  # type: ignore[attr-defined]


_keep_asyncio_state()
