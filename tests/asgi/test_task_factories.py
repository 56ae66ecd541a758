"""An application that makes its tasks itself (`loop.set_task_factory`): those of requests, too."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.asgi.serving import GET, START, Receive, Scope, Send, Signal, body, serve
from tests.support.raw import get, post
from tests.support.websockets import websocket

Factory = Callable[..., Any]
Loop = asyncio.AbstractEventLoop
Coro = Coroutine[Any, Any, Any]
made: list[asyncio.Task[Any]] = []
around: list[str] = []


def plain(loop: Loop, coro: Coro, **keywords: Any) -> asyncio.Task[Any]:
    """Which some name by what they run."""
    assert coro.__qualname__
    made.append(asyncio.Task(coro, loop=loop, **keywords))
    return made[-1]


def in_python(loop: Loop, coro: Coro, **keywords: Any) -> asyncio.Task[Any]:
    made.append(asyncio.tasks._PyTask(coro, loop=loop, **keywords))  # type: ignore[attr-defined]
    return made[-1]


def traced(loop: Loop, coro: Coro, **keywords: Any) -> asyncio.Task[Any]:
    """As of Sentry: a coroutine around each."""

    async def trace() -> Any:
        around.append("begun")
        try:
            return await coro
        finally:
            around.append("ended")

    return plain(loop, trace(), **keywords)


FACTORIES: list[Factory] = [plain, in_python, traced]
if hasattr(asyncio, "create_eager_task_factory"):

    def eager(loop: Loop, coro: Coro, **keywords: Any) -> asyncio.Task[Any]:
        make: Any = asyncio.create_eager_task_factory(_Noted)  # type: ignore[attr-defined]
        return make(loop, coro, **keywords)  # type: ignore[no-any-return]

    class _Noted(asyncio.Task[Any]):
        def __init__(self, *args: Any, **keywords: Any) -> None:
            made.append(self)
            super().__init__(*args, **keywords)

    FACTORIES.append(eager)


class Site:
    """Sets the factory in its first request."""

    def __init__(self, factory: Factory) -> None:
        self.factory = factory
        self.begun, self.ended = Signal(), Signal()
        self.error: BaseException | None = None
        made.clear()
        around.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/set":
            asyncio.get_running_loop().set_task_factory(self.factory)
        else:
            assert asyncio.current_task() is made[-1]
        if scope["path"] == "/long":
            self.begun.give()
            try:
                await asyncio.sleep(3600)
            except BaseException as error:
                self.error = error
                self.ended.give()
                raise
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": "hello"})
            return
        await asyncio.sleep(0)
        await send(START)
        await send(body((await receive())["body"] or b"nothing"))


@pytest.mark.parametrize("factory", FACTORIES)
def test_it_makes_the_tasks_of_requests(factory: Factory) -> None:
    site = Site(factory)
    with serve(site, cancel_on_disconnect="GET") as server:
        assert server.request(get("/set")).status == 200
        assert made == []
        for _ in range(3):
            assert server.request(post("/", b"sent")).body == b"sent"
        assert len(made) == 3
        with websocket(server, "/") as client:
            assert client.recv() == "hello"
            assert list(client) == []
        assert len(made) == 4
        with server.client() as leaving:
            leaving.send(get("/long"))
            site.begun.wait()
            leaving.sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        site.ended.wait()
        assert isinstance(site.error, asyncio.CancelledError)
        assert server.request(GET).body == b"nothing"
        server.wait_for(lambda s: s["in_flight"] == 0)
        if factory is traced:
            assert around == ["begun", "ended"] * len(made)


def fails(_loop: Loop, coro: Coro, **_: Any) -> asyncio.Task[Any]:
    raise ValueError("of the factory")


def gives_nothing(_loop: Loop, coro: Coro, **_: Any) -> None:
    pass


def loses_it(loop: Loop, coro: Coro, **keywords: Any) -> asyncio.Task[Any]:
    async def other() -> None:
        pass

    return asyncio.Task(other(), loop=loop, **keywords)


@pytest.mark.parametrize("factory", [fails, gives_nothing, loses_it])
def test_one_that_makes_no_such_task_fails_the_request(factory: Factory) -> None:
    with serve(Site(factory)) as server:
        assert server.request(get("/set")).status == 200
        for _ in range(3):
            assert server.request(GET).status == 500
        server.wait_for(lambda s: s["in_flight"] == 0)
