"""Writes seeds for the fuzzers: from the table of request bytes, and of its own.

python tools/make_corpus.py DIRECTORY
"""

from __future__ import annotations

import itertools
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

PROXY = [
    b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n",
    b"PROXY TCP6 ::1 ::2 9 10\r\n",
    b"PROXY UNKNOWN\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x09\x00\x0a",
    b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00",
]
FORWARDED = [
    b"1.1.1.1, 2.2.2.2:5,[::1]:6",
    b'for=1.1.1.1;proto=https, For="[::1]:5" , by=x;for=_hidden',
    b"/a%2Fb?c=%zz",
    b"http://example.com:80/x?y",
    b"[::1]:80",
]
EXTENSIONS = [
    b"permessage-deflate; client_max_window_bits",
    b"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    b"permessage-deflate; server_max_window_bits=10; client_max_window_bits=9, other",
    b'permessage-deflate; server_max_window_bits="8", permessage-deflate;x=y',
]
# Opcodes and bits of frames (RFC 6455 5.2).
_GO_ON, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_FIN, _RSV1 = 0x80, 0x40


def frame(first: int, payload: bytes) -> bytes:
    """One of a client's, masked."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    key = b"\x37\xfa\x21\x3d"
    masked = bytes(a ^ b for a, b in zip(payload, itertools.cycle(key), strict=False))
    return bytes([first]) + length + key + masked


def deflated(text: bytes) -> bytes:
    """As permessage-deflate has it (RFC 7692 7.2.1)."""
    stream = zlib.compressobj(wbits=-15)
    return (stream.compress(text) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


def talks() -> Iterator[bytes]:
    """What clients say, whole conversations and single frames."""
    text = "Gr\u00fc\u00df Gott \u20ac \U0001f418 ".encode()
    yield frame(_FIN | _TEXT, text) + frame(_FIN | _CLOSE, b"\x03\xe8bye")
    cut = frame(_TEXT, text[:3]) + frame(_FIN | _PING, b"ping")
    yield cut + frame(_GO_ON, text[3:9]) + frame(_FIN | _GO_ON, text[9:])
    for size in (0, 125, 126, 999, 1001, 65535, 65536):
        yield frame(_FIN | _BINARY, bytes(size))
    yield frame(_FIN | _PONG, b"") + frame(_FIN | _CLOSE, b"")
    yield frame(_FIN | _CLOSE, b"\x03") + frame(_FIN | _TEXT, b"late")
    yield frame(_FIN | _TEXT, b"bad \xed\xa0\x80")
    short = frame(_FIN | _RSV1 | _TEXT, deflated(text))
    yield short + short + frame(_FIN | _RSV1 | _TEXT, b"\x00")
    half = deflated(text * 20)
    yield frame(_RSV1 | _TEXT, half[:10]) + frame(_FIN | _GO_ON, half[10:])
    yield frame(_FIN | _RSV1 | _BINARY, deflated(bytes(200_000)))
    # With the window of the message before; a final block, and bytes behind it.
    hello, again = b"\xf2\x48\xcd\xc9\xc9\x07\x00", b"\xf2\x00\x11\x00\x00"
    first = frame(_FIN | _RSV1 | _TEXT, hello)
    yield first + frame(_FIN | _RSV1 | _TEXT, again)
    yield frame(_FIN | _RSV1 | _TEXT, b"\xf3" + hello[1:] + again)


def websockets() -> list[bytes]:
    """Each talk, behind a byte that says what was agreed on (`tests/fuzz/websocket_fuzz.cc`)."""
    agreed = (0x00, 0x01, 0x72, 0x73, 0x76, 0x77, 0x16)
    return [bytes([terms]) + talk for terms in agreed for talk in talks()]


def h2_frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One of HTTP/2 (RFC 9113 4.1)."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload


def h2_block(*fields: tuple[bytes, bytes]) -> bytes:
    """Of literals that go into no table (RFC 7541 6.2.2)."""
    parts = [
        b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value
        for name, value in fields
    ]
    return b"".join(parts)


def h2_talks() -> Iterator[bytes]:
    """What clients say behind their preface."""
    data, headers, priority, reset, settings, ping = 0, 1, 2, 3, 4, 6
    update, more, end, whole = 8, 9, 1, 4
    get = [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/a?b")]
    get.append((b":authority", b"example.org"))
    start = h2_frame(settings, 0, 0, b"") + h2_frame(settings, 1, 0, b"")
    asked = start + h2_frame(headers, end | whole, 1, h2_block(*get))
    yield asked + h2_frame(ping, 0, 0, bytes(8)) + h2_frame(reset, 0, 1, bytes(4))
    # By the tables: static entries, one that is added, and that again.
    added = b"\x82\x87\x84\x41\x01a\x40\x01x\x01y"
    yield start + h2_frame(headers, end | whole, 1, added + b"\xbe")
    body = h2_block(*get, (b"content-length", b"5"))
    opened = start + h2_frame(headers, whole, 1, body)
    yield opened + h2_frame(data, 0, 1, b"he") + h2_frame(data, end, 1, b"llo")
    yield opened + h2_frame(data, 8, 1, b"\x03heXXX") + h2_frame(data, end, 1, b"")
    trailer = h2_frame(headers, end | whole, 1, h2_block((b"x-sum", b"1")))
    yield opened + h2_frame(data, 0, 1, b"hello") + trailer
    block = h2_block(
        *get, (b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"te", b"trailers")
    )
    cut = h2_frame(headers, end, 3, block[:9]) + h2_frame(more, 0, 3, block[9:20])
    yield start + cut + h2_frame(more, whole, 3, block[20:])
    for field in ((b"Upper", b""), (b"connection", b"x"), (b"priority", b"u=1, i")):
        yield start + h2_frame(headers, end | whole, 1, h2_block(*get, field))
    tunnel = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *get[1:]]
    yield (
        start
        + h2_frame(headers, whole, 1, h2_block(*tunnel))
        + h2_frame(data, 0, 1, b"x")
    )
    yield (
        asked
        + h2_frame(update, 0, 1, b"\x7f\xff\xff\xff")
        + h2_frame(update, 0, 0, bytes(4))
    )
    yield (
        start
        + h2_frame(priority, 0, 5, bytes(3) + b"\x03\x0f")
        + h2_frame(0x10, 0, 0, b"\0\0\0\x01u=0")
    )
    yield start + h2_frame(7, 0, 0, bytes(8)) + h2_frame(0xBE, 0xFF, 9, b"unknown")


def h2_sessions() -> list[bytes]:
    """Each talk, behind a byte that says what the application does (`tests/fuzz/h2_fuzz.cc`)."""
    return [bytes([manner]) + talk for manner in (0, 1, 2, 4) for talk in h2_talks()]


def main() -> None:
    from tests.support import cases

    base = Path(sys.argv[1])
    heads = [case.data for case in cases.load()]
    bodies = [
        data.split(b"\r\n\r\n", 1)[1] for data in heads if b"chunked\r\n\r\n" in data
    ]
    for name, seeds in {
        "head": heads,
        "chunked": bodies,
        "proxy": PROXY,
        "forwarded": FORWARDED,
        "websocket": websockets(),
        "extensions": EXTENSIONS,
        "h2": h2_sessions(),
    }.items():
        folder = base / name
        folder.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds):
            (folder / f"seed-{number:03}").write_bytes(seed)


if __name__ == "__main__":
    main()
