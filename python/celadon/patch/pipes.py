"""Pipes and terminals as files: `open` of one, by its name or its descriptor, and `os.open`
of a pipe by its name.

A pipe with a name is open once somebody has its other end. A native thread could wait for
that, but not be called back: so it is opened without waiting, and looked at again and again.
"""

from __future__ import annotations

import _io
import builtins
import contextlib
import errno
import io
import os
import select
import warnings
from types import BuiltinFunctionType
from typing import Any

from celadon._core import green
from celadon.patch.buffered import CooperativeIO
from celadon.patch.registry import replace

_open = io.open
_os_open = os.open

_FIRST, _LONGEST = 0.0005, 0.02  # seconds between two looks
_NONBLOCK = 2  # of `tee`


def install() -> None:
    if isinstance(os.open, BuiltinFunctionType):
        replace(os, "open", green.before_os_open(os.open, _open_when_both_are_there))
    if isinstance(io.open, BuiltinFunctionType):
        function = green.before_open(io.open, _open_pipe)
        for module in (builtins, io, _io):
            replace(module, "open", function)


class PipeEnd(io.FileIO):
    """An end of a pipe, or a terminal: the greenlet waits, not the thread."""

    def readinto(self, buffer: Any, /) -> int | None:
        with memoryview(buffer) as view, view.cast("B") as octets:
            data = self.read(len(octets))
            if data is None:
                return None
            octets[: len(data)] = data
        return len(data)

    def read(self, size: int | None = -1, /) -> Any:
        if size is None or size < 0:
            return self.readall()
        self._check("reading", self.readable())
        with contextlib.suppress(BlockingIOError):  # as it is of itself
            return os.read(self.fileno(), size)

    def readall(self) -> Any:
        parts = []
        while part := self.read(io.DEFAULT_BUFFER_SIZE):
            parts.append(part)
        return None if part is None and not parts else b"".join(parts)

    def write(self, data: Any, /) -> Any:
        self._check("writing", self.writable())
        with contextlib.suppress(BlockingIOError):
            return os.write(self.fileno(), data)

    def _check(self, what: str, may: bool) -> None:
        if not may:
            raise io.UnsupportedOperation(f"File not open for {what}")

    def close(self) -> None:
        if not self.closed and self.closefd:
            green.fd_closing(self.fileno())
        super().close()


def _open_pipe(
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    """`open`, of a pipe or a terminal."""
    words = (encoding, errors, newline)
    letters = set(mode) if isinstance(mode, str) else set()
    is_text = "b" not in letters
    kind = letters - {"b", "t"}
    if (
        kind not in ({"r"}, {"w"}, {"a"})
        or len(letters) != len(mode)
        or {"b", "t"} <= letters
        or (not is_text and words != (None, None, None))
    ):
        # An error, or both ends at once, which waits for nobody.
        return _open(file, mode, buffering, *words, closefd, opener)
    if buffering == 0 and is_text:
        raise ValueError("can't have unbuffered text I/O")
    if buffering == 1 and not is_text:
        warnings.warn(
            "line buffering (buffering=1) isn't supported in binary mode, the default "
            "buffer size will be used",
            RuntimeWarning,
            stacklevel=2,
        )
    raw = PipeEnd(file, kind.pop() + "b", closefd, opener or _open_when_both_are_there)
    try:
        return _above(raw, mode, buffering, words if is_text else None)
    except BaseException:
        raw.close()
        raise


def _above(
    raw: PipeEnd, mode: str, buffering: int, words: tuple[str | None, ...] | None
) -> Any:
    if buffering == 0:
        return raw
    size = io.DEFAULT_BUFFER_SIZE if buffering < 0 or buffering == 1 else buffering
    reads = "r" in mode
    kind = CooperativeIO.BufferedReader if reads else CooperativeIO.BufferedWriter
    buffered = kind(raw, size)
    if words is None:
        return buffered
    is_by_line = buffering == 1 or (buffering < 0 and raw.isatty())
    text = CooperativeIO.TextIOWrapper(buffered, *words, is_by_line)
    text.mode = mode
    return text


def _open_when_both_are_there(
    path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
) -> int:
    """`os.open`, of a pipe by its name."""
    ends = flags & os.O_ACCMODE
    if ends == os.O_RDWR or flags & (os.O_NONBLOCK | os.O_PATH):
        return _os_open(path, flags, mode, dir_fd=dir_fd)
    at_once = flags | os.O_NONBLOCK
    pause = _FIRST
    while True:
        try:
            fd = _os_open(path, at_once, mode, dir_fd=dir_fd)
            break
        except OSError as error:
            if error.errno != errno.ENXIO or ends != os.O_WRONLY:
                raise
        green.sleep(pause)
        pause = min(pause * 2, _LONGEST)
    try:
        if ends == os.O_RDONLY:
            _wait_for_writer(fd)
        os.set_blocking(fd, True)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _wait_for_writer(fd: int) -> None:
    """Until somebody writes, has written, or could."""
    here, there = os.pipe()
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    pause = _FIRST
    try:
        while not poll.poll(0) and not _has_writer(fd, there):
            green.sleep(pause)
            pause = min(pause * 2, _LONGEST)
    finally:
        os.close(here)
        os.close(there)


def _has_writer(fd: int, spare: int) -> bool:
    """Whether the pipe, which has nothing in it, is not at its end: without somebody to write
    it is. To copy out of it takes nothing, whatever comes in between."""
    import ctypes

    copied: int = ctypes.CDLL(None).tee(fd, spare, 1, _NONBLOCK)
    return copied != 0
