"""`os.read`, `os.write` and their relatives on pipes, sockets, terminals, eventfd and its like;
`os.sendfile` to sockets, and `os.splice`.

Regular files are read and written as ever. `os.close`, `os.closerange` and
`os.dup2` wake whoever waits for what they close. Locks on files are of this part too.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Sequence
from typing import Any

from celadon._core import green
from celadon.patch import filelocks, pipes
from celadon.patch.registry import replace

_readv = os.readv
_writev = os.writev
_splice = os.splice
_SPLICE_NONBLOCK = 2


def install() -> None:
    for name, function in green.os_functions(os).items():
        replace(os, name, function)
    replace(os, "readv", readv)
    replace(os, "writev", writev)
    replace(os, "splice", splice)
    filelocks.install()
    pipes.install()


def readv(fd: int, buffers: Sequence[Any], /) -> int:
    """As `os.readv`; a greenlet lets others run until there is something to read."""
    if not green.can_park():
        return _readv(fd, buffers)
    views = [memoryview(buffer) for buffer in buffers]
    if any(view.readonly or not view.c_contiguous for view in views):
        return _readv(fd, buffers)  # CPython says what is wrong before it reads
    views = [view.cast("B") for view in views]
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


def splice(
    src: int,
    dst: int,
    count: int,
    offset_src: int | None = None,
    offset_dst: int | None = None,
    flags: int = 0,
) -> int:
    """As `os.splice`; a greenlet lets others run until one has something, and the other room."""

    def attempt(most: int, how: int) -> int:
        return _splice(src, dst, most, offset_src, offset_dst, how)

    ends = ((src, 1), (dst, 2))
    numbers = (src, dst, count, flags)
    if (
        not green.can_park()
        or not all(isinstance(each, int) for each in numbers)
        or flags & _SPLICE_NONBLOCK
        or not all(_waits(fd) for fd, _ in ends)
    ):
        return attempt(count, flags)
    # The kernel does not wait for pipes, when asked, but for sockets: those are looked at
    # before. One that is ready takes so much.
    sockets = [end for end in ends if stat.S_ISSOCK(os.fstat(end[0]).st_mode)]
    most = min(count, select.PIPE_BUF) if (dst, 2) in sockets else count
    while True:
        for fd, events in sockets:
            green.wait_fd(fd, events)
        try:
            return attempt(most, flags | _SPLICE_NONBLOCK)
        except BlockingIOError:
            for fd, events in ends:
                green.wait_fd(fd, events)


def _waits(fd: int) -> bool:
    try:
        return os.get_blocking(fd)
    except (OSError, OverflowError):
        return False  # the call says what is wrong
