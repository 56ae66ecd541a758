"""Clients of WebSockets: a real one, and one that sends what it is told."""

from __future__ import annotations

from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.support.raw import TIMEOUT, Client, get
from tests.support.servers import Command

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    f"Sec-WebSocket-Key: {KEY}",
    "Sec-WebSocket-Version: 13",
)


def websocket(server: Command, path: str, **more: Any) -> ClientConnection:
    address = f"ws://127.0.0.1:{server.port}{path}"
    more = {"max_size": None, "ping_interval": None, "compression": None, **more}
    return connect(address, open_timeout=TIMEOUT, close_timeout=TIMEOUT, **more)


def frame(opcode: int, payload: bytes, first: int = 0x80) -> bytes:
    """A short one, masked with zeros."""
    return bytes([first | opcode, 0x80 | len(payload)]) + bytes(4) + payload


def opened(server: Command, path: str, *fields: str) -> Client:
    client = server.client()
    client.send(get(path, *HANDSHAKE, *fields))
    answer = client.any_response()
    assert answer.status == 101
    assert answer.get("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    return client
