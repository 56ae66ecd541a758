"""One request whose client is fast lets the others have their turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celadon import green

from tests.support import raw
from tests.support.servers import serving

Start = Callable[..., Callable[[bytes], None]]

# What is read in a turn without waiting, by its event, and at most one read too much.
MOST_IN_A_TURN = 256 * 1024 + 2 * 64 * 1024
LONGER_THAN_A_SHARE = 0.006


class Ticker:
    """A greenlet that has something to do in every turn."""

    def __init__(self) -> None:
        self.ticks = 0
        self._ended = False

    def __enter__(self) -> Ticker:
        self._greenlet = green.spawn(self._run)
        while self.ticks == 0:
            green.sleep(0)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ended = True
        self._greenlet.get()

    def _run(self) -> None:
        while not self._ended:
            self.ticks += 1
            green.sleep(0)


def work(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


@pytest.mark.row("C17")
def test_an_upload_is_read_for_so_many_bytes_in_a_turn() -> None:
    """Its kernel sends on at once when some of it is read: it never has to be waited for."""
    size = 32 << 20
    most = 0

    def app(environ: dict[str, Any], start: Start) -> Iterator[bytes]:
        nonlocal most
        with Ticker() as ticker:
            left, in_turn, tick = size, 0, 0
            while left > 0:
                n = len(environ["wsgi.input"].read(min(left, 32768)))
                left -= n
                in_turn = n if ticker.ticks != tick else in_turn + n
                tick = ticker.ticks
                most = max(most, in_turn)
        start("200 OK", [("Content-Length", "4")])
        yield b"read"

    with serving(app, False) as server, server.client() as client:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
        client.send(head + bytes(size))
        assert client.response().body == b"read"
    assert 0 < most <= MOST_IN_A_TURN


@pytest.mark.row("C17")
def test_pieces_that_are_written_let_others_have_their_turn() -> None:
    ticks: list[int] = []

    def app(environ: dict[str, Any], start: Start) -> list[bytes]:
        write = start("200 OK", [("Content-Length", "3")])
        with Ticker() as ticker:
            for _ in range(3):
                work(LONGER_THAN_A_SHARE)
                write(b"x")
                ticks.append(ticker.ticks)
        return []

    with serving(app, False) as server:
        assert server.request(raw.get("/")).body == b"xxx"
    assert 0 < ticks[0] < ticks[1] < ticks[2]


@pytest.mark.row("C17")
def test_a_stored_body_that_is_read_lets_others_have_their_turn() -> None:
    size = 4 * 65536
    ticks: list[int] = []

    def app(environ: dict[str, Any], start: Start) -> list[bytes]:
        with Ticker() as ticker:
            while environ["wsgi.input"].read(65536):
                ticks.append(ticker.ticks)
                work(LONGER_THAN_A_SHARE)
        start("200 OK", [("Content-Length", "4")])
        return [b"read"]

    with (
        serving(app, False, request_buffering=True) as server,
        server.client() as client,
    ):
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
        client.send(head + bytes(size))
        assert client.response().body == b"read"
    assert ticks[0] < ticks[1] < ticks[2] < ticks[3]
