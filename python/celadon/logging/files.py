"""Files of handlers: standard output that goes to one, rotation, whose they are."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import sys
from collections.abc import Iterator

from celadon.logging.known import ERROR, all_loggers


class File(logging.FileHandler):
    """Not closed by `dictConfig` either: others write to its descriptor."""

    def close(self) -> None:
        self.flush()


# The handler whose file standard output and error are, if they are one's.
captured: logging.FileHandler | None = None


def capture_output(handler: logging.FileHandler) -> None:
    global captured
    captured = handler
    assert handler.stream is not None  # it was not opened late
    descriptor = handler.stream.fileno()
    for standard in (sys.stdout, sys.stderr):
        standard.flush()
        os.dup2(descriptor, standard.fileno())


def reopen() -> None:
    """Opens the files of all handlers of all loggers again, after a rotation (SIGUSR1)."""
    for handler in file_handlers():
        try:
            if _can_be_moved(handler):
                _reopen(handler)
        except OSError as error:
            logging.getLogger(ERROR).warning(
                "%s is not opened again: %s", handler.baseFilename, error
            )


def file_handlers() -> Iterator[logging.FileHandler]:
    """Those that have a file open, each once."""
    handlers = [handler for each in all_loggers() for handler in each.handlers]
    for handler in dict.fromkeys(handlers):
        if isinstance(handler, logging.FileHandler) and handler.stream is not None:
            yield handler


def _can_be_moved(handler: logging.FileHandler) -> bool:
    """Not a pipe or a device, which is rotated by nobody."""
    assert handler.stream is not None  # it was asked for
    return stat.S_ISREG(os.fstat(handler.stream.fileno()).st_mode)


def _reopen(handler: logging.FileHandler) -> None:
    # The descriptor stays the same: the core's watchdog writes to it too.
    with handler.lock or contextlib.nullcontext():
        assert handler.stream is not None  # it was asked for
        handler.flush()
        fresh = os.open(
            handler.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666
        )
        os.dup2(fresh, handler.stream.fileno(), inheritable=False)
        os.close(fresh)
    if handler is captured:
        capture_output(handler)


def give_away(uid: int, gid: int, access_log: str) -> None:
    """Log files belong to who writes them, and opens them again after a rotation.

    They are made here where they are not there yet, since the folder may be root's.
    """
    paths = [handler.baseFilename for handler in file_handlers()]
    for path in [*paths, access_log]:
        if path and path != "-":
            with contextlib.suppress(OSError):  # a link, or what takes no opening
                _give_away(path, uid, gid)


def _give_away(path: str, uid: int, gid: int) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    file = os.open(path, flags | os.O_NOCTTY, 0o666)
    try:
        status = os.fstat(file)
        # Another name of it could be that of a file which is none of ours.
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
            os.fchown(file, uid, gid)
    finally:
        os.close(file)
