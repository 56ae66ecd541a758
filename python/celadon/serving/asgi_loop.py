"""The event loop of a worker that serves an ASGI application.

One greenlet drives it for the life of the server; each request is a task on it, and so is
the application's lifespan.
"""

from __future__ import annotations

import asyncio
import time
from _thread import get_native_id
from collections.abc import Iterable
from typing import Any

from greenlet import GreenletExit

from celadon import logging
from celadon.aio import EventLoop, state, tasks, thread_loop
from celadon.drivers import anyio, nest_asyncio
from celadon.green import Greenlet, spawn
from celadon.patch.imports import when_imported

_PATIENCE = 2.0  # seconds that tasks have to end once they were cancelled


def start() -> EventLoop:
    """Makes the loop of this thread, and a greenlet that drives it until `stop`.

    Raises `RuntimeError` where there is one already.
    """
    if get_native_id() in _loops:
        raise RuntimeError("this thread has the loop of a worker already")
    # Also where nothing is patched.
    when_imported("anyio._backends._asyncio", anyio.adapt)
    when_imported("nest_asyncio", nest_asyncio.adapt)
    driven = _loops[get_native_id()] = _Driven()
    thread_loop.share(driven.loop)
    return driven.loop


def worker_loop() -> EventLoop:
    """The loop of the worker in this thread. Raises `RuntimeError` where there is none."""
    driven = _loops.get(get_native_id())
    if driven is None:
        raise RuntimeError("no worker of this thread serves an ASGI application")
    return driven.loop


def stop() -> None:
    """Ends the loop of this thread, if it has one: tasks that are left are cancelled.

    Suspends the caller until that is done.
    """
    driven = _loops.pop(get_native_id(), None)
    if driven is not None:
        thread_loop.share(None)
        driven.stop()


class _Driven:
    """A loop, and the greenlet that runs it."""

    def __init__(self) -> None:
        self.loop = EventLoop()
        state.note_endless(self.loop)
        self._ends = False
        self._driver: Greenlet = spawn(self._drive)

    def stop(self) -> None:
        self._ends = True
        if self.loop.is_running():  # else it has not begun, and would not finish
            self.loop.stop()
            tasks.end_calls(self.loop)
        self._driver.join(2 * _PATIENCE)
        if not self._driver.dead:
            logging.logger.warning(
                "the loop of the application is left behind: a call holds one of its tasks"
            )

    def _drive(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self._ends:
            try:
                self.loop.run_forever()
            except BaseException:  # SystemExit of a task ends neither it nor us
                logging.logger.exception("a task of the application ended the loop")
        self.loop.set_task_factory(None)  # the application's, which may fail
        try:
            self._end_tasks()
            self._leave_threads()
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()

    def _end_tasks(self) -> None:
        end, told = time.monotonic() + _PATIENCE, set[asyncio.Task[Any]]()
        while True:
            try:
                return self.loop.run_until_complete(self._finish(end, told))
            except BaseException as error:  # of one of them: others have theirs
                if isinstance(error, GreenletExit) or time.monotonic() >= end:
                    raise
                logging.logger.exception("a task of the application ended the loop")

    def _leave_threads(self) -> None:
        # What asyncio has for it waits for threads without a limit where it is cancelled.
        executor = self.loop._default_executor  # type: ignore[attr-defined]
        if executor is None:
            return
        executor.shutdown(wait=False)
        end = time.monotonic() + _PATIENCE
        for thread in tuple(getattr(executor, "_threads", ())):
            thread.join(max(0, end - time.monotonic()))
        self.loop._default_executor = None  # type: ignore[attr-defined]

    async def _finish(self, end: float, told: set[asyncio.Task[Any]]) -> None:
        left = {
            task for task in asyncio.all_tasks() if task is not asyncio.current_task()
        }
        for task in left - told:
            task.cancel()
        told |= left
        if left:
            patience = max(0, end - time.monotonic())
            ended, left = await asyncio.wait(left, timeout=patience)
            _tell(ended, left)
        state.end_life(self.loop)
        await self.loop.shutdown_asyncgens()


def _tell(
    ended: Iterable[asyncio.Task[Any]], left: Iterable[asyncio.Task[Any]]
) -> None:
    for task in ended:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            what = "a task of the application failed when it was cancelled: %r"
            logging.logger.error(what, task, exc_info=error)
    for task in left:
        logging.logger.warning("a task holds out against its cancellation: %r", task)


_loops: dict[int, _Driven] = {}
