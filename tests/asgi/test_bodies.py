"""`receive`: bodies, and the end of a client (AS02, CN15)."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from pathlib import Path
from typing import Any

import pytest
from celadon import BodyError, ClientDisconnected

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
from tests.support.raw import Client, post
from tests.support.servers import can_leave_memory, drop_from_memory
from tests.support.timing import once_right

pytestmark = pytest.mark.row("AS02", "CN15")


def reset(client: Client) -> None:
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


async def read(receive: Receive) -> bytes:
    data = b""
    while True:
        message = await receive()
        assert message["type"] == "http.request"
        data += bytes(message["body"])
        if not message["more_body"]:
            return data


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    data = await read(receive)
    await send(START)
    await send(body(data))


def test_no_body_is_one_empty_piece() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> Message:
        message = await receive()
        await send(START)
        await send(END)
        return message

    once = Once(app)
    with serve(once) as server:
        assert server.request(GET).body == b""
    assert once.value == {"type": "http.request", "body": b"", "more_body": False}


@pytest.mark.parametrize("buffering", [False, True])
@pytest.mark.parametrize("size", [1, 70_000, 3_000_000])
def test_a_body_comes_in_pieces_and_ends(size: int, buffering: bool) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    with serve(echo, request_buffering=buffering) as server, server.client() as client:
        head = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"
        client.send(head.encode() + data[:size])
        assert client.response().body == data[:size]
        client.send(GET)
        assert client.response().body == b""


@pytest.mark.parametrize("buffering", [False, True])
def test_a_chunked_body_ends_too(buffering: bool) -> None:
    with serve(echo, request_buffering=buffering) as server, server.client() as client:
        client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n"
        )
        client.send(b"2\r\nde\r\n0\r\n\r\n")
        assert client.response().body == b"abcde"


def test_a_body_that_comes_slowly_is_waited_for() -> None:
    first = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        one = await receive()
        first.give()
        two = await receive()
        await send(START)
        await send(body(one["body"] + two["body"]))

    with serve(app) as server, server.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
        first.wait()
        client.send(b"b")
        assert client.response().body == b"ab"


def test_continue_is_said_once_the_body_is_wanted() -> None:
    with serve(echo) as server, server.client() as client:
        client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert client.any_response().status == 100
        client.send(b"ab")
        assert client.response().body == b"ab"


def test_what_nobody_reads_does_not_disturb_the_next_request() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(body(scope["path"].encode()))

    with serve(app) as server, server.client() as client:
        client.send(
            b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + GET
        )
        assert [client.response().body for _ in range(2)] == [b"/a", b"/"]


@pytest.mark.parametrize("leave", [reset, Client.close])
def test_receive_says_at_once_that_the_client_left(leave: Any) -> None:
    waits = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> Message:
        await receive()
        waits.give()
        return await receive()

    once = Once(app)
    with serve(once) as server:
        client = server.client()
        client.send(GET)
        waits.wait()
        leave(client)
        once.done.wait()
    assert once.value == {"type": "http.disconnect"}


def test_who_sleeps_hears_of_it_by_his_next_messages() -> None:
    sleeps, left = Signal(), Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> list[Any]:
        await receive()
        sleeps.give()
        await left.come()
        found: list[Any] = [await receive(), await receive()]
        for message in (START, END):
            try:
                await send(message)
            except OSError as error:
                found.append(error)
        return found

    once = Once(app)
    with serve(once) as server:
        client = server.client()
        client.send(GET)
        sleeps.wait()
        reset(client)
        server.wait_for(lambda s: s["client_gone"] == 1)
        left.give()
        once.done.wait()
        messages, errors = once.value[:2], once.value[2:]
        assert messages == [{"type": "http.disconnect"}] * 2
        assert [type(error) for error in errors] == [ClientDisconnected] * 2
        server.wait_for(lambda s: s["in_flight"] == 0)
        assert server.stats()["failed"] == 0


def test_one_that_only_says_that_nothing_follows_gets_its_answer() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> Message:
        await receive()
        left = await receive()
        await send(START)
        await send(body(b"whole"))
        return left

    once = Once(app)
    with serve(once) as server, server.client() as client:
        client.send(GET)
        client.shutdown()
        assert client.response().body == b"whole"
        once.done.wait()
    assert once.value == {"type": "http.disconnect"}


def test_receive_after_the_answer_says_that_it_is_over() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> list[Message]:
        await send(START)
        await send(END)
        return [await receive(), await receive()]

    once = Once(app)
    with serve(once) as server:
        server.request(GET)
        once.done.wait()
    assert once.value == [{"type": "http.disconnect"}] * 2


def test_who_waits_in_receive_hears_that_the_answer_is_complete() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> Message:
        await receive()
        waits = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        await send(START)
        await send(END)
        return await waits

    once = Once(app)
    with serve(once) as server:
        server.request(GET)
        once.done.wait()
    assert once.value == {"type": "http.disconnect"}


def test_two_may_wait_and_both_hear_of_the_end() -> None:
    both = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> list[Message]:
        await receive()
        waits = [asyncio.create_task(receive()) for _ in range(2)]
        await asyncio.sleep(0)
        both.give()
        return list(await asyncio.gather(*waits))

    once = Once(app)
    with serve(once) as server:
        client = server.client()
        client.send(GET)
        both.wait()
        reset(client)
        once.done.wait()
    assert once.value == [{"type": "http.disconnect"}] * 2


def test_a_receive_that_is_cancelled_takes_nothing() -> None:
    early = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receive(), 0.01)
        early.give()
        await send(START)
        await send(body(await read(receive)))

    with serve(app) as server, server.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
        early.wait()
        client.send(b"ab")
        assert client.response().body == b"ab"


def test_a_body_cut_short_ends_with_a_disconnect_and_passes_for_no_whole_one() -> None:
    part = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> list[Message]:
        one = await receive()
        part.give()
        return [one, await receive()]

    once = Once(app)
    with serve(once) as server:
        client = server.client()
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab")
        part.wait()
        client.close()
        once.done.wait()
    assert once.value == [
        {"type": "http.request", "body": b"ab", "more_body": True},
        {"type": "http.disconnect"},
    ]


CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status"), [(b"zz\r\n", 400), (b"20\r\n" + b"x" * 32, 413)]
)
def test_a_body_that_breaks_a_rule_raises_and_is_answered(
    sent: bytes, status: int
) -> None:
    begun = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.give()
        await read(receive)

    once = Once(app)
    with serve(once, limit_request_body=10) as server, server.client() as client:
        client.send(CHUNKED)
        begun.wait()
        client.send(sent)
        assert client.response().status == status
        once.done.wait()
        assert server.stats()["failed"] == 0
    assert isinstance(once.error, BodyError)


def test_one_that_broke_before_it_was_begun_never_is() -> None:
    once = Once(echo)
    with serve(once) as server, server.client() as client:
        client.send(CHUNKED + b"zz\r\n")
        assert client.response().status == 400
    assert once.error is None


@pytest.mark.parametrize("way", ["alone", "two at once", "left"])
def test_a_spooled_body_that_left_memory_does_not_hold_the_loop(
    way: str, tmp_path: Path
) -> None:
    """Design §9, cold files: a pool thread waits for the disk, as for WSGI. (A look that
    does not wait starts to read, which may be over before it ends.)"""
    once_right(lambda: _is_read_off_the_loop(way, tmp_path))


def _is_read_off_the_loop(way: str, folder: Path) -> None:
    data = b"".join(b"%d\n" % number for number in range(200_000))

    async def app(
        scope: Scope, receive: Receive, send: Send
    ) -> tuple[bool, set[str], Any]:
        [spool] = [
            int(fd.name)
            for fd in Path("/proc/self/fd").iterdir()
            if fd.is_symlink() and str(folder) in str(fd.readlink())
        ]
        cold = drop_from_memory(spool)
        threads = set(os.listdir("/proc/self/task"))
        if way == "left":
            late = asyncio.create_task(receive())
            await asyncio.sleep(0)
            await send(START)
            await send(END)
            got: Any = await late
        elif way == "two at once":
            pieces = await asyncio.gather(read(receive), read(receive))
            got = sum(map(len, pieces))
        else:
            got = await read(receive)
        started = set(os.listdir("/proc/self/task")) - threads
        if way != "left":
            await send(START)
            await send(body(b"ok"))
        return cold, started, got

    once = Once(app)
    settings: Any = {"request_buffering": True, "tmp_upload_dir": str(folder)}
    with serve(once, **settings) as server:
        assert server.request(post("/", data)).status == 200
        once.done.wait()
    cold, started, got = once.value
    assert cold == can_leave_memory(folder)
    assert bool(started) == cold
    if way == "alone":
        assert got == data
    elif way == "two at once":
        assert got == len(data)
    else:
        assert got["type"] in ("http.request", "http.disconnect")
