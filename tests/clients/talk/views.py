"""What random clients talk to by WebSockets: each view once, for `environ["wsgi.websocket"]`
and for ASGI. What must come of it is in model.py.

A view is a generator: it gives what is to be done, and is sent what came of that.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Generator
from typing import Any

import celadon

from tests.clients.model import content, pause_of
from tests.clients.ran import OnPurpose, ran
from tests.clients.talk.model import ENOUGH, PUSHED, digest

Step = Any  # RECEIVE, a message to be sent, seconds to wait, or how it is closed
View = Generator[Step, Any, None]
RECEIVE = None


def as_bytes(message: str | bytes) -> bytes:
    return message.encode() if isinstance(message, str) else message


def echo(ident: str, size: int) -> View:
    while (message := (yield RECEIVE)) is not None:
        yield message


def slow(ident: str, size: int) -> View:
    while (message := (yield RECEIVE)) is not None:
        yield pause_of(ident)
        yield message


def digests(ident: str, size: int) -> View:
    while (message := (yield RECEIVE)) is not None:
        yield digest(as_bytes(message)).decode()


def grow(ident: str, size: int) -> View:
    number = 0
    while (yield RECEIVE) is not None:
        yield content(f"{ident}.{number}", size)
        number += 1


def push(ident: str, size: int) -> View:
    for number in range(PUSHED):
        yield content(f"{ident}.{number}", size)
    yield from echo(ident, size)


def some(ident: str, count: int) -> Generator[Step, Any, bool]:
    """Whether there were so many."""
    for _ in range(count):
        message = yield RECEIVE
        if message is None:
            return False
        yield message
    return True


def leave(ident: str, size: int) -> View:
    if (yield from some(ident, 2)):
        yield ENOUGH


def give_back(ident: str, size: int) -> View:
    yield from some(ident, 1)


def fail(ident: str, size: int) -> View:
    if (yield from some(ident, 1)):
        raise OnPurpose(ident)


VIEWS: dict[str, Callable[[str, int], View]] = {
    "talk-echo": echo,
    "talk-slow": slow,
    "talk-digest": digests,
    "talk-grow": grow,
    "talk-push": push,
    "talk-leave": leave,
    "talk-return": give_back,
    "talk-fail": fail,
}


def view_of(path: str) -> View | None:
    """None for one that refuses."""
    ident, name, size = path.split("/")[-3:]
    ran(ident)
    return VIEWS[name](ident, int(size)) if name in VIEWS else None


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    view = view_of(environ["PATH_INFO"])
    if view is None:
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [b"forbidden\n"]
    ws, came = environ["wsgi.websocket"], None
    with contextlib.suppress(StopIteration, celadon.ClientDisconnected):
        ws.accept()
        while True:
            step = view.send(came)
            came = None
            if step is RECEIVE:
                came = ws.receive()
            elif isinstance(step, float):
                time.sleep(step)
            elif isinstance(step, tuple):
                ws.close(*step)
            else:
                ws.send(step)
    return []


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "websocket"
    view = view_of(scope["path"])
    await receive()
    if view is None:
        await send({"type": "websocket.close"})
        return
    came = None
    with contextlib.suppress(OSError):
        await send({"type": "websocket.accept"})
        while True:
            try:
                step = view.send(came)
            except StopIteration:
                return
            came = None
            if step is RECEIVE:
                message = await receive()
                text = message.get("text")
                came = message.get("bytes") if text is None else text
            elif isinstance(step, float):
                await asyncio.sleep(step)
            elif isinstance(step, tuple):
                code, reason = step
                await send({"type": "websocket.close", "code": code, "reason": reason})
            else:
                kind = "text" if isinstance(step, str) else "bytes"
                await send({"type": "websocket.send", kind: step})
