"""One port serves pages and WebSockets, and a handshake is a request before it is one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.raw import TIMEOUT, get
from tests.support.servers import Command
from tests.support.websockets import HANDSHAKE, frame, websocket

PAGES = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2
LINES = "\r\n".join(HANDSHAKE).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[Command]:
    with Command("tests.apps.websockets:app") as command:
        yield command


def test_ws13_pages_and_websockets_come_on_one_connection(server: Command) -> None:
    """The handshake stands behind requests that were sent with it."""
    with websocket(server, "/echo") as other, server.client() as client:
        client.send(PAGES + get("/echo", *HANDSHAKE) + frame(1, b"early"))
        assert [client.response().status for _ in range(2)] == [200, 200]
        assert client.any_response().status == 101
        assert client.read_exactly(7) == b"\x81\x05early"
        assert server.request(get("/")).status == 200
        other.send("beside")
        assert other.recv(TIMEOUT) == "beside"


def handshake(
    line: bytes = b"GET /echo HTTP/1.1", host: bytes = b"Host: a", more: bytes = b""
) -> bytes:
    fields = [line, host, LINES, more]
    return b"\r\n".join(filter(None, fields)) + b"\r\n\r\n"


REFUSED = {
    "no Host": (400, handshake(host=b"")),
    "two Hosts": (400, handshake(more=b"Host: b")),
    "a Host that is none": (400, handshake(host=b"Host: a b")),
    "a name with a space": (400, handshake(more=b"X : 1")),
    "a folded line": (400, handshake(more=b"X: 1\r\n 2")),
    "a NUL": (400, handshake(more=b"X: \0")),
    "a bare CR": (400, handshake(more=b"X: 1\rY: 2")),
    "two lengths": (400, handshake(more=b"Content-Length: 0\r\nContent-Length: 1")),
    "a length and chunks": (
        400,
        handshake(more=b"Content-Length: 1\r\nTransfer-Encoding: chunked"),
    ),
    "a body": (400, handshake(more=b"Content-Length: 18") + PAGES[:18]),
    "a fragment": (400, handshake(b"GET /echo#x HTTP/1.1")),
    "a long line": (414, handshake(b"GET /" + b"x" * 70_000 + b" HTTP/1.1")),
    "much in its head": (431, handshake(more=b"X: " + b"x" * 70_000)),
    "another HTTP": (505, handshake(b"GET /echo HTTP/2.0")),
}


@pytest.mark.parametrize(("status", "sent"), REFUSED.values(), ids=REFUSED)
def test_ws13_a_handshake_obeys_the_rules_of_requests(
    server: Command, status: int, sent: bytes
) -> None:
    with server.client() as client:
        client.send(sent)
        answer = client.response()
        assert (answer.status, answer.get("Connection")) == (status, "close")
        assert answer.get("Sec-WebSocket-Accept") is None
        assert client.read_to_end() == b""


ORDINARY = {
    "HTTP/1.0": handshake(b"GET /echo HTTP/1.0"),
    "POST": handshake(b"POST /echo HTTP/1.1", more=b"Content-Length: 0"),
    "HEAD": handshake(b"HEAD /echo HTTP/1.1"),
}


@pytest.mark.parametrize("sent", ORDINARY.values(), ids=ORDINARY)
def test_ws13_what_is_no_handshake_is_a_request(server: Command, sent: bytes) -> None:
    with server.client() as client:
        client.send(sent)
        assert client.response(head_only=sent.startswith(b"HEAD")).status == 200


def test_ws13_the_target_may_be_absolute(server: Command) -> None:
    with server.client() as client:
        client.send(handshake(b"GET http://b/echo HTTP/1.1", host=b"Host: b"))
        assert client.any_response().status == 101
        client.send(frame(1, b"on"))
        assert client.read_exactly(4) == b"\x81\x02on"
