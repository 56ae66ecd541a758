"""As much of Microsoft's SQL Server as FreeTDS wants: it lets everybody in, and answers each
batch with the rows that it is told to. No registry of packages has a server of that kind.

[MS-TDS] 7.4: packets have a header of eight bytes, text is UTF-16, numbers of tokens are
little-endian.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Sequence

# Rows of numbers, or the message of an error.
Answer = Sequence[int] | str

_LOGIN, _PRELOGIN, _ATTENTION = 0x10, 0x12, 0x06
_COUNTED, _CANCELLED, _FAILED = 0x10, 0x20, 0x02
# Version 16, no encryption.
_HELLO = bytes.fromhex("00 000b 0006  01 0011 0001  ff") + bytes(6) + b"\x02"


def _text(value: str, size: str = "<B") -> bytes:
    return struct.pack(size, len(value)) + value.encode("utf-16-le")


def _done(status: int = 0, rows: int = 0) -> bytes:
    return struct.pack("<BHHQ", 0xFD, status, 0xC1, rows)


def _let_in() -> bytes:
    body = b"\x01" + bytes.fromhex("74000004") + _text("server") + bytes((16, 0, 0, 0))
    return struct.pack("<BH", 0xAD, len(body)) + body + _done()


def _failed(message: str) -> bytes:
    # Number, state and severity; then who says it, and where.
    body = struct.pack("<lBB", 50_000, 1, 16) + _text(message, "<H")
    body += _text("server") + _text("") + struct.pack("<l", 1)
    return struct.pack("<BH", 0xAA, len(body)) + body + _done(_FAILED)


def _rows(numbers: Sequence[int]) -> bytes:
    column = struct.pack("<HLHB", 1, 0, 0, 0x38) + _text("number")
    rows = b"".join(struct.pack("<Bl", 0xD1, number) for number in numbers)
    return b"\x81" + column + rows + _done(_COUNTED, len(numbers))


def _read(conn: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = conn.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def _message(conn: socket.socket) -> tuple[int, bytes]:
    body = b""
    while True:
        kind, status, size = struct.unpack(">BBH4x", _read(conn, 8))
        body += _read(conn, size - 8)
        if status & 1:
            return kind, body


def _answer(kind: int, body: bytes, answers: Callable[[str], Answer]) -> bytes:
    if kind == _PRELOGIN:
        return _HELLO
    if kind == _LOGIN:
        return _let_in()
    if kind == _ATTENTION:
        return _done(_CANCELLED)
    headers = struct.unpack_from("<L", body)[0]
    given = answers(body[headers:].decode("utf-16-le"))
    if isinstance(given, str):
        return _failed(given)
    return _rows(given) if given else _done()


def serve(conn: socket.socket, answers: Callable[[str], Answer]) -> None:
    """One connection, to its end: ``answers(batch)`` may wait."""
    with conn:
        while True:
            try:
                kind, body = _message(conn)
            except EOFError:
                return
            data = _answer(kind, body, answers)
            conn.sendall(struct.pack(">BBHHBB", 0x04, 1, len(data) + 8, 0, 1, 0) + data)
