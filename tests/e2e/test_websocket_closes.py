"""What a close frame says, both ways, of synchronous views and of ASGI."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers import Command
from tests.support.websockets import frame, opened

APP = "tests.apps.websocket_echo"
KINDS = ("/", "/asgi/")


@pytest.fixture(scope="module")
def server() -> Iterator[Command]:
    with Command(f"{APP}:wsgi", "--mount", f"/asgi={APP}:asgi") as command:
        yield command


def said(code: int, reason: bytes = b"") -> bytes:
    return code.to_bytes(2, "big") + reason


def answer(server: Command, path: str, payload: bytes) -> bytes:
    """All that comes behind a close frame of this."""
    with opened(server, path) as client:
        client.send(frame(8, payload))
        return client.read_to_end()


@pytest.mark.parametrize("path", KINDS)
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        *(said(code) for code in (1000, 1001, 1002, 1003)),
        *(said(code) for code in range(1007, 1015)),
        *(said(code) for code in (3000, 3999, 4000, 4999)),
        said(1000, b"bye"),
        said(4001, "genug für heute".encode()),
        said(3000, b"r" * 123),
    ],
)
@pytest.mark.row("WS08")
def test_a_clients_close_comes_back_as_it_was(
    server: Command, path: str, payload: bytes
) -> None:
    """A browser tells its page of the end by what comes back, its own reason too."""
    assert answer(server, path, payload) == bytes([0x88, len(payload)]) + payload


@pytest.mark.parametrize("path", KINDS)
@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"\x03", 1002),
        *((said(code), 1002) for code in (0, 999, 1004, 1005, 1006, 1015, 1016)),
        *((said(code), 1002) for code in (1100, 2000, 2999, 5000, 65535)),
        (said(1005, b"none"), 1002),
        (said(1000, b"\xff"), 1007),
        (said(1000, "ü".encode()[:1]), 1007),
    ],
)
@pytest.mark.row("WS04")
def test_a_close_that_no_frame_may_hold_is_not_repeated(
    server: Command, path: str, payload: bytes, code: int
) -> None:
    came = answer(server, path, payload)
    assert came[:1] == b"\x88"
    assert came[2:4] == said(code)
    assert len(came) == 2 + came[1]
