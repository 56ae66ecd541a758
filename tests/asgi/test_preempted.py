"""News that come while what is to hear of them is preempted, between two bytecodes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from celadon._core import green as core
from celadon.aio import EventLoop

from tests.asgi.serving import (
    END,
    GET,
    START,
    Receive,
    Scope,
    Send,
    Signal,
    body,
    serve,
)
from tests.support.raw import get
from tests.support.websockets import frame, opened

PIECES = 40
PIECE = b"x" * 499_999 + b">"


def let_others_run(until: Callable[[], bool]) -> None:
    while not until():
        core.preempt_here()
    for _ in range(100):  # what they have begun
        core.preempt_here()


@pytest.fixture
def in_between(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """What is to run when something has found that it must wait, and waits for no news yet."""
    each_time: list[Callable[[], None]] = []
    original = EventLoop.create_future

    def create_future(loop: EventLoop) -> asyncio.Future[None]:
        for run in each_time:
            run()
        return original(loop)

    monkeypatch.setattr(EventLoop, "create_future", create_future)
    return each_time


@pytest.mark.parametrize("is_socket", [False, True])
def test_what_comes_is_received(
    in_between: list[Callable[[], None]], is_socket: bool
) -> None:
    asked, came = Signal(), Signal()

    def wait() -> None:
        asked.give()
        let_others_run(came.is_given)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/other":
            await send(START)
            await send(END)
            return
        if is_socket:
            await receive()
            await send({"type": "websocket.accept"})
        in_between.append(wait)
        message = await receive()
        in_between.clear()
        if is_socket:
            await send({"type": "websocket.send", "text": message["text"]})
        else:
            await send(START)
            await send(body(message["body"]))

    with serve(app) as server, server.client() as other:
        client = opened(server, "/") if is_socket else server.client()
        with client:
            if not is_socket:
                client.send(get("/", "Content-Length: 5"))
            asked.wait()
            client.send(frame(1, b"hello") if is_socket else b"hello")
            other.send(get("/other"))
            server.wait_for(lambda s: s["requests"] == 2)
            came.give()
            if is_socket:
                assert client.read_exactly(7) == b"\x81\x05hello"
            else:
                assert client.response().body == b"hello"


def test_room_is_made_use_of(in_between: list[Callable[[], None]]) -> None:
    sent, got = 0, 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        in_between.append(lambda: let_others_run(lambda: got == sent))
        await send(START)
        for _ in range(PIECES):
            await send(body(PIECE, True))
            sent += 1
        in_between.clear()
        await send(END)

    with serve(app) as server, server.client() as client:
        client.send(GET)
        while got < PIECES:
            data = client.sock.recv(1 << 20)
            assert data
            got += data.count(b">")


def test_a_request_that_comes_before_the_loop_rests_is_served() -> None:
    ready = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, EventLoop)

        def time_left() -> float | None:
            del vars(loop)["_time_left"]
            ready.give()
            while not loop._ready:
                core.preempt_here()
            return None

        if scope["path"] == "/first":
            vars(loop)["_time_left"] = time_left
        await send(START)
        await send(END)

    with serve(app) as server:
        assert server.request(get("/first")).status == 200
        ready.wait()
        assert server.request(GET).status == 200
