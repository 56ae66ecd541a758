"""Applications that keep what belongs to a request: its task, its `receive`, its `send`."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import weakref
from typing import Any

import pytest

from tests.asgi.serving import GET, START, Receive, Scope, Send, body, serve
from tests.support.raw import get

PATHS = ("/keeps", "/waits", "/fails", "/cancels")


class Kept:
    """Knows itself, and what it is given."""

    def __init__(self, *things: Any) -> None:
        self.all = (self, *things)


async def keeping(scope: Scope, receive: Receive, send: Send) -> None:
    task = asyncio.current_task()
    late = asyncio.ensure_future(receive())
    message: dict[str, Any] = body(b"x")
    kept = Kept(task, scope, receive, send, late, message)
    message["of the application"] = kept
    await send(START)
    await asyncio.sleep(0)
    await asyncio.ensure_future(send(message))
    if scope["path"] == "/waits":
        await receive()
    if scope["path"] == "/fails":
        raise ValueError(kept)
    if scope["path"] == "/cancels":
        assert task is not None
        task.cancel(kept)
        await asyncio.sleep(0)


def test_cycles_of_them_are_collected(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="celadon.error")  # records keep errors

    def run(server: Any, times: int) -> list[int]:
        with server.client() as client:
            for i in range(times):
                client.send(get(PATHS[i % len(PATHS)]))
                assert client.response().body == b"x"
        server.wait_for(lambda s: s["in_flight"] == 0)
        for _ in range(3):
            gc.collect()
        return [len(gc.get_objects()), sys.getrefcount(None), sys.getallocatedblocks()]

    with serve(keeping) as server:
        run(server, 400)
        before = run(server, 400)
        after = run(server, 2000)
    # An object of each request would be 2000; some blocks are kept for the next ones.
    growth = [new - old for new, old in zip(after, before, strict=True)]
    assert max(growth) < 1000, growth


def test_who_keeps_a_call_of_send_keeps_no_message() -> None:
    messages: list[weakref.ref[Kept]] = []
    calls: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        mark = Kept()
        messages.append(weakref.ref(mark))
        calls.append(asyncio.ensure_future(send({**body(b"x"), "mark": mark})))
        await calls[0]

    with serve(app) as server:
        assert server.request(GET).body == b"x"
        server.wait_for(lambda s: s["in_flight"] == 0)
        gc.collect()
        assert messages[0]() is None
        assert calls[0].done()
