"""WebSockets of ASGI applications."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from celadon import ClientDisconnected
from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.asgi.serving import Message, Once, Receive, Scope, Send, Signal, serve
from tests.support.raw import get
from tests.support.websockets import HANDSHAKE, frame, opened, websocket

ACCEPT: Message = {"type": "websocket.accept"}
DENIAL: Message = {"type": "websocket.http.response.start", "status": 401}


async def echo(scope: Scope, receive: Receive, send: Send) -> Message:
    assert await receive() == {"type": "websocket.connect"}
    await send(ACCEPT)
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return message
        await send({**message, "type": "websocket.send"})


def test_messages_both_ways() -> None:
    with serve(echo) as server, websocket(server, "/") as client:
        for message in ("text", b"bytes", "é" * 1000, b"x" * 300_000, "", b""):
            client.send(message)
            assert client.recv() == message


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_bytes_may_be_of_any_kind(kind: Any) -> None:
    """As uvicorn has it, and as it is for bodies."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(ACCEPT)
        await send({"type": "websocket.send", "bytes": kind(b"abc")})

    with serve(app) as server, websocket(server, "/") as client:
        assert client.recv() == b"abc"


def test_a_scope_of_its_own() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> Scope:
        await send({**ACCEPT, "subprotocol": "b", "headers": [(b"x-a", b"1")]})
        return scope

    once = Once(app)
    with (
        serve(once) as server,
        websocket(server, "/a%20b?c", subprotocols=["a", "b"]) as client,
    ):
        assert client.subprotocol == "b"
        assert client.response is not None
        assert client.response.headers["x-a"] == "1"
        once.done.wait()
    scope = once.value
    assert (scope["type"], scope["scheme"]) == ("websocket", "ws")
    assert scope["subprotocols"] == ["a", "b"]
    assert (scope["path"], scope["query_string"]) == ("/a b", b"c")
    assert "method" not in scope
    assert "websocket.http.response" in scope["extensions"]


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, ""), (4001, "enough"), (1001, "é")]
)
def test_the_clients_code_and_reason_are_told(code: int, reason: str) -> None:
    once = Once(echo)
    with serve(once) as server:
        with websocket(server, "/") as client:
            client.close(code, reason)
        once.done.wait()
    assert once.value == {
        "type": "websocket.disconnect",
        "code": code,
        "reason": reason,
    }


def test_one_that_is_lost_is_1006() -> None:
    once = Once(echo)
    with serve(once) as server:
        opened(server, "/").close()
        once.done.wait()
    assert once.value["code"] == 1006


@pytest.mark.parametrize(("code", "reason"), [(None, None), (4002, "because")])
def test_the_applications_code_and_reason_are_sent(
    code: int | None, reason: str | None
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> list[Any]:
        await send(ACCEPT)
        close: Message = {"type": "websocket.close"}
        await send({**close, "code": code, "reason": reason} if code else close)
        found: list[Any] = [await receive(), await receive()]
        try:
            await send({"type": "websocket.send", "text": "late"})
        except OSError as error:
            found.append(type(error))
        return found

    once = Once(app)
    with serve(once) as server, websocket(server, "/") as client:
        with pytest.raises(ConnectionClosed):
            client.recv()
        assert (client.close_code, client.close_reason) == (code or 1000, reason or "")
        once.done.wait()
    assert once.value[0] == {"type": "websocket.connect"}
    assert once.value[1]["code"] == (code or 1000)
    assert once.value[2] is ClientDisconnected


@pytest.mark.parametrize("raises", [False, True])
def test_what_an_end_of_the_application_closes_with(raises: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(ACCEPT)
        if raises:
            raise ValueError("broken")

    with serve(app) as server, websocket(server, "/") as client:
        with pytest.raises(ConnectionClosed):
            client.recv()
        assert client.close_code == (1011 if raises else 1000)
        server.wait_for(lambda s: s["in_flight"] == 0)
        assert server.stats()["failed"] == raises


def test_refused_before_it_was_accepted() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if scope["path"] == "/close":
            await send({"type": "websocket.close"})
        elif scope["path"] == "/own":
            kind = "websocket.http.response"
            head = {"status": 401, "headers": [(b"x-a", b"1")]}
            await send({"type": f"{kind}.start", **head})
            await send({"type": f"{kind}.body", "body": b"no"})
        elif scope["path"] == "/raises":
            raise ValueError("broken")

    with serve(app) as server:
        for path, status in (
            ("/close", 403),
            ("/own", 401),
            ("/raises", 500),
            ("/", 500),
        ):
            with pytest.raises(InvalidStatus) as caught, websocket(server, path):
                pass
            response = caught.value.response
            assert response.status_code == status
            if path == "/own":
                assert (response.body, response.headers["x-a"]) == (b"no", "1")


def test_a_handshake_that_is_none_is_refused_by_the_server() -> None:
    once = Once(echo)
    fields = [field.replace("13", "8") for field in HANDSHAKE]
    with serve(once) as server:
        assert server.request(get("/", *fields)).status == 426
    assert once.value is None


WRONG: list[Any] = [
    ([{"type": "websocket.send", "text": "a"}], RuntimeError),
    ([ACCEPT, ACCEPT], RuntimeError),
    ([{**ACCEPT, "subprotocol": "other"}], ValueError),
    ([{**ACCEPT, "subprotocol": 1}], TypeError),
    ([{**ACCEPT, "headers": [(b"sec-websocket-accept", b"x")]}], ValueError),
    ([{**ACCEPT, "headers": [("a", "b")]}], TypeError),
    ([ACCEPT, {"type": "websocket.send"}], ValueError),
    ([ACCEPT, {"type": "websocket.send", "text": "a", "bytes": b"b"}], ValueError),
    ([ACCEPT, {"type": "websocket.send", "text": b"a"}], TypeError),
    ([ACCEPT, {"type": "websocket.send", "bytes": "a"}], TypeError),
    *(
        ([ACCEPT, {"type": "websocket.close", "code": code}], ValueError)
        for code in (-1, 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 70_000)
    ),
    ([ACCEPT, {"type": "websocket.close", "reason": "x" * 200}], ValueError),
    ([ACCEPT, {"type": "http.response.start", "status": 200}], ValueError),
    ([DENIAL, ACCEPT], RuntimeError),
    ([DENIAL, {"type": "websocket.close"}], RuntimeError),
]


@pytest.mark.parametrize(("messages", "kind"), WRONG)
def test_messages_that_may_not_be_sent(
    messages: list[Message], kind: type[Exception]
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    once = Once(app)
    with serve(once) as server:
        with suppress(InvalidStatus), websocket(server, "/"):
            pass
        once.done.wait()
    assert type(once.error) is kind


def test_keys_that_nobody_knows_are_passed_over() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({**ACCEPT, "more": 1})
        await send({"type": "websocket.send", "text": "a", "more": 1})
        await send({"type": "websocket.close", "more": 1})

    with serve(app) as server, websocket(server, "/") as client:
        assert client.recv() == "a"


@pytest.mark.parametrize("accepts", [False, True])
def test_who_receives_behind_the_end_of_the_application_is_told_so(
    accepts: bool,
) -> None:
    told: list[Message] = []
    done = Signal()

    async def reads(receive: Receive) -> None:
        while not told or told[-1]["type"] != "websocket.disconnect":
            told.append(await receive())
            assert len(told) < 10
        done.give()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if accepts:
            await send(ACCEPT)
        reader.append(asyncio.create_task(reads(receive)))
        await asyncio.sleep(0.01)
        if not accepts:
            await send({"type": "websocket.close"})

    reader: list[asyncio.Task[None]] = []
    with serve(app) as server:
        with (
            suppress(ConnectionClosed, InvalidStatus),
            websocket(server, "/") as client,
        ):
            client.recv()
        done.wait()
    assert [each["type"] for each in told] == [
        "websocket.connect",
        "websocket.disconnect",
    ]
    assert told[-1]["code"] == (1000 if accepts else 1006)


def test_a_message_that_is_too_large_is_1009() -> None:
    once = Once(echo)
    with (
        serve(once, websocket_max_message_size=100) as server,
        websocket(server, "/") as client,
    ):
        client.send("x" * 101)
        with pytest.raises(ConnectionClosed):
            client.recv()
        assert client.close_code == 1009
        once.done.wait()
    assert once.value["code"] == 1009


def test_who_sends_more_than_is_taken_waits_and_hears_of_the_end() -> None:
    sent: list[int] = []
    blocked = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(ACCEPT)
        watcher = asyncio.create_task(blocked.give_once_still(sent))
        for i in range(1000):
            await send({"type": "websocket.send", "bytes": b"x" * 100_000})
            sent.append(i)
        await watcher

    once = Once(app)
    with serve(once) as server:
        client = opened(server, "/")
        blocked.wait()
        assert len(sent) < 300
        client.close()
        once.done.wait()
        server.wait_for(lambda s: s["in_flight"] == 0)
    assert isinstance(once.error, OSError)


def test_reading_stops_where_the_application_does_not_receive() -> None:
    go = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> int:
        await receive()
        await send(ACCEPT)
        await go.come()
        count = 0
        while (await receive())["type"] == "websocket.receive":
            count += 1
        return count

    once = Once(app)
    with serve(once) as server:
        client = opened(server, "/")
        client.send(frame(2, b"x" * 100) * 5000)
        go.give()
        client.send(frame(8, b"\x03\xe8"))
        once.done.wait()
        client.close()
    assert once.value == 5000


def test_a_stop_says_1001_and_the_application_hears_of_it() -> None:
    ready = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> Message:
        await receive()
        await send(ACCEPT)
        ready.give()
        return await receive()

    once = Once(app)
    with serve(once) as server, websocket(server, "/") as client:
        ready.wait()
        server.server.stop()
        with pytest.raises(ConnectionClosed):
            client.recv()
        assert client.close_code == 1001
        once.done.wait()
        server.server.join()
    assert once.value["code"] == 1001


def test_an_accepted_one_has_no_deadline() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(ACCEPT)
        await asyncio.sleep(0.3)
        await send({"type": "websocket.send", "text": "late"})

    with (
        serve(app, request_timeout=0.1) as server,
        websocket(server, "/") as client,
    ):
        assert client.recv() == "late"


def test_deflate() -> None:
    with (
        serve(echo, websocket_compression=True) as server,
        websocket(server, "/", compression="deflate") as client,
    ):
        client.send("x" * 100_000)
        assert client.recv() == "x" * 100_000


def test_starlette() -> None:
    class Endpoint(WebSocketEndpoint):
        encoding = "json"

        async def on_receive(self, websocket: WebSocket, data: Any) -> None:
            await websocket.send_json({"got": data})

    async def chat(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            async for text in websocket.iter_text():
                await websocket.send_text(text.upper())
        except WebSocketDisconnect:
            pass

    routes = [WebSocketRoute("/json", Endpoint), WebSocketRoute("/chat", chat)]
    with serve(Starlette(routes=routes)) as server:
        with websocket(server, "/json") as client:
            client.send('{"a": 1}')
            assert client.recv() == '{"got":{"a":1}}'
        with websocket(server, "/chat") as client:
            client.send("hello")
            assert client.recv() == "HELLO"
        with pytest.raises(InvalidStatus), websocket(server, "/none"):
            pass
        server.wait_for(lambda s: s["in_flight"] == 0)
        assert server.stats()["failed"] == 0


def test_a_client_that_leaves_before_it_is_accepted_is_lost() -> None:
    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        message = await receive()
        assert (message["type"], message["code"]) == ("websocket.disconnect", 1006)
        with pytest.raises(ClientDisconnected):
            await send({"type": "websocket.accept"})

    once = Once(run)
    with serve(once) as server, server.client() as client:
        client.send(get("/", *HANDSHAKE))
        client.shutdown()
        once.done.wait()
    assert once.error is None
