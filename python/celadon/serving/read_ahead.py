"""A socket some of whose bytes the server has read before it gave it away.

They come first, by every method that receives. What is asked of the descriptor itself knows
nothing of them, as with the bytes that a TLS socket has decrypted already.
"""

from __future__ import annotations

import fcntl
import io
import os
import socket
import sys
import termios
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# These tell of something else than the stream.
_BESIDE = socket.MSG_OOB | socket.MSG_ERRQUEUE


class Ahead:
    """Bytes that come before those of the kernel, for all sockets that share it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def take(self, size: int) -> bytes:
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def put_back(self, data: bytes) -> None:
        self._data = data + self._data


class ReadAheadSocket(socket.socket):
    """Owns `descriptor`, and receives what is `ahead` first.

    `detach`, and TLS around it, raise `RuntimeError` while anything is left of that:
    nobody would receive it.
    """

    def __init__(self, descriptor: int, ahead: Ahead) -> None:
        super().__init__(fileno=descriptor)
        self._ahead = ahead

    # --- what receives: arguments that do not fit are CPython's to refuse ---

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        if not self._gives(bufsize, flags):
            return super().recv(bufsize, flags)
        return self._receive(bufsize, flags)

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        if not self._gives(bufsize, flags):
            return super().recvfrom(bufsize, flags)
        return self._receive(bufsize, flags), self._sender()

    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Any]:
        if not self._gives(bufsize, flags):
            return super().recvmsg(bufsize, ancbufsize, flags)
        return self._receive(bufsize, flags), [], 0, self._sender()

    def recv_into(
        self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0
    ) -> int:
        with memoryview(buffer) as view:
            size = _room(view, nbytes)
            if not self._gives(size, flags):
                return super().recv_into(buffer, nbytes, flags)
            return self._receive_into([view], size, flags)

    def recvfrom_into(
        self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0
    ) -> tuple[int, Any]:
        with memoryview(buffer) as view:
            size = _room(view, nbytes)
            if not self._gives(size, flags):
                return super().recvfrom_into(buffer, nbytes, flags)
            return self._receive_into([view], size, flags), self._sender()

    def recvmsg_into(
        self,
        buffers: Iterable[WriteableBuffer],
        ancbufsize: int = 0,
        flags: int = 0,
        /,
    ) -> tuple[int, list[tuple[int, int, bytes]], int, Any]:
        given = list(buffers)
        with ExitStack() as held:
            views = [held.enter_context(memoryview(each)) for each in given]
            size = sum(view.nbytes for view in views) if all(map(_fits, views)) else 0
            if not self._gives(size, flags):
                return super().recvmsg_into(given, ancbufsize, flags)
            return self._receive_into(views, size, flags), [], 0, self._sender()

    def _gives(self, size: int, flags: int) -> bool:
        return (
            len(self._ahead) > 0
            and size > 0
            and not flags & _BESIDE
            and self.fileno() >= 0
        )

    def _receive(self, size: int, flags: int) -> bytes:
        taken = self._ahead.take(size)
        try:
            rest = self._rest(size - len(taken), flags)
            data = taken + super().recv(rest, flags) if rest else taken
        except BaseException:
            self._ahead.put_back(taken)
            raise
        if flags & socket.MSG_PEEK:
            self._ahead.put_back(taken)
        return data

    def _rest(self, left: int, flags: int) -> int:
        """How much of the kernel's comes at once with what was ahead."""
        waits = self.gettimeout() is None and not flags & socket.MSG_DONTWAIT
        if flags & socket.MSG_WAITALL and waits:
            return left
        if not flags & socket.MSG_PEEK:
            return 0
        # Who looks until there is enough would look for ever at what was ahead alone.
        unread = fcntl.ioctl(self, termios.FIONREAD, bytes(4))
        return min(left, int.from_bytes(unread, sys.byteorder))

    def _receive_into(self, views: list[memoryview], size: int, flags: int) -> int:
        received = io.BytesIO(self._receive(size, flags))
        return sum(received.readinto(view) for view in views)

    def _sender(self) -> Any:
        """What the kernel says of a stream: only a unix socket's name, if it has one."""
        return self.getpeername() or None if self.family == socket.AF_UNIX else None

    # --- what gives the descriptor to others ---

    def dup(self) -> ReadAheadSocket:
        """Another one on the same connection: what is ahead comes to who asks first."""
        other = ReadAheadSocket(os.dup(self.fileno()), self._ahead)
        other.settimeout(self.gettimeout())
        return other

    def detach(self) -> int:
        self._check_nothing_is_lost()
        return super().detach()

    def getsockopt(self, level: int, optname: int, *buflen: int) -> Any:
        # The first thing that ssl asks for. When it detaches there would be a second
        # owner of the descriptor already, which closes it.
        if (level, optname) == (socket.SOL_SOCKET, socket.SO_TYPE):
            self._check_nothing_is_lost()
        return super().getsockopt(level, optname, *buflen)

    def _check_nothing_is_lost(self) -> None:
        if self._ahead and self.fileno() >= 0:
            raise RuntimeError(
                f"{len(self._ahead)} bytes that the client sent early would be lost: "
                "receive them before this socket is detached or wrapped"
            )


def _room(view: memoryview, nbytes: int) -> int:
    """How many bytes are to be received into it; 0 where there is something wrong."""
    fits = _fits(view) and 0 <= nbytes <= view.nbytes
    return (nbytes or view.nbytes) if fits else 0


def _fits(view: memoryview) -> bool:
    return view.c_contiguous and not view.readonly
