"""`send` that waits for room: in its line, and without having sent."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import pytest
from celadon import ClientDisconnected

from tests.asgi.serving import (
    END,
    GET,
    START,
    Message,
    Once,
    Receive,
    Scope,
    Send,
    Signal,
    body,
    serve,
)
from tests.support.raw import TIMEOUT
from tests.support.websockets import opened, websocket

ACCEPT: Message = {"type": "websocket.accept"}
COUNT = 400  # pieces, of which no socket takes all


def piece(number: int) -> bytes:
    return b"%09d," % number * 10_000


async def send_at_last(send: Send, message: Message, gave_up: Signal) -> None:
    """Gives up again and again."""
    for times in itertools.count(1):
        try:
            return await asyncio.wait_for(send(message), 0.01)
        except TimeoutError:
            if times == 20:
                gave_up.give()
    return None


@pytest.mark.row("RS10")
def test_a_piece_whose_send_was_cancelled_was_not_sent() -> None:
    gave_up = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        for number in range(COUNT):
            await send_at_last(send, body(piece(number), True), gave_up)
        await send(END)

    with serve(app) as server, server.client() as client:
        client.send(GET)
        gave_up.wait()
        got = client.response().body
    assert got == b"".join(map(piece, range(COUNT)))


def test_nor_was_a_message() -> None:
    gave_up = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(ACCEPT)
        for number in range(COUNT):
            message = {"type": "websocket.send", "bytes": piece(number)}
            await send_at_last(send, message, gave_up)

    with serve(app) as server, websocket(server, "/") as client:
        gave_up.wait()
        for number in range(COUNT):
            assert client.recv() == piece(number)


@pytest.mark.parametrize("is_socket", [False, True])
def test_pieces_of_many_senders_leave_in_the_order_of_their_calls(
    is_socket: bool,
) -> None:
    blocked, calls = Signal(), itertools.count()
    sent: list[int] = []

    async def call(send: Send) -> None:
        while (number := next(calls)) < COUNT:
            if is_socket:
                await send({"type": "websocket.send", "bytes": piece(number)})
            else:
                await send(body(piece(number), True))
            sent.append(number)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(ACCEPT if is_socket else START)
        watcher = asyncio.create_task(blocked.give_once_still(sent))
        await asyncio.gather(*(call(send) for _ in range(7)))
        await watcher
        if not is_socket:
            await send(END)

    expected = [piece(number) for number in range(COUNT)]
    with serve(app) as server:
        if is_socket:
            with websocket(server, "/") as client:
                blocked.wait()
                assert [client.recv() for _ in range(COUNT)] == expected
        else:
            with server.client() as client:
                client.send(GET)
                blocked.wait()
                assert client.response().body == b"".join(expected)


def test_the_end_of_an_answer_comes_behind_who_waits_for_room() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        pieces = [body(piece(number), True) for number in range(COUNT)]
        await asyncio.gather(*map(send, [*pieces, END]))

    once = Once(app)
    with serve(once) as server, server.client() as client:
        client.send(GET)
        assert client.response().body == b"".join(map(piece, range(COUNT)))
        once.done.wait()
    assert once.error is None


def test_a_close_does_not_wait_for_who_waits_for_room() -> None:
    blocked = Signal()
    sent: list[int] = []

    async def fill(send: Send) -> None:
        while True:
            await send({"type": "websocket.send", "bytes": piece(0)})
            sent.append(0)

    async def app(scope: Scope, receive: Receive, send: Send) -> Any:
        await send(ACCEPT)
        fills = [asyncio.create_task(fill(send)) for _ in range(3)]
        await blocked.give_once_still(sent)
        await asyncio.wait_for(send({"type": "websocket.close"}), TIMEOUT)
        return await asyncio.gather(*fills, return_exceptions=True)

    once = Once(app)
    with serve(once) as server:
        client = opened(server, "/")
        once.done.wait()
        client.close()
    assert [type(error) for error in once.value] == [ClientDisconnected] * 3


@pytest.mark.parametrize("more", [False, True])
def test_a_limit_that_came_with_the_answer_is_none_for_what_follows(more: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> str:
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            pass
        await asyncio.sleep(0)  # it comes here
        await send(START)
        await send(body(b"x", more))
        await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)
        if more:
            await send(END)
        return "done"

    once = Once(app)
    with serve(once, request_timeout=0.05) as server:
        assert server.request(GET).body == b"x"
        once.done.wait()
    assert once.value == "done"


def test_a_message_that_nobody_awaits_is_warned_of() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        send(START)  # type: ignore[unused-coroutine]
        receive()  # type: ignore[unused-coroutine]
        await send(START)
        await send(END)

    with (
        pytest.warns(
            RuntimeWarning, match="coroutine '(send|receive)' was never"
        ) as seen,
        serve(app) as server,
    ):
        assert server.request(GET).status == 200
    assert [str(each.message).split("'")[1] for each in seen] == ["send", "receive"]


@pytest.mark.parametrize("more", [False, True])
def test_the_fields_of_a_head_that_is_out_are_kept_no_longer(more: bool) -> None:
    freed: list[bool] = []

    class Value(bytes):
        def __del__(self) -> None:
            freed.append(True)

    async def app(scope: Scope, receive: Receive, send: Send) -> int:
        value = [[b"x-a", Value(b"b")]]
        await send({"type": "http.response.start", "status": 200, "headers": value})
        del value
        await send(body(b"x", more))
        kept = len(freed)
        if more:
            await send(END)
        return kept

    once = Once(app)
    with serve(once) as server:
        assert server.request(GET).get("X-A") == "b"
        once.done.wait()
    assert once.value == 1
