"""meinheld.websocket: WebSockets by meinheld's names, on `environ["wsgi.websocket"]`.

As meinheld does, both answer 101 before the application sees the request. A handshake that is
not right the server has refused by then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celadon._core.wsgi import WebSocket
from celadon.contrib.meinheld.common import CLIENT_KEY, CONTINUATION_KEY, Continuation

__all__ = ["WebSocketMiddleware", "WebSocketWSGI"]


class WebSocketMiddleware:
    """Gives `app` a WebSocket that is open: ``environ["wsgi.websocket"]``.

    Requests that ask for none have no such key. Either kind has a `Continuation`, as from
    `ContinuationMiddleware`.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        environ[CONTINUATION_KEY] = Continuation(environ.get(CLIENT_KEY))
        _open(environ)
        return self.app(environ, start_response)


class WebSocketWSGI:
    """An application of one function, which is called with each WebSocket; others get 400."""

    def __init__(self, handler: Callable[[WebSocket], Any]) -> None:
        self.handler = handler

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        socket = _open(environ)
        if socket is None:
            start_response("400 Bad Request", [("Connection", "close")])
        else:
            self.handler(socket)
        return []


def _open(environ: dict[str, Any]) -> WebSocket | None:
    socket: WebSocket | None = environ.get("wsgi.websocket")
    if socket is not None:
        # Whatever the client speaks: browsers give up where they offer and get nothing.
        socket.accept(next(iter(socket.subprotocols), None))
    return socket
