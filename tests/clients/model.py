"""What each view must answer, from RFC 9112 and the views' own words alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

PIECE = 7000  # of a stream

# Views that read a request's body to its end.
READERS = frozenset({"read", "read_slowly", "read_late", "echo"})
# Those whose answer may have begun before all of the body has come.
BEGINNERS = frozenset({"read_late", "echo"})
# Those that know no length, so that the answer is chunked, or ends with the connection.
UNFRAMED = frozenset(
    {"read_late", "echo", "stream", "stream_slowly", "write", "file_open", "break_off"}
)
BREAKERS = frozenset({"break_off", "break_off_length", "short"})


def content(ident: str, size: int) -> bytes:
    """Bytes that no other request has."""
    block = hashlib.sha256(ident.encode()).hexdigest().encode()
    return (block * (size // 64 + 1))[:size]


def pause_of(ident: str) -> float:
    """Seconds that a view waits."""
    return 0.001 * (1 + crc32(ident.encode()) % 8)


def given_before_the_break(size: int) -> int:
    """Bytes of an answer that is broken off: at least a piece, so that its head is out,
    and less than it said."""
    return max(size // 2 // PIECE * PIECE, PIECE)


@lru_cache(maxsize=4096)
def request_body(ident: str, size: int) -> bytes:
    return content("body of " + ident, size)


@dataclass(frozen=True)
class Request:
    """One of a client's plan."""

    ident: str
    view: str
    size: int = 0  # of the answer
    method: str = "GET"
    minor: int = 1  # of the version
    connection: str = ""  # its field
    body: int | None = None  # bytes
    chunk: int = 0  # bytes of each; 0: a length is announced
    expects: bool = False
    bad: bool = False  # no request at all

    @property
    def payload(self) -> bytes:
        return request_body(self.ident, self.body or 0)

    @property
    def asks_to_close(self) -> bool:
        return self.connection == "close" or (self.minor == 0 and not self.connection)

    @property
    def reads(self) -> bool:
        return self.view in READERS

    @property
    def breaks(self) -> bool:
        return self.view in BREAKERS

    def head(self) -> bytes:
        if self.bad:
            return b"GET / HTTP/1.1\r\nno field at all\r\n\r\n"
        lines = [
            f"{self.method} /{self.ident}/{self.view}/{self.size} HTTP/1.{self.minor}",
            "Host: a",
        ]
        if self.connection:
            lines.append(f"Connection: {self.connection}")
        if self.expects:
            lines.append("Expect: 100-continue")
        if self.chunk:
            lines.append("Transfer-Encoding: chunked")
        elif self.body is not None:
            lines.append(f"Content-Length: {self.body}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def framed_body(self) -> bytes:
        if self.body is None:
            return b""
        if not self.chunk:
            return self.payload
        parts = []
        for at in range(0, self.body, self.chunk):
            piece = self.payload[at : at + self.chunk]
            parts.append(b"%x\r\n%b\r\n" % (len(piece), piece))
        return b"".join(parts) + b"0\r\n\r\n"


@dataclass(frozen=True)
class Expected:
    status: int
    body: bytes
    page: bool = False  # the server's own, whose bytes are its own
    whole: bool = True
    framings: tuple[str, ...] = ("length",)


def expected(request: Request) -> Expected:
    """What must come, where the request came whole."""
    view, size = request.view, request.size
    if request.bad:
        return Expected(400, b"", page=True)
    if view in ("fail", "fail_started"):
        return _without_body(request, Expected(500, b"", page=True))
    if view == "empty":
        return Expected(204, b"", framings=("none",))
    if view == "unchanged":
        return Expected(304, b"", framings=("none", "length"))
    body = content(request.ident, size)
    if view == "echo":
        body = request.payload
    elif view == "read_late":
        body += (
            hashlib.sha1(request.payload, usedforsecurity=False).hexdigest().encode()
        )
    elif view in BREAKERS:
        body = body[: given_before_the_break(size)]
    framings: tuple[str, ...] = ("length",)
    if view in UNFRAMED:
        framings = ("chunked",) if request.minor == 1 else ("close",)
    made = Expected(200, body, whole=view not in BREAKERS, framings=framings)
    return _without_body(request, made)


def _without_body(request: Request, made: Expected) -> Expected:
    if request.method != "HEAD":
        return made
    return Expected(made.status, b"", made.page, True, ("none", "length", "chunked"))
