"""WebSockets of synchronous views."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from celadon.config import load
from celadon.errors import UsageError
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.typing import Subprotocol

from tests.support.raw import TIMEOUT, get
from tests.support.servers import Command, wait_until
from tests.support.websockets import HANDSHAKE, KEY, frame, opened, websocket

APP = "tests.apps.websockets:app"


@pytest.fixture(scope="module")
def server() -> Iterator[Command]:
    with Command(APP, "--access-logfile", "-") as command:
        yield command


def seen(server: Command) -> list[str]:
    return server.request(get("/")).body.decode().split("\n")


def test_ws11_messages_come_back(server: Command) -> None:
    with websocket(server, "/echo?all") as ws:
        for message in ("", "text", b"\0binary", "ü" * 70_000, os.urandom(3 << 20)):
            ws.send(message)
            assert ws.recv(TIMEOUT) == message
        assert ws.ping().wait(TIMEOUT)
    assert ws.close_code == 1000
    assert server.out.wait(r'"GET /echo\?all HTTP/1.1" 101 ')
    wait_until(lambda: (None, "echo ended all" in seen(server)))


@pytest.mark.row("T39")
def test_ws08_fragments_and_pings_between_them(server: Command) -> None:
    with opened(server, "/echo") as client:
        client.send(frame(1, b"one ", first=0) + frame(9, b"ping"))
        assert client.read_exactly(6) == b"\x8a\x04ping"
        client.send(frame(0, b"two"))
        assert client.read_exactly(9) == b"\x81\x07one two"
        client.send(frame(8, b"\x03\xe8"))
        assert client.read_to_end() == b"\x88\x02\x03\xe8"


def test_ws11_what_it_knows_of_its_request(server: Command) -> None:
    offered = [Subprotocol("other"), Subprotocol("chat")]
    with websocket(server, "/about", subprotocols=offered, origin="http://a") as ws:
        assert list(ws) == ["/about http://a chat 13", "True"]
    with websocket(server, "/about") as ws:
        assert ws.recv(TIMEOUT) == "/about None None 13"


def test_ws11_a_view_sets_fields_of_the_101() -> None:
    form = "own=%({x-own}o)s accept=%({sec-websocket-accept}o)s"
    with Command(APP, "--access-logfile", "-", "--access-logformat", form) as server:
        for how in ("list", "iterator"):
            with websocket(server, f"/fields?{how}") as ws:
                fields = ws.response.headers
                assert fields.get_all("Set-Cookie") == ["a=1", "b=2"]
                assert fields["X-Own"] == "\xe9"
                assert fields.get_all("Connection") == ["Upgrade"]
                assert "Content-Length" not in fields
                assert ws.recv(TIMEOUT) == "open"
        server.wait_line('hop-by-hop header "Connection"')
        with websocket(server, "/fields?dict") as ws:
            assert ws.response.headers["X-Own"] == "1"
        assert server.out.wait("own=1 accept=[^-]")


def test_ws11_a_view_closes_as_it_likes(server: Command) -> None:
    with websocket(server, "/closes") as ws, pytest.raises(ConnectionClosedError):
        assert ws.recv(TIMEOUT) == "bye"
        ws.recv(TIMEOUT)
    assert (ws.close_code, ws.close_reason) == (4000, "as I like")


def test_ws11_a_view_that_raises_closes_with_1011(server: Command) -> None:
    with websocket(server, "/raises") as ws, pytest.raises(ConnectionClosedError):
        assert ws.recv(TIMEOUT) == "before"
        ws.recv(TIMEOUT)
    assert ws.close_code == 1011
    server.wait_line("ValueError: of the view")


@pytest.mark.parametrize(("status", "code"), [(500, 1011), (404, 1000), (200, 1000)])
def test_ws11_a_framework_answers_for_a_view_that_raises(
    server: Command, status: int, code: int
) -> None:
    with websocket(server, f"/answers?{status}") as ws:
        assert ws.recv(TIMEOUT) == "before"
        with pytest.raises(ConnectionClosed):
            ws.recv(TIMEOUT)
    assert ws.close_code == code


def test_ws11_what_cannot_be_sent_is_said_at_once(server: Command) -> None:
    server.request(get("/clear"))
    with websocket(server, "/refuses") as ws:
        assert ws.recv(TIMEOUT) == "still open"
    assert seen(server) == [
        "ValueError: the client has not offered that subprotocol",
        "ValueError: invalid value of header str 'X-Own'",
        "ValueError: invalid header name: str 'a b'",
        "ValueError: Sec-WebSocket-Accept is the server's to say",
        "TypeError: header name and value must be str: tuple (b'X-Own', b'1')",
        "TypeError: a header must be a (name, value) tuple, not str 'X'",
        "TypeError: 'int' object is not iterable",
        *(
            f"{code} is no code to close a WebSocket with"
            for code in (99, 1004, 1005, 1006, 1015, 2999, 5000, 70_000)
        ),
        "the reason to close a WebSocket has at most 123 bytes",
        "the reason to close a WebSocket is not UTF-8",
        "the WebSocket was accepted already",
        "surrogate",
    ]


@pytest.mark.parametrize("how", ["reset", "end"])
def test_ws11_a_client_that_leaves_ends_the_loop(server: Command, how: str) -> None:
    with opened(server, f"/echo?{how}") as client:
        if how == "reset":
            hard = struct.pack("ii", 1, 0)
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, hard)
    wait_until(lambda: (None, f"echo ended {how}" in seen(server)))


def test_ws11_both_directions_at_once(server: Command) -> None:
    with websocket(server, "/both") as ws:
        ws.send("mine")
        assert sorted(ws) == sorted(["mine", *(f"tick {n}" for n in range(100))])


def test_ws11_one_waits_for_each_direction(server: Command) -> None:
    with websocket(server, "/two") as ws:
        assert ws.recv(TIMEOUT) == "another greenlet waits for this WebSocket already"


def test_ws11_it_waits_longer_than_a_request_may() -> None:
    with Command(APP, "--request-timeout", "0.2") as own, websocket(own, "/long") as ws:
        assert ws.recv(TIMEOUT) == "after half a second"


def test_ws11_many_at_once(server: Command) -> None:
    wrong: list[object] = []

    def talk(number: int) -> None:
        with websocket(server, "/echo") as ws:
            for turn in range(30):
                ws.send(message := f"{number} {turn}")
                if (answer := ws.recv(TIMEOUT)) != message:
                    wrong.append((message, answer))

    threads = [threading.Thread(target=talk, args=(n,)) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_reading_stops_where_nobody_receives(server: Command) -> None:
    much = 64 << 20
    with websocket(server, "/queue") as ws:
        sent = threading.Event()

        def send() -> None:
            for _ in range(64):
                ws.send(b"x" * (much // 64))
            sent.set()

        sender = threading.Thread(target=send)
        sender.start()
        assert not sent.wait(1)
        server.request(get("/open?queue"))
        assert ws.recv(TIMEOUT) == str(much)
        sender.join()


def test_a_sender_waits_for_its_client(server: Command) -> None:
    server.request(get("/clear"))
    with opened(server, "/park") as client:
        client.read_exactly(1 << 20)
        # Far below what it would send: what the kernel and response_buffer hold.
        assert int(seen(server)[0].removeprefix("sent ")) < 2000
    wait_until(lambda: (None, seen(server)[-1] == "gone"))


REFUSED = {
    "another version": (
        426,
        ["Sec-WebSocket-Version: 12", f"Sec-WebSocket-Key: {KEY}"],
    ),
    "no key": (400, ["Sec-WebSocket-Version: 13"]),
    "a bad key": (400, ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: short"]),
}


@pytest.mark.parametrize(("status", "fields"), REFUSED.values(), ids=REFUSED)
@pytest.mark.row("WS01")
def test_a_bad_handshake_is_refused(
    server: Command, status: int, fields: list[str]
) -> None:
    with server.client() as client:
        client.send(get("/echo", *HANDSHAKE[:2], *fields))
        answer = client.response()
        assert answer.status == status
        assert len(answer.all("Date")) == len(answer.all("Server")) == 1
        wanted = "13" if status == 426 else None
        assert answer.get("Sec-WebSocket-Version") == wanted
        client.send(get("/"))
        assert client.response().status == 200


@pytest.mark.row("WS02")
def test_origins_that_may_not_are_refused() -> None:
    with Command(APP, "--websocket-origins", "http://a,http://b") as server:
        with websocket(server, "/echo", origin="http://B") as ws:
            ws.send("x")
            assert ws.recv(TIMEOUT) == "x"
        with pytest.raises(InvalidStatus) as refused:
            websocket(server, "/echo", origin="http://c")
        assert refused.value.response.status_code == 403
    with Command(APP, "--websocket-origins", "*") as server:
        with websocket(server, "/echo", origin="http://c") as ws:
            ws.send("x")
    with pytest.raises(UsageError, match="expected origins such as https"):
        load({"websocket_origins": "http://b,a.example"}, {})


@pytest.mark.row("CN12", "CN08")
def test_who_does_not_use_it_answers_as_ever(server: Command) -> None:
    with server.client() as client:
        for _ in range(2):
            client.send(get("/elsewhere", *HANDSHAKE))
            assert client.response().body == b"WebSocket"


@pytest.mark.row("WS05")
def test_a_message_too_large_closes() -> None:
    with (
        Command(APP, "--websocket-max-message-size", "1000") as server,
        websocket(server, "/echo") as ws,
    ):
        ws.send("x" * 1000)
        assert ws.recv(TIMEOUT) == "x" * 1000
        ws.send("x" * 1001)
        with pytest.raises(ConnectionClosed):
            ws.recv(TIMEOUT)
        assert ws.close_code == 1009


@pytest.mark.row("WS08")
def test_a_client_that_answers_no_ping_is_given_up() -> None:
    pings = ("--websocket-ping-interval", "0.1", "--websocket-ping-timeout", "0.1")
    with (
        Command(APP, *pings, "--websocket-max-queue", "2") as server,
        opened(server, "/echo") as client,
    ):
        assert client.read_to_end() == b"\x89\x00\x88\x15\x03\xf3no answer to a ping"


def test_a_stop_closes_with_1001() -> None:
    with Command(APP) as server, websocket(server, "/echo") as ws:
        ws.send("x")
        assert ws.recv(TIMEOUT) == "x"
        assert server.stop() == 0
        with pytest.raises(ConnectionClosed):
            ws.recv(TIMEOUT)
        assert ws.close_code == 1001


@pytest.mark.row("WS09")
def test_a_reload_closes_with_1012() -> None:
    with Command(APP) as server, websocket(server, "/echo") as ws:
        ws.send("x")
        assert ws.recv(TIMEOUT) == "x"
        server.signal(signal.SIGHUP)
        with pytest.raises(ConnectionClosed):
            ws.recv(TIMEOUT)
        assert (ws.close_code, ws.close_reason) == (1012, "")
        with websocket(server, "/echo") as successor:
            successor.send("y")
            assert successor.recv(TIMEOUT) == "y"
