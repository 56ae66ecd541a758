"""Hooks around the requests of an ASGI application."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from celadon.serving.hooked_asgi import hooked

SCOPE = {
    "type": "http",
    "method": "GET",
    "path": "/",
    "query_string": b"",
    "http_version": "1.1",
    "scheme": "http",
    "headers": [],
}


def test_headers_of_a_generator_are_seen_and_sent() -> None:
    sent: list[Any] = []
    seen: list[Any] = []

    async def send(message: Any) -> None:
        sent.append([*message.get("headers", ())])

    async def receive() -> Any:
        raise AssertionError

    async def app(scope: Any, receive: Any, send: Any) -> None:
        pairs = ((name, b"b") for name in (b"x-a",))
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body"})

    worker: Any = SimpleNamespace(nr=0)
    around: Any = hooked(app, worker, None, lambda told: seen.append(told[3].headers))
    asyncio.run(around(dict(SCOPE), receive, send))
    assert sent == [[(b"x-a", b"b")], []]
    assert seen == [[("x-a", "b")]]


def test_an_answer_that_refuses_a_websocket_is_seen() -> None:
    seen: list[Any] = []

    async def ignore(*message: Any) -> None:
        pass

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kind = "websocket.http.response"
        await send({"type": f"{kind}.start", "status": 401})
        await send({"type": f"{kind}.body", "body": b"no"})

    worker: Any = SimpleNamespace(nr=0)
    around: Any = hooked(app, worker, None, lambda told: seen.append(told[3]))
    scope = {**SCOPE, "type": "websocket", "scheme": "ws"}
    del scope["method"]
    asyncio.run(around(scope, ignore, ignore))
    assert [(each.status, each.sent) for each in seen] == [("401 Unauthorized", 2)]
