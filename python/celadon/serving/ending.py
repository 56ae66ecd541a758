"""How a worker ends: what the application has for that moment, and for how long."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import threading
import time
import traceback
import weakref
from typing import Any, NoReturn

from celadon.errors import CeladonError
from celadon.logging import logger
from celadon.patch import fork

_LEAST = 1.0  # seconds that threads have in any case; also where all is to be quick
_told: float | None = None
_is_quick = False


def told(quick: bool) -> None:
    """This worker has begun to end."""
    global _told, _is_quick
    _told = _told or time.monotonic()
    _is_quick = _is_quick or quick


def left(grace: float, since: float | None = None) -> float | None:
    """What is left of `grace` seconds since this worker was told to end, or `since` by the
    monotonic clock, and a second at least; None of 0, which is for ever."""
    if not grace:
        return None
    spent = time.monotonic() - (since or _told or time.monotonic())
    return max(grace - spent, _LEAST)


def left_to_start(grace: float, number: int) -> float | None:
    """Likewise, of what an application may still take to start, by the signal: a second
    where all is to be quick."""
    return left(grace) if number == signal.SIGTERM else _LEAST


def bound(grace: float) -> None:
    """The interpreter waits for threads that are no daemons. They have what is left of
    `grace` seconds (0: for ever); then those that remain are named, and it ends all the same.
    """
    seconds = left(grace)
    if seconds is None or not _others():
        return
    if _is_quick:
        seconds = _LEAST
    threading.Thread(
        target=_end_after, args=(seconds,), name="celadon-end", daemon=True
    ).start()


def _others() -> list[threading.Thread]:
    main = threading.main_thread()
    return [t for t in threading.enumerate() if not t.daemon and t is not main]


def _end_after(seconds: float) -> None:
    end = time.monotonic() + seconds
    for thread in _others():
        thread.join(max(end - time.monotonic(), 0))
    if left := _others():
        names = ", ".join(repr(thread.name) for thread in left)
        logger.warning(
            "this worker ends without waiting any longer for its threads that are no "
            "daemons: %s",
            names,
        )
        _end(0)


def forget_the_programs() -> None:
    """In a worker that a program has forked: what that has for its own end, and its
    children, of which a worker has none. `multiprocessing` does the same in its own."""
    private: Any = atexit
    private._clear()
    atexit.register(logging.shutdown)
    fork.flush_at_exit()
    finalizers: Any = weakref.finalize
    finalizers._registry.clear()
    finalizers._registered_with_atexit = False
    if processes := sys.modules.get("multiprocessing.process"):
        processes._children.clear()
    if util := sys.modules.get("multiprocessing.util"):
        util._finalizer_registry.clear()
        atexit.register(util._exit_function)


def leave_by(error: BaseException) -> NoReturn:
    """As `leave`, with what the interpreter would have said."""
    if isinstance(error, SystemExit) and isinstance(error.code, int | None):
        leave(error.code or 0)
    if isinstance(error, CeladonError):
        for line in str(error).splitlines():
            print(f"celadon: {line}", file=sys.stderr)
        leave(error.status)
    traceback.print_exception(error)
    leave(1)


def leave(status: int) -> NoReturn:
    """Ends this process as the interpreter would, but for the frames below."""
    private: Any = threading
    private._shutdown()
    _end(status)


def _end(status: int) -> NoReturn:
    private: Any = atexit
    try:
        private._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
        status = status or 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue  # closed, or nobody reads it
    os._exit(status)
