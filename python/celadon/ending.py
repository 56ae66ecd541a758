"""How a worker ends: what the application has for that moment, and for how long."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import traceback
import weakref
from typing import Any, NoReturn

from celadon.errors import CeladonError
from celadon.patch import fork


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
    try:
        private._shutdown()
        private = atexit
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
