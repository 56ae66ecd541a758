"""Applications that keep what belongs to a request: its task, its `receive`, its `send`."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from typing import Any

from tests.aio.test_loop import AIO
from tests.asgi.serving import GET, START, Receive, Scope, Send, body, serve
from tests.support.green import PRELUDE, run_green
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


def test_cycles_of_them_are_collected() -> None:
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
    # An object of each request would be 2000.
    growth = [new - old for new, old in zip(after, before, strict=True)]
    assert max(growth) < 300, growth


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


def test_a_task_that_holds_out_against_its_end_is_collected_behind_it() -> None:
    run_green(
        """
        import socket
        class Mark: pass
        async def app(scope, receive, send):
            mark = Mark()
            marks.append(weakref.ref(mark))
            begun.set()
            while True:
                try: await asyncio.get_running_loop().create_future()
                except asyncio.CancelledError: continue
        marks, begun = [], threading.Event()
        server = celadon.Server(app, bind="127.0.0.1:0", lifespan="off", graceful_timeout=0.05)
        with server:
            client = socket.create_connection(("127.0.0.1", server.port))
            client.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
            begun.wait()
        client.close()
        end = time.monotonic() + TIMEOUT
        while marks[0]() is not None and time.monotonic() < end:
            gc.collect()
            time.sleep(0.01)
        assert marks[0]() is None, gc.get_referrers(marks[0]())
        """,
        PRELUDE + AIO,
    )
