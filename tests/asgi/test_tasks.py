"""A request as a task: what runs beside it, behind it, and what ends it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import socket
import struct
import sys
from typing import Any

import pytest
from celadon import ClientDisconnected
from celadon._core import green, wsgi
from celadon.aio import EventLoop

from tests.asgi.serving import (
    END,
    GET,
    START,
    Once,
    Receive,
    Scope,
    Send,
    Signal,
    body,
    serve,
)
from tests.support.raw import TIMEOUT


async def answer(send: Send, data: bytes = b"x") -> None:
    await send(START)
    await send(body(data))


@pytest.mark.row("AS02")
def test_the_next_request_does_not_wait_for_what_goes_on_behind_an_answer() -> None:
    go, ended = Signal(), Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send)
        if scope["path"] == "/":
            await go.come()
            ended.give()

    with serve(app) as server, server.client() as client:
        client.send(GET)
        assert client.response().status == 200
        client.send(b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response().status == 200
        server.wait_for(lambda s: s["in_flight"] == 0)
        assert not ended._given.is_set()
        go.give()
        ended.wait()


def test_a_drain_waits_for_what_goes_on_behind_an_answer() -> None:
    go, ended = Signal(), Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send)
        await go.come()
        ended.give()

    with serve(app) as server:
        server.request(GET)
        server.server.stop()
        server.server.join(0.2)
        assert not ended._given.is_set()
        go.give()
        server.server.join()
        assert ended._given.is_set()


@pytest.mark.parametrize("answers", [True, False])
def test_after_the_grace_period_it_is_cancelled(answers: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if answers:
            await answer(send)
        begun.give()
        await asyncio.sleep(3600)

    begun = Signal()
    once = Once(app)
    with serve(once, graceful_timeout=0.05) as server, server.client() as client:
        client.send(GET)
        begun.wait()
        server.server.stop()
        server.server.join()
    assert isinstance(once.error, asyncio.CancelledError)


def test_an_error_behind_the_answer_is_logged_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send)
        raise ValueError("in the background")

    once = Once(app)
    with serve(once) as server:
        assert server.request(GET).body == b"x"
        once.done.wait()
        server.wait_for(lambda s: s["failed"] == 1)
    assert "GET /" in caplog.text
    assert "in the background" in caplog.text


@pytest.mark.parametrize("begun", [False, True])
def test_request_timeout_cancels(begun: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if begun:
            await asyncio.sleep(0)
        await asyncio.sleep(3600)

    once = Once(app)
    with serve(once, request_timeout=0.05) as server:
        assert server.request(GET).status == 504
        once.done.wait()
        server.wait_for(lambda s: s["timed_out"] == 1)
        assert server.stats()["failed"] == 0
    assert isinstance(once.error, asyncio.CancelledError)
    assert "RequestTimeout" in caplog.text


def test_request_timeout_ends_with_the_head() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(body(b"a", True))
        await asyncio.sleep(0.3)
        await send(body(b"b"))

    with serve(app, request_timeout=0.1) as server:
        assert server.request(GET).body == b"ab"


def test_a_cancellation_of_the_applications_own_is_an_error_to_its_client() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(3600)

    once = Once(app)
    with serve(once) as server:
        assert server.request(GET).status == 500
        once.done.wait()
    assert isinstance(once.error, asyncio.CancelledError)


@pytest.mark.row("CN15")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_cancel_on_disconnect(method: str) -> None:
    sleeps, go = Signal(), Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        sleeps.give()
        await go.come()

    once = Once(app)
    with serve(once, cancel_on_disconnect="GET") as server:
        client = server.client()
        client.send(
            f"{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode()
        )
        sleeps.wait()
        client.sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        client.close()
        server.wait_for(lambda s: s["client_gone"] == 1)
        if method == "POST":
            go.give()
        once.done.wait()
        assert isinstance(once.error, asyncio.CancelledError) == (method == "GET")


def test_each_request_has_a_task_and_a_context_of_its_own() -> None:
    value: contextvars.ContextVar[str] = contextvars.ContextVar("value", default="none")
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        assert task is not None
        assert task in asyncio.all_tasks()
        assert asyncio.get_running_loop() is task.get_loop()
        seen.append((task, value.get()))
        value.set("set")
        await asyncio.sleep(0)
        assert asyncio.current_task() is task
        assert value.get() == "set"
        await answer(send)

    with serve(app) as server:
        for _ in range(3):
            server.request(GET)
    assert len({task for task, _ in seen}) == 3
    assert [found for _, found in seen] == ["none"] * 3


def test_groups_and_timeouts_of_asyncio() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.sleep(3600)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(asyncio.sleep(0, i)) for i in range(3)]
        await answer(send, b"%d" % sum(task.result() for task in tasks))

    with serve(app) as server:
        assert server.request(GET).body == b"3"


def test_messages_may_be_sent_by_a_task_of_the_applications() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.create_task(send(START))
        await task
        await asyncio.gather(send(body(b"x")))

    with serve(app) as server:
        assert server.request(GET).body == b"x"


def test_a_task_that_is_made_while_a_request_begins_is_not_taken_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[str] = []
    tasks: list[Any] = []

    async def other() -> None:
        steps.append("other")

    def looks(loop: Any) -> bool:
        # asyncio asks in the midst of making a task.
        if "call_soon" in vars(loop) and not steps:
            steps.append("made")
            tasks.append(loop.create_task(other()))
        return False

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        steps.append("app")
        await asyncio.sleep(0)
        await answer(send)

    monkeypatch.setattr(EventLoop, "get_debug", looks, raising=False)
    with serve(app) as server:
        assert server.request(GET).body == b"x"
    assert steps == ["made", "app", "other"]


def test_what_outlives_its_request_reaches_no_other() -> None:
    kept: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if kept:
            before = kept.pop()
            assert await before[0]() == {"type": "http.disconnect"}
            with pytest.raises(RuntimeError):
                await before[1](START)
        kept.append((receive, send))
        await answer(send, scope["path"].encode())

    with serve(app) as server:
        for path in (b"/1", b"/2", b"/3"):
            assert server.request(GET.replace(b" / ", b" %s " % path)).body == path


@pytest.mark.row("AS02")
def test_a_late_send_of_a_request_whose_client_left_says_so() -> None:
    waits, errors = Signal(), []
    late = Signal()

    async def later(receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(0.01)
        try:
            await send(START)
        except OSError as error:
            errors.append(error)
        late.give()

    tasks: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        waits.give()
        tasks.append(asyncio.create_task(later(receive, send)))
        await receive()

    with serve(app) as server:
        client = server.client()
        client.send(GET)
        waits.wait()
        client.sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        client.close()
        late.wait()
    assert [type(error) for error in errors] == [ClientDisconnected]


def test_a_request_that_waits_holds_no_greenlet() -> None:
    go = Signal()
    counts: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/count":
            counts.append((green.hub_stats() or {})["runners"])
            return await answer(send)
        await go.come()
        await answer(send)
        return None

    with serve(app) as server:
        clients = [server.client() for _ in range(50)]
        for client in clients:
            client.send(GET)
        server.wait_for(lambda s: s["in_flight"] == 50)
        server.request(b"GET /count HTTP/1.1\r\nHost: a\r\n\r\n")
        go.give()
        for client in clients:
            assert client.response().status == 200
            client.close()
    assert counts[0] < 12


def test_current_request_is_that_of_the_step_that_runs() -> None:
    found: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        info = scope["extensions"]["celadon.request"]
        found.append(wsgi.current_request() is info)
        await asyncio.sleep(0)
        found.append(wsgi.current_request() is info)
        await answer(send)

    with serve(app) as server:
        server.request(GET)
    assert found == [True, True]


def test_a_thousand_requests_leave_nothing_behind() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if scope["path"] == "/waits":
            await asyncio.sleep(0)
        if scope["path"] == "/fails":
            raise ValueError
        await answer(send)

    def run(server: Any, times: int) -> None:
        with server.client() as client:
            for i in range(times):
                path = (b"/", b"/waits", b"/fails")[i % 3]
                client.send(GET.replace(b" / ", b" %s " % path))
                client.response()

    with serve(app) as server:
        run(server, 300)
        gc.collect()
        before = len(gc.get_objects()), sys.getrefcount(None)
        run(server, 1000)
        gc.collect()
        after = len(gc.get_objects()), sys.getrefcount(None)
    assert after[0] - before[0] < 100
    assert after[1] - before[1] < 100


def test_debug_mode_of_the_loop_serves_as_well() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asyncio.get_running_loop().set_debug(True)
        asyncio.get_running_loop().slow_callback_duration = 0
        await receive()
        await asyncio.sleep(0)
        await send(START)
        await send(END)

    with serve(app) as server:
        for _ in range(3):
            assert server.request(GET).status == 200


def test_one_that_swallows_every_cancellation_holds_up_no_end() -> None:
    begun = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/behind":
            await answer(send)
        while True:
            begun.give()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)

    with serve(app, graceful_timeout=0.05) as server, server.client() as client:
        assert server.request(GET.replace(b" / ", b" /behind ")).body == b"x"
        client.send(GET)
        begun.wait()
        server.wait_for(lambda s: s["in_flight"] == 1)
        server.server.stop()
        server.server.join(TIMEOUT)
        assert not server.server._thread.is_alive()
