"""Messages whose reading waits, while their request ends or goes on elsewhere."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celadon import ClientDisconnected, green
from websockets.exceptions import ConnectionClosed

from tests.asgi.serving import (
    END,
    GET,
    START,
    Message,
    Receive,
    Scope,
    Send,
    body,
    serve,
)
from tests.support import raw
from tests.support.websockets import HANDSHAKE, websocket


class Fields:
    """An iterable of fields that waits before it gives one."""

    def __init__(self) -> None:
        self.asked, self.goes_on = green.Event(), green.Event()

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        self.asked.set()
        self.goes_on.wait()
        yield (b"X-Of", b"the one before")


@pytest.mark.parametrize("kind", ["start", "trailers"])
def test_fields_of_a_request_that_has_ended_are_in_no_others_answer(kind: str) -> None:
    late: list[asyncio.Task[Any]] = []
    fields = Fields()

    async def first(send: Send) -> None:
        if kind == "trailers":
            await send({**START, "trailers": True})
            await send(body(b"one"))
        message: Message = {"type": f"http.response.{kind}", "headers": fields}
        if kind == "start":
            message["status"] = 200
        late.append(asyncio.create_task(send(message)))
        while not fields.asked.is_set():
            await asyncio.sleep(0)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/first":
            await first(send)
            return
        if kind == "trailers":
            await send({**START, "trailers": True})
            await send(body(b"two"))
        fields.goes_on.set()
        await asyncio.wait(late)
        if kind == "trailers":
            await send({"type": "http.response.trailers", "headers": []})
        else:
            await send(START)
            await send(body(b"two"))

    with serve(app) as server:
        with server.client() as client:
            client.send(raw.get("/first", "Connection: close"))
            client.read_to_end()
        with server.client() as client:
            client.send(raw.get("/second"))
            answer = client.response()
    assert answer.body == b"two"
    assert answer.all("X-Of") == []
    assert isinstance(late[0].exception(), ClientDisconnected)


def test_a_websocket_that_is_accepted_meanwhile_gets_no_answer() -> None:
    fields = Fields()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        kind = "websocket.http.response.start"
        late = asyncio.create_task(
            send({"type": kind, "status": 401, "headers": fields})
        )
        while not fields.asked.is_set():
            await asyncio.sleep(0)
        await send({"type": "websocket.accept"})
        fields.goes_on.set()
        await asyncio.wait([late])
        await asyncio.sleep(0.01)
        text = type(late.exception()).__name__
        await send({"type": "websocket.send", "text": text})

    with serve(app) as server, websocket(server, "/") as client:
        assert client.recv() == "RuntimeError"


class Key(str):
    """A key of a message that waits before it is no other one."""

    waits = False

    def __init__(self, _: str) -> None:
        self.asked, self.goes_on = green.Event(), green.Event()

    def __hash__(self) -> int:
        return hash("type")

    def __eq__(self, other: object) -> bool:
        if self.waits:
            self.waits = False
            self.asked.set()
            self.goes_on.wait()
        return False


@pytest.mark.parametrize("kind", ["send", "close"])
def test_a_message_of_a_websocket_that_has_ended_is_not_looked_at(kind: str) -> None:
    late: list[asyncio.Task[Any]] = []
    key = Key("key")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        if scope["path"] == "/first":
            message: Message = {key: 1, "type": f"websocket.{kind}"}
            if kind == "send":
                message["text"] = "late"
            key.waits = True
            late.append(asyncio.create_task(send(message)))
            while not key.asked.is_set():
                await asyncio.sleep(0)
            return
        key.goes_on.set()
        await asyncio.wait(late)
        await send({"type": "websocket.send", "text": "mine"})

    with serve(app) as server:
        with websocket(server, "/first") as client, pytest.raises(ConnectionClosed):
            client.recv()
        server.wait_for(lambda s: s["in_flight"] == 0)
        with websocket(server, "/second") as client:
            assert client.recv() == "mine"
    assert isinstance(late[0].exception(), ClientDisconnected)


def test_a_path_that_takes_itself_out_of_its_message(tmp_path: Path) -> None:
    class Own:
        def __fspath__(self) -> str:
            message.clear()
            return str(tmp_path / "none")

    message: Message = {"type": "http.response.pathsend", "path": Own()}
    errors: list[OSError] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        try:
            await send(message)
        except FileNotFoundError as error:
            errors.append(error)
        await send(END)

    with serve(app) as server:
        assert server.request(GET).status == 200
    assert type(errors[0].filename).__name__ == "Own"


def test_nothing_else_is_sent_while_a_file_is_on_its_way(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * (32 << 20))
    refused: list[BaseException] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        sends = asyncio.create_task(
            send({"type": "http.response.pathsend", "path": str(file)})
        )
        await asyncio.sleep(0)
        while not sends.done() and not refused:
            try:
                await send(END)
            except RuntimeError as error:
                refused.append(error)
            await asyncio.sleep(0)
        await sends

    with serve(app) as server, server.client() as client:
        client.send(GET)
        assert client.response().body == file.read_bytes()
    assert "on its way" in str(refused[0])


def test_a_fifo_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.pathsend", "path": str(tmp_path / "fifo")})

    with serve(app) as server:
        assert server.request(GET).status == 500


def test_a_cancellation_of_the_applications_own_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError("by itself")

    with serve(app) as server:
        assert server.request(GET).status == 500
    assert "by itself" in caplog.text


def test_a_client_that_leaves_a_group_of_tasks_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended = green.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def sends() -> None:
            while True:
                await send(body(b"x" * 1000, True))
                await asyncio.sleep(0)

        await send(START)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(sends())
        finally:
            ended.set()

    with serve(app) as server:
        with server.client() as client:
            client.send(GET)
            client.read_exactly(5000)
        server.wait_for(lambda s: s["in_flight"] == 0)
    assert ended.is_set()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_who_closes_his_own_coroutine_goes_on() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        assert task is not None
        with pytest.raises(ValueError, match="executing"):
            task.get_coro().close()  # type: ignore[union-attr]
        await send(START)
        await send(body(b"here"))

    with serve(app) as server:
        assert server.request(GET).body == b"here"


def test_what_goes_on_behind_an_answer_of_the_first_step_ends_before_the_lifespan() -> (
    None
):
    order: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            order.append("lifespan")
            await send({"type": "lifespan.shutdown.complete"})
            return
        goes_on = green.Event()

        async def release() -> None:
            await asyncio.sleep(0.3)
            goes_on.set()

        released = asyncio.create_task(release())
        await send(START)
        await send(body(b"told"))
        goes_on.wait()
        order.append("background")
        await released

    with serve(app, lifespan="on") as server:
        assert server.request(GET).body == b"told"
        server.server.stop()
        server.server.join(raw.TIMEOUT)
    assert order == ["background", "lifespan"]


@pytest.mark.parametrize("request_", [GET, raw.get("/", *HANDSHAKE)])
def test_who_returns_once_his_client_has_left_has_done_nothing_wrong(
    request_: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while not (await receive())["type"].endswith(".disconnect"):
            pass

    with serve(app) as server:
        with server.client() as client:
            client.send(request_)
            client.shutdown()
            assert client.read_to_end() == b""
        server.wait_for(lambda s: s["in_flight"] == 0)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize("kind", [memoryview, bytearray])
def test_what_can_be_read_as_bytes_is_a_body(kind: type) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": kind(b"abc")})

    with serve(app) as server:
        assert server.request(GET).body == b"abc"
