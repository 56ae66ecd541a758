"""The socket of a request that asks for another protocol (WS12).

Libraries that speak WebSocket themselves, as simple-websocket does below Flask-Sock and
Flask-SocketIO, look for it in ``environ["werkzeug.socket"]`` and
``environ["gunicorn.socket"]``.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from celadon._core.wsgi import RequestInfo


class UpgradedSocket:
    """Is the connection's `socket.socket` as soon as anything of it is used.

    From then on the server says nothing more on the connection, has no time limit for
    the request, and closes it after the application has returned. Raises `RuntimeError`
    where the answer has begun already, and once the request has ended; `OSError` where
    no descriptor is left.
    """

    def __init__(self, info: RequestInfo) -> None:
        self._info = info
        self._lock = threading.Lock()
        self._socket: _Socket | None = None

    def __getattr__(self, name: str) -> Any:
        # Who looks whether it can be copied, shown or pickled does not use it.
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._taken(), name)

    def _taken(self) -> _Socket:
        with self._lock:
            if self._socket is None:
                descriptor, ahead = self._info.take_socket()
                self._socket = _Socket(descriptor, ahead)
            return self._socket


class _Socket(socket.socket):
    """Gives first what the server has read already."""

    def __init__(self, descriptor: int, ahead: bytes) -> None:
        super().__init__(fileno=descriptor)
        self.setblocking(True)  # the server's does not
        self._ahead = ahead

    def _take(self, size: int, flags: int) -> bytes:
        taken = self._ahead[:size]
        if not flags & socket.MSG_PEEK:
            self._ahead = self._ahead[size:]
        return taken

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        if not self._ahead or bufsize <= 0:
            return super().recv(bufsize, flags)
        return self._take(bufsize, flags)

    def recv_into(
        self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0
    ) -> int:
        if not self._ahead:
            return super().recv_into(buffer, nbytes, flags)
        with memoryview(buffer).cast("B") as view:
            taken = self._take(min(nbytes or len(view), len(view)), flags)
            view[: len(taken)] = taken
        return len(taken)
