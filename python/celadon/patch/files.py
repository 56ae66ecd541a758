"""`os.read`, `os.write` and their relatives on pipes, sockets, terminals, eventfd and its like.

Regular files are read and written as ever. `os.close`, `os.closerange` and
`os.dup2` wake whoever waits for what they close. Locks on files are of this part too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from celadon._core import green
from celadon.patch import filelocks, pipes
from celadon.patch.registry import replace

_readv = os.readv
_writev = os.writev


def install() -> None:
    for name, function in green.os_functions(os).items():
        replace(os, name, function)
    replace(os, "readv", readv)
    replace(os, "writev", writev)
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
