"""The applications that are measured, for WSGI and ASGI servers alike."""

import asyncio
import os
import tempfile
import time

_TEXT = [("Content-Type", "text/plain")]
_MEGABYTE = b"x" * (1 << 20)
_FILE = os.path.join(tempfile.gettempdir(), f"celadon-bench-{os.getuid()}.bin")
if not os.path.exists(_FILE) or os.path.getsize(_FILE) != 1 << 20:
    with open(_FILE, "wb") as out:
        out.write(_MEGABYTE)


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"Hello, world!\n"]
    if path in ("/sleep", "/block"):
        time.sleep(0.01)
    elif path == "/mega":
        start_response("200 OK", _TEXT)
        return [_MEGABYTE]
    elif path == "/file":
        start_response("200 OK", _TEXT)
        wrapper = environ.get("wsgi.file_wrapper")
        file = open(_FILE, "rb")  # noqa: SIM115 - closed by the server
        return wrapper(file) if wrapper else file
    elif path == "/hog":
        end = time.monotonic() + 0.05
        while time.monotonic() < end:
            pass
    elif path == "/park":
        time.sleep(60)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello, world!\n"]


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = b"Hello, world!\n"
    if scope["path"] == "/sleep":
        await asyncio.sleep(0.01)
    elif scope["path"] == "/block":
        time.sleep(0.01)
    elif scope["path"] == "/mega":
        body = _MEGABYTE
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"text/plain"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


try:
    from flask import Flask
except ImportError:
    flask_app = None
else:
    flask_app = Flask(__name__)

    @flask_app.route("/")
    def hello():
        return "Hello, world!\n"
