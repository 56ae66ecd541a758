"""What a WebSocket may hold, and how long it is waited for: each by its setting."""

from __future__ import annotations

import pytest

from tests.support.metrics import value
from tests.support.raw import TIMEOUT, get
from tests.support.servers import Command, wait_until
from tests.support.websockets import frame, opened

APP = "tests.apps.websockets:app"


@pytest.mark.row("WS09")
def test_reading_stops_at_so_many_bytes_of_messages() -> None:
    options = ("--websocket-max-queue", "1000", "--websocket-max-queue-size", "250")
    message = frame(1, b"x" * 100)

    def received(server: Command) -> float:
        name = "celadon_websocket_messages_total"
        return value(server, name, direction="received")

    with (
        Command(APP, *options, "--admin-bind", "127.0.0.1:0") as server,
        opened(server, "/queue") as client,
    ):
        client.send(message * 10)
        wait_until(lambda: (n := received(server), n >= 3))
        for _ in range(3):  # turns of the loop
            server.request(get("/"))
        assert received(server) == 3
        client.send(message * 54)
        server.request(get("/open?queue"))
        assert client.read_exactly(6) == b"\x81\x046400"


@pytest.mark.row("WS08")
def test_an_answer_to_a_close_is_waited_for_so_long() -> None:
    close = b"\x88\x0b\x0f\xa0as I like"
    with (
        Command(APP, "--websocket-close-timeout", "0.1") as server,
        opened(server, "/closes") as client,
    ):
        assert client.read_to_end() == b"\x81\x03bye" + close
    with (
        Command(APP, "--websocket-close-timeout", "0") as server,
        opened(server, "/closes") as client,
    ):
        assert client.read_exactly(18) == b"\x81\x03bye" + close
        client.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.sock.recv(1)
        client.sock.settimeout(TIMEOUT)
        client.send(frame(8, b"\x0f\xa0"))
        assert client.read_to_end() == b""
