"""ASGI applications of a test, served from a thread of its process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.raw import TIMEOUT
from tests.support.servers import serving

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Coroutine[Any, Any, Message]]
Send = Callable[[Message], Coroutine[Any, Any, None]]
App = Callable[[Scope, Receive, Send], Coroutine[Any, Any, Any]]

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
START: Message = {"type": "http.response.start", "status": 200, "headers": []}
END: Message = {"type": "http.response.body"}


def body(data: bytes, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


@contextmanager
def serve(app: Callable[..., Any], **settings: Any) -> Iterator[Any]:
    """What it gives is a `Running`, to be used as a `Command` where that has a port."""
    settings.setdefault("lifespan", "off")
    with serving(app, validate=False, interface="asgi", **settings) as server:
        yield server


class Signal:
    """What an application and its test tell each other, from whichever thread."""

    def __init__(self) -> None:
        self._given = threading.Event()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def give(self) -> None:
        self._given.set()
        for loop, event in self._waiting:
            loop.call_soon_threadsafe(event.set)

    def is_given(self) -> bool:
        return self._given.is_set()

    async def give_once_still(self, growing: list[Any]) -> None:
        """Of the application: who adds to that has to wait."""
        before = -1
        while before != len(growing):
            before = len(growing)
            await asyncio.sleep(0.1)
        self.give()

    def wait(self) -> None:
        """Of the test."""
        assert self._given.wait(TIMEOUT)

    async def come(self) -> None:
        """Of the application."""
        event = asyncio.Event()
        self._waiting.append((asyncio.get_running_loop(), event))
        if not self._given.is_set():
            await event.wait()


class Once:
    """Runs an application's `serve` for the first request, and keeps what came of it."""

    def __init__(self, run: App) -> None:
        self._run = run
        self.done = Signal()
        self.value: Any = None
        self.error: BaseException | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self.value = await self._run(scope, receive, send)
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.done.give()
