"""WebSockets whose clients take long to come to a question, or never come to it."""

from __future__ import annotations

import select
import socket

import pytest

from tests.support.raw import TIMEOUT, Client, get
from tests.support.servers import Command, wait_until
from tests.support.websockets import HANDSHAKE, frame

APP = "tests.apps.websockets:app"
PING = b"\x89\x00"


def slow(server: Command, path: str) -> Client:
    """Much of what it has not read yet waits in the server's kernel."""
    client = server.client()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.send(get(path, *HANDSHAKE))
    assert client.any_response().status == 101
    return client


def read_slowly(client: Client, size: int) -> None:
    """So many bytes, at 0.6 MB a second."""
    left = size - len(client.buffer)
    assert left > 0
    client.buffer = b""
    while left > 0:
        piece = client.sock.recv(min(left, 32_768))
        assert piece, "the end, in mid-message"
        left -= len(piece)
        select.select([], [], [], 0.05)


@pytest.mark.row("WS08")
def test_a_ping_is_not_missed_that_stands_behind_a_message() -> None:
    """In the kernel's buffers it takes longer than a ping may wait for its answer."""
    pings = ("--websocket-ping-interval", "0.2", "--websocket-ping-timeout", "2")
    size = 4 << 20
    with Command(APP, *pings) as server, slow(server, f"/big?{size}") as client:
        read_slowly(client, 10 + size)
        client.send(frame(1, b"on"))
        while (answer := client.read_exactly(2)) == PING:
            pass
        assert answer + client.read_exactly(2) == b"\x81\x02on"


@pytest.mark.slow("what its kernel still takes gives it the 5 s of a close twice")
@pytest.mark.row("WS08")
def test_a_client_that_takes_nothing_does_not_hold_a_stop() -> None:
    """It would read no close frame: the time for its answer is all that it has."""
    limits = ("--graceful-timeout", "1h", "--write-timeout", "1h")
    with Command(APP, *limits) as server, slow(server, "/park"):
        wait_until_full(server)
        assert server.stop() == 0


@pytest.mark.slow("likewise")
@pytest.mark.row("WS08")
def test_a_view_that_is_over_leaves_nothing_to_a_client_that_takes_nothing() -> None:
    with (
        Command(APP, "--write-timeout", "1h") as server,
        slow(server, f"/big?{64 << 20}&closes") as client,
    ):
        # It hears of its reset without reading what came before.
        hears = select.poll()
        hears.register(client.sock, 0)
        assert hears.poll(TIMEOUT * 1000)


def wait_until_full(server: Command) -> None:
    """Until nothing goes out any more: what was sent is the same, however often one asks."""
    counts: list[bytes] = []

    def look() -> tuple[bytes, bool]:
        counts.append(server.request(get("/")).body)
        return counts[-1], len(counts) > 5 and len({*counts[-5:]}) == 1

    assert wait_until(look, TIMEOUT) != b"nothing"
