"""ASGI applications that say what becomes of them; each line with the process."""

from __future__ import annotations

import asyncio
import os
import time


def say(*words: object) -> None:
    os.write(1, f"{' '.join(map(str, words))} {os.getpid()}\n".encode())


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await live(scope, receive, send)
        return
    path = scope["path"]
    if path in ("/stream", "/ws"):
        await (stream if path == "/stream" else echo)(receive, send)
        return
    if path == "/until":
        say("waits")
        while not os.path.exists(scope["query_string"].decode()):
            await asyncio.sleep(0.005)
    body = repr(
        (path, scope["state"].get("pid"), os.getpid(), len(scope["state"]))
    ).encode()
    scope["state"]["of this request"] = 1
    await answer(send, body)


async def stream(receive, send):
    """As server-sent events: until the client, or the server, has enough."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    try:
        while True:
            await send(
                {"type": "http.response.body", "body": b"tick\n", "more_body": True}
            )
            await asyncio.sleep(0.01)
    finally:
        say("stream over")


async def echo(receive, send):
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    say("socket over", message["code"])


async def live(scope, receive, send):
    await receive()
    how, _, number = os.environ.get("LIFE_START", "").partition(" ")
    try:
        await start(how)
    except asyncio.CancelledError:
        say("cancelled")
        raise
    scope["state"]["pid"] = os.getpid()
    await send({"type": "lifespan.startup.complete"})
    say("started")
    if how == "kills":
        os.kill(os.getpid(), int(number))
    try:
        await receive()
        say("ending")
        if os.environ.get("LIFE_END") == "fails":
            await send({"type": "lifespan.shutdown.failed", "message": "still open"})
            return
        if os.environ.get("LIFE_END") == "hangs":
            await asyncio.sleep(3600)
        await send({"type": "lifespan.shutdown.complete"})
        say("ended")
    except asyncio.CancelledError:
        say("cancelled")
        raise


async def start(how):
    """Tells that it begins where it is not done at once."""
    if how == "hangs":
        say("hangs")
        await asyncio.sleep(3600)
    elif how:
        say("starts")
    while how in ("waits", "blocks") and not os.path.exists(os.environ["LIFE_GO"]):
        if how == "blocks":
            time.sleep(0.005)
        else:
            await asyncio.sleep(0.005)


async def answer(send, body):
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-length", b"%d" % len(body))],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def failing(scope, receive, send):
    await receive()
    if os.path.exists(os.environ.get("LIFE_GOOD", "good")):
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return
    say("fails")
    await send({"type": "lifespan.startup.failed", "message": "a\nno database"})


async def without(scope, receive, send):
    assert scope["type"] == "http", "http alone"
    await answer(send, b"without")


class Old:
    """Of ASGI 2."""

    def __init__(self, scope):
        self.scope = scope

    async def __call__(self, receive, send):
        if self.scope["type"] == "lifespan":
            await live(self.scope, receive, send)
        else:
            await answer(send, b"old")


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Length", "4")])
    return [b"wsgi"]


def make():
    return app
