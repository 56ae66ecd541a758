"""WebSocket by libraries that speak it themselves, on the socket that they are given."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import socketio
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect

from tests.support import raw
from tests.support.machine import program
from tests.support.raw import TIMEOUT, get
from tests.support.servers import Command, wait_until

CLIENTS = 32
UPGRADE = ("Connection: Upgrade", "Upgrade: lines")


@pytest.fixture(scope="module")
def server() -> Iterator[Command]:
    with Command("tests.apps.live:app", "--access-logfile", "-") as command:
        yield command


def websocket(server: Command, path: str, **more: Any) -> ClientConnection:
    address = f"ws://127.0.0.1:{server.port}{path}"
    return connect(
        address, max_size=None, open_timeout=TIMEOUT, close_timeout=TIMEOUT, **more
    )


def ended(server: Command) -> list[str]:
    """What has ended until now."""
    return server.request(get("/ended")).body.decode().split(",")


def test_ws12_flask_sock_echoes(server: Command) -> None:
    with websocket(server, "/echo?first", subprotocols=["chat"]) as ws:
        assert ws.subprotocol == "chat"
        for message in ("text", b"\0binary", "ü" * 70_000, os.urandom(3 << 20)):
            ws.send(message)
            assert ws.recv(TIMEOUT) == message
        assert ws.ping().wait(TIMEOUT)
    assert ws.close_code == 1000
    wait_until(lambda: (None, "/echo?first" in ended(server)))


def test_ws12_a_view_that_returns_closes_with_1000(server: Command) -> None:
    with websocket(server, "/three") as ws:
        assert list(ws) == ["0", "1", "2"]
    assert ws.close_code == 1000
    assert server.out.wait(r'"GET /three HTTP/1.1" 101 ')


@pytest.mark.library("simple_websocket")
def test_ws12_simple_websocket_says_its_own_code(server: Command) -> None:
    with websocket(server, "/wait") as ws:
        ws.send("this")
        with pytest.raises(ConnectionClosedError):
            ws.recv(TIMEOUT)
    assert (ws.close_code, ws.close_reason) == (4001, "got this")


def test_ws12_what_a_view_raises_is_logged_once(server: Command) -> None:
    with websocket(server, "/raises") as ws:
        assert ws.recv(TIMEOUT) == "before"
        with pytest.raises(ConnectionClosedError):
            ws.recv(TIMEOUT)
    server.wait_line("ValueError: of the view")
    assert server.out.wait(r'"GET /raises HTTP/1.1" 101 ')
    assert sum("ValueError: of the view" in line for line in server.lines) == 1


@pytest.mark.parametrize("transports", [["websocket"], ["polling", "websocket"]])
def test_ws12_flask_socketio(server: Command, transports: list[str]) -> None:
    heard: list[str] = []
    one, two = (socketio.Client(reconnection=False) for _ in range(2))
    one.on("said", heard.append)
    for client in (one, two):
        client.connect(f"http://127.0.0.1:{server.port}", transports=transports)
        digest = client.call("join", "room", timeout=TIMEOUT)
        assert digest == sha256(b"room").hexdigest()
    wait_until(lambda: (two.transport(), two.transport() == "websocket"))
    two.emit("say", {"room": "room", "text": "hello"})
    wait_until(lambda: (heard, heard == ["hello"]))
    before = ended(server).count("socket.io")
    one.disconnect()
    two.disconnect()
    wait_until(lambda: (None, ended(server).count("socket.io") == before + 2))


def test_ws12_many_at_once_beside_ordinary_requests(server: Command) -> None:
    wrong: list[object] = []

    def talk(number: int) -> None:
        with websocket(server, "/echo") as ws:
            for turn in range(20):
                ws.send(message := json.dumps([number, turn]))
                if (answer := ws.recv(TIMEOUT)) != message:
                    wrong.append((message, answer))

    threads = [threading.Thread(target=talk, args=(n,)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert server.request(get("/keys")).body == b""
    assert wrong == []


def test_ws12_bytes_that_were_read_ahead_come_first(server: Command) -> None:
    with server.client() as client:
        client.send(get("/raw", *UPGRADE) + b"one\ntwo\n")
        assert client.any_response().status == 101
        assert client.read_until(b"TWO\n") == b"ONE\nTWO\n"
        client.send(b"three\n\n")
        # Nothing of the server's comes behind it.
        assert client.read_to_end() == b"THREE\n"


def test_ws12_early_bytes_come_by_every_method(server: Command) -> None:
    with server.client() as client:
        client.send(get("/early", *UPGRADE) + b"0123456789")
        assert client.any_response().status == 101
        # The view waits for the rest, and it alone.
        assert server.request(get("/keys")).status == 200
        client.send(b"abcdefghij")
        assert client.read_to_end() == b"0 1 2 3 4 5 6 789abcdefghij"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files ``cert`` and ``key``."""
    folder: Path = tmp_path_factory.mktemp("tls")
    request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    command = f"{program('openssl', 'openssl')} {request} -keyout key -out cert"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder


def test_ws12_it_can_be_wrapped_for_tls(server: Command, certificate: Path) -> None:
    with server.client() as client:
        client.send(get(f"/tls?{certificate}", *UPGRADE))
        assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(client.sock.dup()) as safe:
            safe.sendall(b"hello")
            assert safe.recv(100) == b"HELLO"
            assert safe.recv(100) == b""


def test_ws12_bytes_that_tls_would_lose_are_told(
    server: Command, certificate: Path
) -> None:
    with server.client() as client:
        client.send(get(f"/tls?{certificate}", *UPGRADE) + b"early")
        assert b"\r\n\r\n5 bytes that the client sent early" in client.read_to_end()


def test_ws12_a_client_that_resets_ends_the_view(server: Command) -> None:
    with server.client() as client:
        client.send(get("/raw?reset", *UPGRADE) + b"one\n")
        client.read_until(b"ONE\n")
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    # That of no other test: lines may come long after the end of their connection.
    assert server.out.wait(r'"GET /raw\?reset HTTP/1.1" 101 ')
    assert "reset" in ended(server)


def test_ws12_the_socket_ends_with_its_request(server: Command) -> None:
    with server.client() as client:
        client.send(get("/late", *UPGRADE))
        assert client.response().body == b"kept"
        client.send(get("/ask-late"))
        assert b"after its end" in client.response().body


def test_ws12_an_answer_that_has_begun_goes_on(server: Command) -> None:
    with server.client() as client:
        client.send(get("/begun", *UPGRADE))
        assert b"the answer has begun" in client.response().body
        client.send(get("/keys"))
        assert client.response().status == 200


ORDINARY = {
    "no Connection": ["Upgrade: websocket"],
    "no Upgrade": ["Connection: upgrade"],
    "a body": ["Connection: upgrade", "Upgrade: websocket", "Content-Length: 1"],
}


@pytest.mark.parametrize("fields", ORDINARY.values(), ids=ORDINARY)
def test_cn12_what_is_no_upgrade_has_no_socket(
    server: Command, fields: list[str]
) -> None:
    method = "POST" if "Content-Length: 1" in fields else "GET"
    answer = server.request(get("/keys", *fields, method=method) + b"x")
    assert (answer.status, answer.body) == (200, b"")


def test_cn12_http10_has_no_socket(server: Command) -> None:
    answer = server.request(get("/keys", *UPGRADE, version="1.0"))
    assert (answer.status, answer.body) == (200, b"")


def test_cn12_who_does_not_use_it_answers_as_ever(server: Command) -> None:
    with server.client() as client:
        for _ in range(2):
            client.send(get("/keys", *UPGRADE))
            assert client.response().body == b"gunicorn.socket,werkzeug.socket"


def test_ws12_who_looks_at_it_does_not_use_it(server: Command) -> None:
    """The same connection answers, and goes on."""
    with server.client() as client:
        for _ in range(2):
            client.send(get("/looks", *UPGRADE))
            assert json.loads(client.response().body) == [
                ["recv", "sendall", "fileno", "makefile", "getpeername"],
                [True, False, True, "<socket of a request, unused>"],
                "recv",
                True,
            ]


def test_ws12_a_stop_ends_them(tmp_path: object) -> None:
    with Command("tests.apps.live:app", "--graceful-timeout", "1") as command:
        client = raw.Client(("127.0.0.1", command.port))
        with client:
            client.send(get("/raw", *UPGRADE) + b"one\n")
            client.read_until(b"ONE\n")
            assert command.stop() == 0
            assert client.read_to_end() == b""
