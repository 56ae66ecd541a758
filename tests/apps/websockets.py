"""Views that have WebSockets by `environ["wsgi.websocket"]`, in plain WSGI."""

import contextlib
import json
import threading
import time
from collections import Counter
from typing import Any

import celadon

seen: list[str] = []
_doors = {name: threading.Event() for name in ("queue", "park", "sleep", "nap")}
_left: list[Any] = []
_sent: Counter[str] = Counter()


def _echo(ws):
    for message in ws:
        ws.send(message)
    seen.append(f"echo ended {ws.environ['QUERY_STRING']}")


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


def _answers(ws):
    """As a framework does for a view that has raised, or has returned."""
    ws.send("before")
    return f"{ws.environ['QUERY_STRING']} Whatever"


def _refuses(ws):
    for wrong in (
        {"subprotocol": "chat"},
        {"headers": [("X-Own", "1\r\nX-Other: 2")]},
        {"headers": {"a b": "c"}},
        {"headers": {"Sec-WebSocket-Accept": "mine"}},
        {"headers": [(b"X-Own", b"1")]},
        {"headers": "X-Own: 1"},
        {"headers": 1},
    ):
        try:
            ws.accept(**wrong)
        except (ValueError, TypeError) as error:
            seen.append(f"{type(error).__name__}: {error}")
    codes = (99, 1004, 1005, 1006, 1015, 2999, 5000, 70_000)
    closes = [*((code, "") for code in codes), (1000, "x" * 124), (1000, b"\xff")]
    for code, reason in closes:
        try:
            ws.close(code, reason)
        except ValueError as error:
            seen.append(str(error))
    try:
        ws.accept("chat")
    except RuntimeError as error:
        seen.append(str(error))
    try:
        ws.send("\ud800")
    except UnicodeEncodeError:
        seen.append("surrogate")
    ws.send("still open")


def _fields(ws):
    """What it was given by start_response's rules, by a dict, or by an iterator."""
    own = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Own", " \xe9 ")]
    ways = {"dict": {"X-Own": "1"}, "iterator": iter(own)}
    hop = [*own, ("Connection", "keep-alive"), ("Content-Length", "5")]
    query = ws.environ["QUERY_STRING"]
    ws.accept(subprotocol=None, headers=ways.get(query, hop))
    ws.send("open")


def _big(ws):
    """One message of so many bytes, and then what comes, or nothing."""
    size, _, closes = ws.environ["QUERY_STRING"].partition("&")
    ws.send(bytes(int(size)))
    for message in () if closes else ws:
        ws.send(message)


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


def _senders(ws):
    """Three send more than the client takes; none is refused."""
    ws.accept()

    def send(letter):
        for _ in range(20):
            ws.send(letter * 1_000_000)
            _sent[letter] += 1

    senders = [threading.Thread(target=send, args=(letter,)) for letter in "abc"]
    for each in senders:
        each.start()
    for each in senders:
        each.join()


def _late(ws):
    """Is told to stop when it waits to send: that message was not sent."""
    ws.accept()
    with contextlib.suppress(celadon.Timeout), celadon.Timeout(0.2):
        for number in range(1 << 20):
            ws.send(f"{number:08d}" * 1000)
    _sent["late"] = number
    ws.send("then")


def _input(ws):
    """The body of such a request is over, also for who reads it since before."""
    environ = ws.environ
    got = []
    reader = threading.Thread(target=lambda: got.append(environ["wsgi.input"].read()))
    ws.accept()
    reader.start()
    reader.join()
    ws.send(repr([*got, environ["wsgi.input"].readline()]))


def _naps(ws):
    """Does not return when its WebSocket has ended."""
    ws.accept()
    if ws.environ["QUERY_STRING"] == "closes":
        ws.close(1000)
    _doors["nap"].wait()
    seen[:] = ["woke up"]


def _sleeps(ws):
    """Waits for something else when its client leaves."""
    ws.accept()
    seen[:] = ["sleeps"]
    try:
        _doors["sleep"].wait()
    finally:
        seen.append("ended")


def _costly(ws):
    for message in ws:
        end = time.monotonic() + 0.001
        while time.monotonic() < end:
            pass
        _sent["costly"] += 1
        if _sent["costly"] == 1:
            ws.send(message)


def _kept(ws):
    ws.accept()
    _left.append(ws)


def _after():
    """What one is like whose request has ended."""
    ws = _left.pop()
    try:
        ws.send("late")
    except celadon.ClientDisconnected as error:
        raised = type(error).__name__
    return f"{ws.receive()} {raised} {ws.close()} {ws.closed}"


def _asks_on(ws):
    """As `while True` does, and as `while not ws.closed` does."""
    found = [ws.closed, ws.receive(), ws.closed]
    ws.send(b"text", binary=False)
    ws.send("bytes", True)
    found += [ws.receive(), ws.receive(), ws.closed]
    for call in (ws.receive, lambda: ws.send(None)):
        try:
            call()
        except celadon.ClientDisconnected as error:
            found.append(type(error).__name__)
    seen[:] = [repr(found)]


VIEWS = {
    "/answers": _answers,
    "/fields": _fields,
    "/big": _big,
    "/costly": _costly,
    "/kept": _kept,
    "/naps": _naps,
    "/asks": _asks_on,
    "/senders": _senders,
    "/late": _late,
    "/input": _input,
    "/sleeps": _sleeps,
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
        if answer := VIEWS[path](ws):
            start_response(answer, [])
        return []
    if path == "/open":
        _doors[environ["QUERY_STRING"]].set()
    if path == "/sent":
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(_sent).encode()]
    if path == "/after":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [_after().encode()]
    if path == "/clear":
        seen.clear()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("WebSocket" if ws else "\n".join(seen) or "nothing").encode()]
