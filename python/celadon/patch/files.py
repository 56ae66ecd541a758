"""`os.read`, `os.write` and their relatives on pipes, sockets, terminals, eventfd and its like.

Regular files are read and written as ever. `os.close` wakes whoever waits for what it
closes. Locks on files are of this part too.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import Any

from celadon._core import green
from celadon.patch import filelocks, pipes
from celadon.patch.registry import replace

_read = os.read
_write = os.write
_readv = os.readv
_writev = os.writev
_close = os.close
_eventfd_read = os.eventfd_read

_READABLE = 1


def install() -> None:
    for function in (read, write, readv, writev, close, eventfd_read):
        replace(os, function.__name__, function)
    filelocks.install()
    pipes.install()


def read(fd: int, length: int, /) -> bytes:
    """As `os.read`; a greenlet lets others run until there is something to read."""
    if green.can_park():
        data = green.read_pipe(fd, length)
        if data is not None:
            return data
        _wait_where_no_file_is(fd)
    return _read(fd, length)


def eventfd_read(fd: int) -> int:
    """As `os.eventfd_read`; a greenlet lets others run until there is something to read."""
    if green.can_park():
        _wait_where_no_file_is(fd)
    return _eventfd_read(fd)


def _wait_where_no_file_is(fd: int) -> None:
    """eventfd, inotify, timerfd and their like have no type of file, and say when they can
    be read."""
    try:
        has_no_type = not stat.S_IFMT(os.fstat(fd).st_mode)
        waits = has_no_type and os.get_blocking(fd)
    except OSError:
        return  # as the call will say
    if waits:
        green.wait_fd(fd, _READABLE)


def write(fd: int, data: Any, /) -> int:
    """As `os.write`; a greenlet lets others run until all is out."""
    if green.can_park():
        done = green.write_pipe(fd, data)
        if done is not None:
            return done
    return _write(fd, data)


def readv(fd: int, buffers: Sequence[Any], /) -> int:
    """As `os.readv`; a greenlet lets others run until there is something to read."""
    if not green.can_park():
        return _readv(fd, buffers)
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    data = green.read_pipe(fd, sum(map(len, views)))
    if data is None:
        return _readv(fd, buffers)
    rest = memoryview(data)
    for view in views:
        part, rest = rest[: len(view)], rest[len(view) :]
        view[: len(part)] = part
    return len(data)


def writev(fd: int, buffers: Sequence[Any], /) -> int:
    """As `os.writev`; a greenlet lets others run until all is out."""
    if green.can_park():
        done = green.write_pipe(fd, b"".join(buffers))
        if done is not None:
            return done
    return _writev(fd, buffers)


def close(fd: int) -> None:
    """As `os.close`; a greenlet that waits for `fd` gets ``EBADF``."""
    if isinstance(fd, int) and fd >= 0:
        green.fd_closing(fd)
    _close(fd)
