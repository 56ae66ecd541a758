"""Hooks around the requests of an ASGI application."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
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


async def receive() -> Any:
    raise AssertionError


@pytest.mark.parametrize("said", [None, b"3"])
def test_bytes_of_a_file_are_counted(said: bytes | None, tmp_path: Path) -> None:
    """As those of WSGI's are."""
    (tmp_path / "file").write_bytes(b"12345")
    fields = [(b"content-length", said)] if said is not None else []
    order: list[Any] = []

    async def send(message: Any) -> None:
        order.append(message["type"])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        path = str(tmp_path / "file")
        await send({"type": "http.response.pathsend", "path": path})
        order.append("goes on")

    worker: Any = SimpleNamespace(nr=0)
    around: Any = hooked(app, worker, None, lambda told: order.append(told[3].sent))
    asyncio.run(around(dict(SCOPE), receive, send))
    assert order[1:] == ["http.response.pathsend", int(said or 5), "goes on"]


def test_headers_of_a_generator_are_seen_and_sent() -> None:
    sent: list[Any] = []
    seen: list[Any] = []

    async def send(message: Any) -> None:
        sent.append([*message.get("headers", ())])

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
