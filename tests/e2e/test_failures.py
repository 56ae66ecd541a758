"""What goes wrong around a request: the server answers others and keeps nothing."""

from __future__ import annotations

import json
import resource
import socket
import struct
from collections.abc import Callable, Iterator

import pytest

from tests.support import raw
from tests.support.servers import Command, wait_until

MIXED = "tests.apps.mixed:app"


@pytest.fixture(scope="module")
def server() -> Iterator[Command]:
    with Command(
        MIXED,
        *("--cancel-on-disconnect", "GET", "--cancel-on-disconnect", "POST"),
        *("--write-timeout", "0.5", "--body-timeout", "0.5", "--header-timeout", "0.5"),
        *("--linger-timeout", "0.5", "--keep-alive", "0.5"),
    ) as command:
        AT_REST.update(held(command))
        yield command


# What the server holds with nobody connected but us.
AT_REST: dict[str, int] = {}


def leave(client: raw.Client) -> None:
    client.close()


def half_close(client: raw.Client) -> None:
    client.shutdown()


def reset(client: raw.Client) -> None:
    linger = struct.pack("ii", 1, 0)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    client.close()


def fall_silent(client: raw.Client) -> None:
    """Neither sends nor reads any more: a timeout of the server has to end it."""


def small_window(client: raw.Client) -> None:
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)


HEAD = b"POST /%b HTTP/1.1\r\nHost: h\r\n"
PHASES = {
    "connected": b"",
    "in the request line": b"GET /hel",
    "in a field": b"GET /hello HTTP/1.1\r\nHost: h\r\nAcc",
    "before the end of the head": b"GET /hello HTTP/1.1\r\nHost: h\r\n",
    "before the body": HEAD % b"read" + b"Content-Length: 10\r\n\r\n",
    "in a body": HEAD % b"read" + b"Content-Length: 10\r\n\r\nhalf",
    "in a chunk size": HEAD % b"read" + b"Transfer-Encoding: chunked\r\n\r\n1",
    "in a chunk": HEAD % b"read" + b"Transfer-Encoding: chunked\r\n\r\n9\r\nha",
    "in the trailers": HEAD % b"read" + b"Transfer-Encoding: chunked\r\n\r\n0\r\nA:",
    "while it is served": raw.get("/sleep"),
    "in an endless answer": raw.get("/endless"),
    "in a large answer": raw.get("/large"),
    "in a file": raw.get("/large_file"),
    "with requests behind it": raw.get("/sleep") * 20,
    "in an unread body": HEAD % b"unread"
    + b"Content-Length: 900000\r\n\r\n"
    + b"u" * 9000,
}
WAYS = [leave, half_close, reset, fall_silent]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.row("T14", "SL03")
def test_a_client_that_goes_in_any_phase_leaves_nothing(
    server: Command, phase: str, way: Callable[[raw.Client], None]
) -> None:
    """Gone, half closed, reset, or just not there any more."""
    before = rest(server)
    client = server.client()
    small_window(client)
    client.send(PHASES[phase])
    if "answer" in phase or "file" in phase:
        client.read_until(b"\r\n\r\n")
    way(client)
    wait_until(
        lambda: (now := held(server), now["descriptors"] <= before["descriptors"])
    )
    client.close()
    assert server.request(raw.get("/hello")).body == b"ok"
    wait_until(
        lambda: (now := held(server), now["greenlets"] <= before["greenlets"] + 1)
    )


def held(server: Command) -> dict[str, int]:
    found: dict[str, int] = json.loads(server.request(raw.get("/held")).body)
    return found


def rest(server: Command) -> dict[str, int]:
    """What the server holds with nobody connected but us."""
    return wait_until(
        lambda: (now := held(server), now["descriptors"] <= AT_REST["descriptors"])
    )


def test_a_full_disk_while_a_body_is_spooled_is_500() -> None:
    """The file grows to a limit; others, and later bodies that fit, go on."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    with Command(MIXED, "--request-buffering", preexec=limit) as server:
        assert server.request(raw.post("/read", b"b" * 200_000)).body == b"200000"
        before = held(server)
        for _ in range(3):
            assert server.request(raw.post("/read", b"b" * 900_000)).status == 500
        assert server.request(raw.post("/read", b"b" * 200_000)).body == b"200000"
        wait_until(
            lambda: (now := held(server), now["descriptors"] <= before["descriptors"])
        )
