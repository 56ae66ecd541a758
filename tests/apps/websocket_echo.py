"""WebSockets that give back what they get, twice: as a view in plain WSGI, and by ASGI.

One that is opened at `/who` says first which process has it.
"""

import contextlib
import os

import celadon


def wsgi(environ, start_response):
    ws = environ.get("wsgi.websocket")
    if ws is None:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(os.getpid()).encode()]
    with contextlib.suppress(celadon.ClientDisconnected):
        if environ["PATH_INFO"] == "/who":
            ws.send(str(os.getpid()))
        for message in ws:
            ws.send(message)
    return []


async def asgi(scope, receive, send):
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    with contextlib.suppress(OSError):
        if scope["path"].endswith("/who"):
            await send({"type": "websocket.send", "text": str(os.getpid())})
        while (message := await receive())["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})
