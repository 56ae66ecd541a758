"""Requests of ASGI with hooks around them: what `hooked` is for those of WSGI.

Hooks are synchronous functions; what they wait for suspends their request alone.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from celadon.config.hooks import Hook
from celadon.serving.exchange import PHRASES, After, Response
from celadon.serving.lifecycle import Worker

if TYPE_CHECKING:
    import asyncio

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Request:
    """The ``req`` of a hook, by a scope."""

    trailers: tuple[tuple[str, str], ...] = ()
    fragment = ""
    proxy_protocol_info: dict[str, Any] | None = None
    body: Any = None  # it is the application's to receive

    def __init__(self, scope: Scope) -> None:
        raw_path = scope.get("raw_path") or scope["path"].encode()
        self.method: str = scope.get("method", "GET")
        self.path: str = scope["path"]
        self.query: str = scope["query_string"].decode("latin-1")
        self.uri = raw_path.decode("latin-1") + (f"?{self.query}" if self.query else "")
        major, _, minor = scope["http_version"].partition(".")
        self.version = (int(major), int(minor or 0))
        self.headers = [
            (name.decode("latin-1").upper(), value.decode("latin-1"))
            for name, value in scope["headers"]
        ]
        self.remote_addr = tuple(scope.get("client") or ("", None))
        self.peer_addr = self.remote_addr
        self.scheme: str = scope["scheme"]


def hooked(
    app: Any, worker: Worker, pre: Hook | None, after: After | None
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """`app` with `pre` before each request and WebSocket, and `after` behind it."""
    import asyncio  # here: who serves WSGI needs none

    async def hooked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await app(scope, receive, send)
            return
        worker.nr += 1
        request: Any = Request(scope)
        if pre is not None:
            _begin_by(pre, worker, request)
        if after is None:
            await app(scope, receive, send)
            return
        exchange = _Exchange(worker, request, scope, send, after)
        try:
            await app(scope, receive, exchange.send)
        finally:
            exchange.end_with(asyncio.current_task())

    return hooked


def _begin_by(pre: Hook, worker: Worker, request: Any) -> None:
    pre(worker, request)


class _Exchange:
    """What hooks are told of a request; it ends with its answer, or with the
    application."""

    def __init__(
        self, worker: Worker, request: Any, scope: Scope, send: Send, after: After
    ) -> None:
        self._worker = worker
        self._request = request
        self._scope = scope
        self._send = send
        self._after: After | None = after
        self._response = Response(request)
        self._info = (scope.get("extensions") or {}).get("celadon.request")

    async def send(self, message: Message) -> None:
        if isinstance(message, dict) and isinstance(message.get("headers"), Iterator):
            message = {**message, "headers": [*message["headers"]]}  # two read them
        await self._send(message)
        # Of a WebSocket that is refused by an answer of the application's own.
        kind = message["type"].replace("websocket.http.", "http.")
        if kind == "http.response.start":
            _begin(self._response, message["status"], message)
        elif kind == "http.response.body":
            self._response.sent += len(message.get("body", b""))
            if not message.get("more_body", False):
                self.end()
        elif kind == "http.response.pathsend":
            length = self._response.response_length
            self._response.sent += _size(message["path"]) if length is None else length
            self.end()
        elif kind == "websocket.accept":
            _begin(self._response, 101, message)
        elif kind == "websocket.close" and not self._response.headers_sent:
            _begin(self._response, 403, message)

    def end_with(self, task: asyncio.Task[Any] | None) -> None:
        """The application has ended. If its answer has not, the server sees to that, once
        its task is over."""
        if self._after is not None and task is not None:
            task.add_done_callback(lambda _: self.end())

    def end(self) -> None:
        """What the application said of its answer holds no more where it has failed since,
        or its time was over."""
        after, self._after = self._after, None
        if after is not None:
            status = self._info.status if self._info is not None else 0
            if status not in (0, self._response.status_code):
                self._response.status = f"{status} {PHRASES.get(status, '')}"
            environ = _environ(self._scope, self._request)
            after((self._worker, self._request, environ, self._response))


# Where they are called: hooks may wait, whatever `asgi_blocking` says of coroutines.
CALLS_OF_HOOKS = (_begin_by, _Exchange.end)


def _size(path: Any) -> int:
    try:
        return os.stat(path).st_size
    except OSError:  # it is gone by now
        return 0


def _begin(response: Response, status: int, message: Message) -> None:
    response.status = f"{status} {PHRASES.get(status, '')}"
    response.headers = [
        (bytes(name).decode("latin-1"), bytes(value).decode("latin-1"))
        for name, value in message.get("headers") or ()
    ]


def _environ(scope: Scope, request: Request) -> dict[str, Any]:
    """The ``environ`` of a hook: what gunicorn's own formats ask of it, and the scope."""
    return {
        "REQUEST_METHOD": request.method,
        "RAW_URI": request.uri,
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": request.remote_addr[0],
        "wsgi.url_scheme": request.scheme,
        "asgi.scope": scope,
        **{"HTTP_" + name.replace("-", "_"): value for name, value in request.headers},
    }
