"""Programs that were written for meinheld, unchanged."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.support import raw
from tests.support.raw import TIMEOUT, get
from tests.support.servers import Command, Started, wait_until

PROGRAM = """
import os, socket, sys
from meinheld import server, middleware

waiters = []
seen = []

class AccessLog:
    def access(self, environ):
        print("ACCESS", environ["PATH_INFO"], environ["STATUS_CODE"],
              environ["SEND_BYTES"], flush=True)

class ErrorLog:
    def error(self, kind, value, trace):
        print("ERROR", kind.__name__, value, flush=True)

def app(environ, start_response):
    path = environ["PATH_INFO"]
    body = b"hello"
    c = environ.get(middleware.CONTINUATION_KEY)
    if path == "/suspend":
        waiters.append(c)
        body = str(c.suspend()).encode()
    elif path == "/resume":
        for w in waiters: w.resume("resumed")
        waiters.clear()
    elif path == "/late":
        try: c.suspend(1)
        except server.timeout: body = b"timeout"
    elif path == "/sleep":
        seen.append("asleep")
        while seen.count("asleep") < 10: server.sleep(1)
        body = b"10 at once"
    elif path == "/later":
        server.schedule_call(0, seen.append, "called")
        server.schedule_call(5, seen.append, "cancelled").cancel()
        server.spawn(seen.append, ("spawned",))
        server.sleep(1)
        body = ",".join(sorted(set(seen) - {"asleep"})).encode()
    elif path == "/trampoline":
        a, b = socket.socketpair()
        server.schedule_call(1, b.send, b"sent")
        server.trampoline(a.fileno(), read=True)
        body = a.recv(10)
        try: server.trampoline(a.fileno(), read=True, timeout=1)
        except server.timeout: body += b" then timeout"
    elif path == "/fail":
        raise ValueError("on purpose")
    elif path == "/stop":
        server.shutdown(5)
    start_response(b"200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]

server.set_access_logger({access})
server.set_error_logger(ErrorLog())
server.set_keepalive({keepalive})
server.set_backlog(100)
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(100)
print("listening at http://127.0.0.1:%d" % listener.getsockname()[1], file=sys.stderr, flush=True)
server.listen(socket_fd=listener.fileno())
listener.close()
try:
    server.run(middleware.ContinuationMiddleware(app))
except KeyboardInterrupt:
    print("interrupted", file=sys.stderr, flush=True)
    sys.exit(7)
print("returned", file=sys.stderr, flush=True)
"""


def run(folder: Path, access: str = "None", keepalive: int = 10) -> Command:
    (folder / "program.py").write_text(
        PROGRAM.replace("{access}", access).replace("{keepalive}", str(keepalive))
    )
    command = (sys.executable, "-m", "celadon.contrib.meinheld", "program.py")
    return Started(*command, cwd=folder)


def in_thread(server: Command, path: str) -> tuple[threading.Thread, list[bytes]]:
    bodies: list[bytes] = []
    thread = threading.Thread(
        target=lambda: bodies.append(server.request(get(path)).body)
    )
    thread.start()
    return thread, bodies


def test_a_request_suspends_and_another_resumes_it(tmp_path: Path) -> None:
    with run(tmp_path) as server:
        first, said_first = in_thread(server, "/suspend")
        second, said_second = in_thread(server, "/suspend")

        def resume() -> tuple[None, bool]:
            assert server.request(get("/resume")).status == 200
            return None, len(said_first) + len(said_second) == 2

        wait_until(resume)
        first.join()
        second.join()
        assert said_first + said_second == [b"resumed", b"resumed"]
        assert server.request(get("/late")).body == b"timeout"


def test_greenlets_timers_and_descriptors(tmp_path: Path) -> None:
    with run(tmp_path) as server:
        sleeping = [in_thread(server, "/sleep") for _ in range(10)]
        assert server.request(get("/later")).body == b"called,spawned"
        for thread, bodies in sleeping:
            thread.join()
            assert bodies == [b"10 at once"]
        assert server.request(get("/trampoline")).body == b"sent then timeout"


def test_loggers_and_keep_alive(tmp_path: Path) -> None:
    with run(tmp_path, access="AccessLog()", keepalive=0) as server:
        answer = server.request(get("/one"))
        assert answer.get("Connection") == "close"
        assert server.request(get("/fail")).status == 500
        server.out.wait_all("^ACCESS /one 200 5$", "^ERROR ValueError on purpose$")
    with run(tmp_path) as server, server.client() as client:
        for _ in range(2):
            client.send(get("/"))
            assert client.response().body == b"hello"


@pytest.mark.parametrize(
    ("how", "status", "line"),
    [
        ("/stop", 0, "returned"),
        (signal.SIGTERM, 0, "returned"),
        (signal.SIGINT, 7, "interrupted"),
    ],
)
def test_ways_to_end(tmp_path: Path, how: str | int, status: int, line: str) -> None:
    with run(tmp_path) as server:
        assert server.request(get("/")).body == b"hello"
        if isinstance(how, str):
            assert server.request(get(how)).body == b"hello"
        else:
            server.signal(how)
        assert server.wait() == status
        assert line in server.lines


def test_under_the_command_the_interface_is_found(tmp_path: Path) -> None:
    (tmp_path / "old_app.py").write_text(
        """
from meinheld.middleware import ContinuationMiddleware, CONTINUATION_KEY
import meinheld, meinheld.server
def app(environ, start_response):
    body = repr(meinheld.server.sleep is not None and CONTINUATION_KEY in environ).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
app = ContinuationMiddleware(app)
"""
    )
    options = ["-k", "meinheld.gmeinheld.MeinheldWorker"]
    with Command("old_app:app", *options, cwd=tmp_path) as server:
        assert server.request(get("/")).body == b"True"


CHAT = """
import socket, sys
from meinheld import middleware, server, websocket

participants = set()

def chat(environ):
    ws = environ.get("wsgi.websocket")
    participants.add(ws)
    try:
        while True:
            message = ws.wait()
            if message is None:
                break
            for each in participants:
                each.send(message)
    finally:
        participants.remove(ws)
    return [""]

@websocket.WebSocketWSGI
def alone(ws):
    ws.send("%s of %s: %s" % (ws.path, ws.origin, ws.wait()))
    ws.close()
    assert ws.wait() is None

def dispatch(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/chat":
        return chat(environ)
    if path == "/fails":
        raise ValueError("on purpose")
    if path == "/people":
        body = b"%d" % len(participants)
    else:
        body = b"WebSocket" if "wsgi.websocket" in environ else b"page"
        assert middleware.CONTINUATION_KEY in environ
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]

rooms = middleware.WebSocketMiddleware(dispatch)

def app(environ, start_response):
    return (alone if environ["PATH_INFO"] == "/alone" else rooms)(environ, start_response)

if __name__ == "__main__":
    class AccessLog:
        def access(self, environ):
            print("ACCESS", environ["PATH_INFO"], environ["STATUS_CODE"], flush=True)

    server.set_access_logger(AccessLog())
    listener = socket.create_server(("127.0.0.1", 0))
    print("listening at http://127.0.0.1:%d" % listener.getsockname()[1], file=sys.stderr)
    server.listen(socket_fd=listener.fileno())
    server.run(app)
"""


@pytest.fixture(params=["a program", "the command"])
def chat(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Command]:
    (tmp_path / "chat.py").write_text(CHAT)
    if request.param == "the command":
        options = ("--access-logfile", "-", "--access-logformat", "ACCESS %(U)s %(s)s")
        with Command("chat:app", *options, cwd=tmp_path) as server:
            yield server
        return
    program = (sys.executable, "-m", "celadon.contrib.meinheld", "chat.py")
    with Started(*program, cwd=tmp_path) as server:
        yield server


def websocket(server: Command, path: str, **more: Any) -> ClientConnection:
    address = f"ws://127.0.0.1:{server.port}{path}"
    return connect(address, open_timeout=TIMEOUT, close_timeout=TIMEOUT, **more)


def test_a_chat_by_websocketmiddleware(chat: Command) -> None:
    offered = [Subprotocol("one"), Subprotocol("two")]
    with websocket(chat, "/chat") as first, websocket(chat, "/chat") as second:
        wait_until(lambda: (None, chat.request(get("/people")).body == b"2"))
        for message in ("text", b"\0binary", "ü" * 70_000):
            first.send(message)
            assert first.recv(TIMEOUT) == second.recv(TIMEOUT) == message
    wait_until(lambda: (None, chat.request(get("/people")).body == b"0"))
    assert first.close_code == second.close_code == 1000
    # meinheld answers before the application is asked, whatever that does then.
    with websocket(chat, "/", subprotocols=offered) as ws:
        assert ws.subprotocol == "one"
        assert list(ws) == []
    with websocket(chat, "/fails") as ws, pytest.raises(ConnectionClosedError):
        ws.recv(TIMEOUT)
    assert (ws.close_code, chat.request(get("/")).body) == (1011, b"page")
    chat.out.wait_all("^ACCESS / 101$", "^ACCESS /fails 101$", "^ACCESS / 200$")


def test_an_application_of_one_function(chat: Command) -> None:
    with websocket(chat, "/alone", origin=Origin("http://a")) as ws:
        ws.send("hello")
        assert list(ws) == ["/alone of http://a: hello"]
    assert ws.close_code == 1000
    assert chat.request(get("/alone")).status == 400


def test_listening_fails_at_once_where_the_address_is_taken() -> None:
    from celadon.contrib.meinheld import server

    with raw.socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(OSError, match="in use"):
            server.listen(taken.getsockname())
        with pytest.raises(TypeError):
            server.listen(5)
    with pytest.raises(TypeError, match="not found listen socket"):
        server.run(lambda environ, start_response: [])


def test_suspending_twice_and_resuming_nobody() -> None:
    from celadon.contrib.meinheld import common, server

    continuation = common.Continuation()
    with pytest.raises(OSError, match="not suspended"):
        continuation.resume()
    with pytest.raises(server.timeout):
        continuation.suspend(0.01)
    with pytest.raises(ValueError, match="out of range"):
        server.trampoline(-1, read=True)
    with pytest.raises(ValueError, match="out of range"):
        server.trampoline(os.pipe()[0])
