"""WebSockets of ASGI applications whose clients leave, are late, or send much."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time

import pytest
from celadon import ClientDisconnected
from websockets.exceptions import ConnectionClosed

from tests.asgi.serving import (
    START,
    Message,
    Once,
    Receive,
    Scope,
    Send,
    body,
    serve,
)
from tests.support.raw import TIMEOUT, get
from tests.support.websockets import HANDSHAKE, frame, opened, websocket

ACCEPT: Message = {"type": "websocket.accept"}


def test_one_that_is_lost_while_it_is_accepted_leaves_the_worker_alone() -> None:
    """What it had sent ahead was told of by then."""
    asked, left = threading.Event(), threading.Event()

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        asked.set()
        assert left.wait(TIMEOUT)  # the server hears of nothing meanwhile
        with pytest.raises(ClientDisconnected):
            await send(ACCEPT)
        await asyncio.sleep(0.01)  # the turn of the loop ends

    once = Once(run)
    with serve(once) as server:
        with server.client() as client:
            client.send(get("/", *HANDSHAKE) + frame(1, b"ahead"))
            assert asked.wait(TIMEOUT)
            client.sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        left.set()
        once.done.wait()
        server.wait_for(lambda s: s["in_flight"] == 0)
    assert once.error is None


def test_an_id_of_the_applications_own_is_the_only_one() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({**ACCEPT, "headers": [(b"x-request-id", b"its own")]})

    with serve(app) as server, websocket(server, "/") as client:
        assert client.response is not None
        assert client.response.headers.get_all("X-Request-ID") == ["its own"]


def test_who_is_late_and_accepts_still_has_raised() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.sleep(TIMEOUT)
        finally:
            await send(ACCEPT)

    with (
        serve(app, request_timeout=0.1) as server,
        websocket(server, "/") as client,
    ):
        with pytest.raises(ConnectionClosed):
            client.recv(TIMEOUT)
        assert client.close_code == 1011


def test_others_are_served_while_a_client_sends_much() -> None:
    """Each of its messages costs time, and none has to be waited for."""
    count = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal count
        if scope["type"] == "http":
            await send(START)
            await send(body(b"%d" % count))
            return
        await send(ACCEPT)
        await receive()
        while (await receive())["type"] == "websocket.receive":
            end = time.monotonic() + 0.001
            while time.monotonic() < end:
                pass
            count += 1
            if count == 1:
                await send({"type": "websocket.send", "text": ""})

    with serve(app) as server, opened(server, "/") as client:
        client.send(frame(1, b"") * 4000)
        assert client.read_exactly(2) == b"\x81\x00"
        assert int(server.request(get("/")).body) < 3000
