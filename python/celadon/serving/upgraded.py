"""The socket of a request that asks for another protocol (WS12).

Libraries that speak WebSocket themselves, as simple-websocket does below Flask-Sock and
Flask-SocketIO, look for it in ``environ["werkzeug.socket"]`` and
``environ["gunicorn.socket"]``.
"""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

from celadon.serving.read_ahead import Ahead, ReadAheadSocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from celadon._core.wsgi import RequestInfo


class UpgradedSocket:
    """Is the connection's `socket.socket` as soon as anything of it is called or read.

    Who looks whether it has something, or what it is, does not use it: not by `hasattr`
    with the name of a method, or of nothing that sockets have, `dir`, `isinstance` or
    `repr`. From its first use on the server says nothing more on the connection, has no
    time limit for the request, and closes it after the application has returned. Raises
    `RuntimeError` where the answer has begun already, and once the request has ended;
    `OSError` where no descriptor is left.
    """

    def __init__(self, info: RequestInfo) -> None:
        self._info = info
        self._lock = threading.Lock()
        self._socket: ReadAheadSocket | None = None

    def __getattr__(self, name: str) -> Any:
        # Who looks whether it can be copied, shown or pickled does not use it.
        if name.startswith("__"):
            raise AttributeError(name)
        if self._socket is not None:
            return getattr(self._socket, name)
        found = getattr(ReadAheadSocket, name, None)
        if found is None:
            raise AttributeError(f"a socket has no attribute {name!r}")
        return (
            self._method(name, found)
            if callable(found)
            else getattr(self._taken(), name)
        )

    def _method(self, name: str, found: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(found)
        def use(*args: Any, **kwargs: Any) -> Any:
            return getattr(self._taken(), name)(*args, **kwargs)

        return use

    @property  # type: ignore[misc]
    def __class__(self) -> type[ReadAheadSocket]:  # type: ignore[override]
        return ReadAheadSocket

    def __dir__(self) -> list[str]:
        return dir(ReadAheadSocket)

    def __repr__(self) -> str:
        return repr(self._socket) if self._socket else "<socket of a request, unused>"

    def __enter__(self) -> ReadAheadSocket:
        return self._taken()

    def __exit__(self, *_: object) -> None:
        self._taken().close()

    def _taken(self) -> ReadAheadSocket:
        with self._lock:
            if self._socket is None:
                descriptor, ahead = self._info.take_socket()
                self._socket = ReadAheadSocket(descriptor, Ahead(ahead))
                self._socket.setblocking(True)  # the server's does not
            return self._socket
