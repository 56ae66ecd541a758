"""The loop of a thread that `celadon.aio.wait` uses: who makes, runs and ends it."""

from __future__ import annotations

import asyncio
import atexit
import time
from _thread import get_native_id

from greenlet import GreenletExit

from celadon._core import aio as _aio
from celadon._core import green as _green
from celadon.aio import state
from celadon.aio.loop import EventLoop
from celadon.aio.tasks import end_calls
from celadon.green.spawn import spawn
from celadon.green.thread_ends import at_thread_end
from celadon.logging import logger

_PATIENCE = 2.0  # seconds that calls have to end once their tasks are cancelled

# Of threads that serve an ASGI application, by their native numbers.
_served: dict[int, EventLoop] = {}


def share(loop: EventLoop | None) -> None:
    """`wait` uses `loop` in this thread, while that runs; None: no longer."""
    if loop is None:
        _served.pop(get_native_id(), None)
    else:
        _served[get_native_id()] = loop


def loop_of_thread() -> EventLoop:
    """The one that `wait` uses here. It runs, or is about to."""
    served = _served.get(get_native_id())
    if served is not None and served.is_running():
        return served
    _green.start_hub()
    loop = _kept_loop()
    if not loop.is_running():
        spawn(_run_always, loop).name = "celadon.aio"
        while not loop.is_running():
            _green.sleep(0)
    return loop


def _kept_loop() -> EventLoop:
    """Of two greenlets that are the first here, and meet while one of them makes it, both
    have the same one."""
    while True:
        before: EventLoop | None = _aio.kept_loop()
        if before is not None and not before.is_closed():
            return before
        for orphan in _aio.take_orphans():
            _abandon(orphan)
        made = EventLoop()
        if _aio.replace_loop(before, made):
            state.note_endless(made)
            return made
        made.close()


def _abandon(loop: EventLoop) -> None:
    """Closes one whose thread has ended: what ran there never goes on."""
    loop._thread_id = None
    loop.close()


def _run_always(loop: EventLoop) -> None:
    """What ends a run of it ends none of those that wait for something of it."""
    while not loop.is_running():
        try:
            loop.run_forever()
        except GreenletExit:
            raise
        except BaseException as error:
            _tell(loop, error)
            _green.sleep(0)
        else:
            break


def _tell(loop: EventLoop, error: BaseException) -> None:
    """A Ctrl-C, an exit and what a handler of a signal raises come to a loop as well."""
    is_end = isinstance(error, KeyboardInterrupt | SystemExit)
    if is_end and any(each.has(error) for each in loop.waits):
        return
    if is_end and _green.interrupt_main(error):
        return
    logger.error("the loop of celadon.aio.wait() goes on after", exc_info=error)


def _end_with_thread() -> None:
    """What still runs on the loop that is kept for it is cancelled, as `run` does it, in
    calls that block as well."""
    loop = _aio.kept_loop()
    if loop is None or loop.is_closed():
        return
    loop.stop()
    end_calls(loop)
    end = time.monotonic() + _PATIENCE
    while loop.is_running():
        if time.monotonic() >= end:
            logger.warning(
                "the loop of celadon.aio.wait() is left behind: a call holds one of its "
                "tasks"
            )
            return
        _green.sleep(0)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        state.end_life(runner.get_loop())


atexit.register(_end_with_thread)
at_thread_end(_end_with_thread)
