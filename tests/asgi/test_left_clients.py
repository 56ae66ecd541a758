"""Clients that leave: no error of the application, by whichever exception it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from celadon import ClientDisconnected
from channels.exceptions import RequestAborted
from fastapi import FastAPI
from litestar.exceptions import WebSocketDisconnect as OfLitestar
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.asgi.serving import (
    END,
    GET,
    START,
    Once,
    Receive,
    Scope,
    Send,
    Signal,
    serve,
)
from tests.support.raw import Client
from tests.support.servers import Running
from tests.support.websockets import frame, opened

HALF = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab"


class Passes(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        return response


async def view(request: Request) -> Response:
    return Response(await request.body())


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """What no framework's own handler has seen."""
    await Request(scope, receive, send).body()


def fastapi() -> FastAPI:
    app = FastAPI()

    @app.post("/")
    async def taken(item: dict[str, int]) -> dict[str, int]:
        return item

    return app


ROUTES = [Route("/", view, methods=["POST"])]
READERS = {
    "bare": bare,
    "starlette": Starlette(routes=ROUTES),
    "behind a middleware": Starlette(routes=ROUTES, middleware=[Middleware(Passes)]),
    "fastapi": fastapi(),
}


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]


def settled(server: Running) -> None:
    server.wait_for(lambda s: s["in_flight"] == 0)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("leave", [Client.close, Client.shutdown])
def test_a_body_cut_short(
    name: str, leave: Any, caplog: pytest.LogCaptureFixture
) -> None:
    once = Once(READERS[name])
    with serve(once) as server, server.client() as client:
        client.send(HALF)
        server.wait_for(lambda s: s["in_flight"] == 1)
        leave(client)
        once.done.wait()
        settled(server)
        assert server.stats()["failed"] == 0
        if leave is Client.shutdown:  # it may still listen
            assert client.response().status == 400
    assert errors(caplog) == []


def test_one_that_returns_then(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    with serve(app) as server, server.client() as client:
        client.send(HALF)
        client.shutdown()
        assert client.response().status == 400
        assert server.stats()["failed"] == 0
    assert errors(caplog) == []


def test_one_that_answers_then_hears_that_nobody_is_there() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        assert await receive() == {"type": "http.disconnect"}
        await send(START)

    once = Once(app)
    with serve(once) as server, server.client() as client:
        client.send(HALF)
        client.shutdown()
        assert client.response().status == 400
        once.done.wait()
    assert isinstance(once.error, ClientDisconnected)


def test_a_stream_that_nobody_takes_any_more(caplog: pytest.LogCaptureFixture) -> None:
    async def stream(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0)

        return StreamingResponse(pieces())

    once = Once(Starlette(routes=[Route("/", stream)]))
    with serve(once) as server:
        with server.client() as client:
            client.send(GET)
            client.read_exactly(5000)
        once.done.wait()
        settled(server)
        assert server.stats()["failed"] == 0
    assert isinstance(once.error, ClientDisconnect)
    assert errors(caplog) == []


CLOSE = frame(8, b"\x03\xe8")


@pytest.mark.parametrize("where", ["receive", "send"])
def test_a_websocket_that_is_closed(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By a client that takes nothing of what it is sent."""

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        while True:
            if where == "receive":
                await socket.receive_text()
            else:
                await socket.send_text("x" * 1000)

    once = Once(Starlette(routes=[WebSocketRoute("/", talk)]))
    with serve(once) as server:
        with opened(server, "/") as client:
            if where == "send":
                client.read_exactly(5000)
            client.send(CLOSE)
            once.done.wait()
        settled(server)
        assert server.stats()["failed"] == 0
    assert isinstance(once.error, WebSocketDisconnect)
    assert errors(caplog) == []


class OfOnesOwn(ClientDisconnect):
    pass


@pytest.mark.parametrize(
    "kind", [OfOnesOwn, RequestAborted, lambda: OfLitestar(detail="")]
)
def test_what_others_call_it(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        raise ExceptionGroup("of tasks", [kind()])

    with serve(app) as server, server.client() as client:
        client.send(HALF)
        client.shutdown()
        assert client.response().status == 400
        assert server.stats()["failed"] == 0
    assert errors(caplog) == []


# --- what is its error still ---


@pytest.mark.parametrize("kind", [ValueError, ClientDisconnect])
def test_an_error_of_its_own_is_one(
    kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever says that a client has left who has not, too."""
    left = kind is ValueError

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if left:
            try:
                await Request(scope, receive, send).body()
            except ClientDisconnect:
                raise ValueError("in its own cleaning up") from None
        raise kind

    with serve(app) as server, server.client() as client:
        client.send(HALF if left else GET)
        if left:
            client.shutdown()
        assert client.response().status == 500
        assert server.stats()["failed"] == 1
    assert len(errors(caplog)) == 1


def test_a_body_that_is_read_behind_the_answer_is_its_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(END)
        try:
            await Request(scope, receive, send).body()
        finally:
            ended.give()

    with serve(app) as server:
        assert server.request(GET).status == 200
        ended.wait()
        server.wait_for(lambda s: s["failed"] == 1)


def test_a_websocket_that_is_open_has_not_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        raise WebSocketDisconnect(1000)

    with serve(app) as server, opened(server, "/") as client:
        _, size = client.read_exactly(2)
        client.read_exactly(size)
        client.send(CLOSE)
        client.read_to_end()
        server.wait_for(lambda s: s["failed"] == 1)
