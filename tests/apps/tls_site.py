"""Pages that say what they know of their connection, and carry much of both kinds."""

import json
import os
import tempfile
import time

BLOCK = bytes(range(256)) * 256


def app(environ, start_response):
    path, number = environ["PATH_INFO"], int(environ["QUERY_STRING"] or 0)
    body = VIEWS.get(path, _about)(environ, number)
    head = [("Content-Type", "application/octet-stream")]
    if isinstance(body, bytes):
        head.append(("Content-Length", str(len(body))))
        body = [body]
    start_response("200 OK", head)
    return body


def _about(environ, number):
    """Its environ, as far as that is text."""
    told = {k: v for k, v in environ.items() if isinstance(v, str)}
    told["keys"] = sorted(environ)
    told["pid"] = os.getpid()
    return json.dumps(told).encode()


def _echo(environ, number):
    return environ["wsgi.input"].read()


def _stream(environ, number):
    """So many blocks, each when the one before has left."""
    for _ in range(number):
        yield BLOCK
        time.sleep(0)


def _file(environ, number):
    """So many blocks and a byte."""
    file = tempfile.TemporaryFile()
    file.write(BLOCK * number + b"!")
    file.seek(0)
    return environ["wsgi.file_wrapper"](file)


def _until(environ, number):
    while not os.path.exists("go"):
        time.sleep(0.005)
    return _about(environ, number)


VIEWS = {"/echo": _echo, "/stream": _stream, "/file": _file, "/until": _until}


async def of_asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": json.dumps(_told(scope))})
        while (message := await receive())["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})
    else:
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if scope["path"] != "/echo":
            body = json.dumps(_told(scope)).encode()
        head = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": bytes(body)})


def _told(scope):
    return {
        "scheme": scope["scheme"],
        "tls": scope.get("extensions", {}).get("tls"),
        "pid": os.getpid(),
    }
