"""Frames of RFC 6455, as a client makes them and as strictly as it may read them."""

from __future__ import annotations

from dataclasses import dataclass

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def mask(payload: bytes, key: bytes) -> bytes:
    size = len(payload)
    keys = (key * (size // 4 + 1))[:size]
    both = int.from_bytes(payload, "big") ^ int.from_bytes(keys, "big")
    return both.to_bytes(size, "big")


def masked(
    opcode: int, payload: bytes = b"", key: bytes = bytes(4), *, first: int = 0x80
) -> bytes:
    """One frame; `first`: FIN and what is reserved."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    return bytes([first | opcode]) + length + key + mask(payload, key)


def close_payload(code: int, reason: str = "") -> bytes:
    return code.to_bytes(2, "big") + reason.encode()


class BadFrame(Exception):
    """What a server may not send."""


@dataclass(frozen=True)
class Frame:
    opcode: int
    payload: bytes
    last: bool = True
    compressed: bool = False  # RSV1


class FrameReader:
    """Takes bytes of a server as they come."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def between(self) -> bool:
        """No part of a further frame is there."""
        return not self._buffer

    def feed(self, data: bytes) -> list[Frame]:
        self._buffer += data
        frames = []
        while frame := self._next():
            frames.append(frame)
        return frames

    def _next(self) -> Frame | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        first, size = buffer[0], buffer[1]
        opcode, last = first & 0x0F, first & 0x80 != 0
        if first & 0x30 or opcode not in (0, 1, 2, 8, 9, 10):
            raise BadFrame(f"a frame that begins with {first:#x}")
        if size & 0x80:
            raise BadFrame("a frame of a server with a mask")
        if opcode >= CLOSE and (size > 125 or not last or first & 0x40):
            raise BadFrame("a control frame that is long, cut or compressed")
        head = {126: 4, 127: 10}.get(size, 2)
        if len(buffer) < head:
            return None
        if head > 2:
            least = 126 if size == 126 else 65536
            size = int.from_bytes(buffer[2:head], "big")
            if size < least:
                raise BadFrame(f"a length of {size} in {head - 2} bytes")
        if len(buffer) < head + size:
            return None
        payload = bytes(buffer[head : head + size])
        del buffer[: head + size]
        return Frame(opcode, payload, last, first & 0x40 != 0)
