"""`os.read`, `os.write` and their relatives on pipes, sockets, terminals, eventfd and its like;
`os.sendfile` to sockets, and `os.splice`.

Regular files are read and written as ever. `os.close`, `os.closerange` and
`os.dup2` wake whoever waits for what they close. Locks on files are of this part too.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from celadon._core import green
from celadon.patch import filelocks, pipes
from celadon.patch.registry import replace

_readv = os.readv
_writev = os.writev
_splice = os.splice
_SPLICE_NONBLOCK = 2
_SPLICE_FLAGS = 15  # all that there are


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

    offsets = (offset_src, offset_dst)
    numbers = (src, dst, count, flags)
    if (
        not green.can_park()
        or not all(isinstance(each, int) for each in numbers)
        or not _may_wait(src, dst, count, offsets, flags)
    ):
        return _splice(src, dst, count, *offsets, flags)
    # While it waits, others may close what it is about: the call has both by then, and not
    # what gets their numbers.
    with _copy_of(src) as src_copy, _copy_of(dst) as dst_copy:
        return _splice_in_turns(src_copy, dst_copy, count, offsets, flags)


def _splice_in_turns(
    src: int,
    dst: int,
    count: int,
    offsets: tuple[int | None, int | None],
    flags: int,
) -> int:
    ends = ((src, 1), (dst, 2))
    # The kernel does not wait for pipes, when asked, but for sockets: those are looked at
    # before. One that is ready takes so much.
    sockets = [end for end in ends if _is(end[0], stat.S_ISSOCK)]
    most = min(count, select.PIPE_BUF) if (dst, 2) in sockets else count
    while True:
        for fd, events in sockets:
            green.wait_fd(fd, events)
        try:
            return _splice(src, dst, most, *offsets, flags | _SPLICE_NONBLOCK)
        except BlockingIOError:
            for fd, events in ends:
                green.wait_fd(fd, events)


def _may_wait(
    src: int, dst: int, count: int, offsets: tuple[int | None, int | None], flags: int
) -> bool:
    """Not what the kernel refuses without a look at what there is to be had."""
    ends = (src, dst)
    return (
        count > 0
        and not flags & ~_SPLICE_FLAGS
        and not flags & _SPLICE_NONBLOCK
        and all(map(_waits, ends))
        and _is_open_for(src, os.O_RDONLY)
        and _is_open_for(dst, os.O_WRONLY)
        and any(_is(fd, stat.S_ISFIFO) for fd in ends)
        and all(
            offset is None or _is(fd, stat.S_ISREG)
            for fd, offset in zip(ends, offsets, strict=True)
        )
    )


def _is(fd: int, kind: Callable[[int], bool]) -> bool:
    return kind(os.fstat(fd).st_mode)


def _is_open_for(fd: int, mode: int) -> bool:
    return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE in (mode, os.O_RDWR)


@contextlib.contextmanager
def _copy_of(fd: int) -> Iterator[int]:
    copy = os.dup(fd)
    try:
        yield copy
    finally:
        os.close(copy)


def _waits(fd: int) -> bool:
    try:
        return os.get_blocking(fd)
    except (OSError, OverflowError):
        return False  # the call says what is wrong
