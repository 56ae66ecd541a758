"""Views that have WebSockets by `environ["wsgi.websocket"]`, in plain WSGI."""

import threading
import time

import celadon

seen: list[str] = []
_doors = {name: threading.Event() for name in ("queue", "park")}


def _echo(ws):
    for message in ws:
        ws.send(message)
    seen.append("echo ended")


def _about(ws):
    ws.accept("chat" if "chat" in ws.subprotocols else None)
    ws.send(f"{ws.path} {ws.origin} {ws.protocol} {ws.version}")
    ws.send(str(ws.environ["wsgi.websocket"] is ws))


def _long(ws):
    ws.accept()
    time.sleep(0.5)
    ws.send("after half a second")


def _closes(ws):
    ws.send("bye")
    ws.close(4000, "as I like")
    assert ws.receive() is None


def _raises(ws):
    ws.send("before")
    raise ValueError("of the view")


def _refuses(ws):
    for code, reason in ((99, ""), (1004, ""), (1000, "x" * 124)):
        try:
            ws.close(code, reason)
        except ValueError as error:
            seen.append(str(error))
    try:
        ws.accept("chat")
    except (ValueError, RuntimeError) as error:
        seen.append(type(error).__name__)
    try:
        ws.send("\ud800")
    except UnicodeEncodeError:
        seen.append("surrogate")
    ws.send("still open")


def _both_ways(ws):
    """Sends from one greenlet while another receives; a second receiver may not."""

    def ticks():
        for number in range(100):
            ws.send(f"tick {number}")
            time.sleep(0.001)

    sender = threading.Thread(target=ticks)
    sender.start()
    ws.send(ws.receive())
    sender.join()


def _two_receive(ws):
    def receive():
        try:
            ws.receive()
        except RuntimeError as error:
            ws.send(str(error))

    second = threading.Thread(target=receive)
    ws.accept()
    first = threading.Thread(target=ws.receive)
    first.start()
    second.start()
    second.join()
    first.join()


def _queue(ws):
    """Takes nothing until it is told to, and then 64 messages."""
    ws.accept()
    _doors["queue"].wait()
    ws.send(str(sum(len(ws.receive()) for _ in range(64))))


def _park(ws):
    """Sends more than anybody takes."""
    ws.accept()
    try:
        for number in range(1 << 20):
            ws.send(b"x" * 65536)
            seen[:] = [f"sent {number}"]
    except celadon.ClientDisconnected:
        seen.append("gone")


VIEWS = {
    "/echo": _echo,
    "/about": _about,
    "/long": _long,
    "/closes": _closes,
    "/raises": _raises,
    "/refuses": _refuses,
    "/both": _both_ways,
    "/two": _two_receive,
    "/queue": _queue,
    "/park": _park,
}


def app(environ, start_response):
    path = environ["PATH_INFO"]
    ws = environ.get("wsgi.websocket")
    if ws and path in VIEWS:
        VIEWS[path](ws)
        return []
    if path == "/open":
        _doors[environ["QUERY_STRING"]].set()
    if path == "/clear":
        seen.clear()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("WebSocket" if ws else "\n".join(seen) or "nothing").encode()]
