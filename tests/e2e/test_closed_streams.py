"""Places that streams take for long, and who is told that there are none left."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.support import raw
from tests.support.metrics import value
from tests.support.raw import Client
from tests.support.servers import Command, serving, wait_until

APP = """
import os, time
def app(environ, start_response):
    path = environ["PATH_INFO"]
    length = [("Content-Length", "9")] if path == "/whole" else []
    write = start_response("200 OK", [("Content-Type", "text/event-stream"), *length])
    if path == "/whole": write(b"data: 1\\n\\n")
    return events(path) if path != "/whole" else [*events(path)][:0]
def events(path):
    end = "cut"
    try:
        yield b"data: 1\\n\\n"
        if path == "/tab": time.sleep(3600)
        if path == "/holds":
            time.sleep(0.002)
            open("held", "w").close()
            while not os.path.exists("go"): pass
            while True: yield b"data: 2\\n\\n"
        while not os.path.exists("go"): time.sleep(0.002)
        yield b"data: 2\\n\\n" if path == "/until" else b""
        end = "whole"
    finally:
        time.sleep(0.002)
        with open("ended", "a") as file: file.write(end)
"""


pytestmark = pytest.mark.row("S33")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "events.py").write_text(APP)
    return tmp_path


def reset(client: Client) -> None:
    linger = struct.pack("ii", 1, 0)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    client.sock.close()


def ends(folder: Path, how: str) -> None:
    path = folder / "ended"
    wait_until(lambda: (t := path.exists() and path.read_text(), t == how))


def test_a_stream_whose_client_has_reset_ends_at_once(folder: Path) -> None:
    with Command("events:app", cwd=folder) as server, server.client() as client:
        client.send(raw.get("/tab"))
        client.read_until(b"data: 1")
        reset(client)
        ends(folder, "cut")


def test_a_stream_whose_client_has_closed_ends_once_that_is_asked(folder: Path) -> None:
    options = ("--tcp-keepalive", "1")
    with (
        Command("events:app", *options, cwd=folder) as server,
        server.client() as client,
    ):
        client.send(raw.get("/tab"))
        client.read_until(b"data: 1")
        # Seconds that its kernel knows of it yet.
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_LINGER2, 1)
        client.sock.close()
        ends(folder, "cut")


def test_one_whose_client_has_only_closed_its_side_goes_on(folder: Path) -> None:
    with Command("events:app", cwd=folder) as server, server.client() as client:
        client.send(raw.get("/until"))
        client.read_until(b"data: 1")
        client.sock.shutdown(socket.SHUT_WR)
        (folder / "go").touch()
        client.read_until(b"data: 2")
        ends(folder, "whole")


def test_what_an_application_does_behind_its_answer_is_not_cut(folder: Path) -> None:
    admin = ("--admin-bind", "127.0.0.1:0")
    with Command("events:app", *admin, cwd=folder) as server, server.client() as client:
        client.send(raw.get("/whole"))
        assert client.response().body == b"data: 1\n\n"
        reset(client)
        wait_until(
            lambda: (n := value(server, "celadon_requests_abandoned_total"), n == 1)
        )
        (folder / "go").touch()
        ends(folder, "whole")


def test_who_finds_the_reset_by_sending_may_clean_up(folder: Path) -> None:
    with Command("events:app", cwd=folder) as server, server.client() as client:
        client.send(raw.get("/holds"))
        wait_until(lambda: (None, (folder / "held").exists()))
        reset(client)  # which the loop does not see
        (folder / "go").touch()
        ends(folder, "cut")


def test_that_no_more_are_accepted_is_told(folder: Path) -> None:
    options = ("--worker-connections", "1", "--graceful-timeout", "0.1")
    admin = ("--admin-bind", "127.0.0.1:0")
    with Command("events:app", *options, *admin, cwd=folder) as server:
        assert value(server, "celadon_accept_pauses_total") == 0
        with server.client() as client:
            client.send(raw.get("/tab"))
            client.read_until(b"data: 1")
            server.wait_line(r"worker_connections \(1\) are open: no more are accepted")
            assert value(server, "celadon_accept_pauses_total") == 1


@pytest.mark.parametrize(
    ("options", "asks"), [((), True), (("--tcp-keepalive", "0"), False)]
)
def test_the_kernel_asks_whether_a_silent_client_is_there(
    folder: Path, options: tuple[str, ...], asks: bool
) -> None:
    grace = ("--graceful-timeout", "0.1")
    with (
        Command("events:app", *grace, *options, cwd=folder) as server,
        server.client() as client,
    ):
        client.send(raw.get("/tab"))
        client.read_until(b"data: 1")
        # Its timer, once all that was sent is acknowledged.
        wait_until(lambda: (t := timer_of(server.port), t == (2 if asks else 0)))


def timer_of(port: int) -> int:
    """Of the server's end of its one connection: 1 to send again, 2 to ask."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1].endswith(f":{port:04X}") and words[3] == "01":
            return int(words[5].partition(":")[0])
    raise AssertionError("no such connection")


@pytest.mark.parametrize(
    ("seconds", "idle", "interval", "probes"),
    [(60, 60, 10, 6), (5, 5, 1, 5), (2**31 - 1, 32767, 5461, 6)],
)
def test_how_often_it_asks(seconds: int, idle: int, interval: int, probes: int) -> None:
    def app(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    with serving(app, tcp_keepalive=seconds) as server, server.client() as client:
        client.send(raw.get("/"))
        assert client.response().status == 200
        with server.end_of(client) as end:
            assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            tcp = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            asked = [end.getsockopt(socket.IPPROTO_TCP, option) for option in tcp]
    assert asked == [idle, interval, probes]
