"""What clients say on a WebSocket, and what must come of that, from RFC 6455 and the views'
own words alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tests.clients.model import content
from tests.support.frames import BINARY, CONTINUATION, PING, TEXT, close_payload, masked

PUSHED = 5  # messages that are sent before anything was asked for
FORBIDDEN = 403
ENOUGH = (4000, "enough")  # what a view closes with

Message = tuple[int, bytes]  # an opcode and what is in it


@dataclass(frozen=True)
class Said:
    """A message, or a frame of its own."""

    kind: str  # text, binary, ping or pong
    size: int = 0
    cuts: tuple[int, ...] = ()  # lengths of its fragments but for the last
    pings: bool = False  # one between each two of them
    compressed: bool = False

    @property
    def is_message(self) -> bool:
        return self.kind in ("text", "binary")


def payload(said: Said, ident: str) -> bytes:
    """What no other of a client's has in it."""
    if not said.is_message:
        return content(ident, said.size)[:125]
    made = content(ident, said.size)
    # Characters of two bytes and of four, which fragments cut where they like.
    return made.replace(b"ab", "ü𝄞".encode()) if said.kind == "text" else made


def messages(said: tuple[Said, ...], ident: str) -> list[Message]:
    return [
        (TEXT if each.kind == "text" else BINARY, payload(each, f"{ident}.{number}"))
        for number, each in enumerate(said)
        if each.is_message
    ]


def pings(said: tuple[Said, ...], ident: str) -> list[bytes]:
    """What pongs must bring back."""
    found = []
    for number, each in enumerate(said):
        if each.kind == "ping":
            found.append(payload(each, f"{ident}.{number}"))
        elif each.is_message and each.pings:
            found += [between(f"{ident}.{number}", at) for at in range(len(each.cuts))]
    return found


def between(ident: str, at: int) -> bytes:
    """What a ping within a message holds."""
    return content(f"{ident}.{at}", 5)


def digest(message: bytes) -> bytes:
    return hashlib.sha1(message, usedforsecurity=False).hexdigest().encode()


@dataclass(frozen=True)
class View:
    """What one does with messages."""

    name: str
    each: str = "echo"  # what it answers to each
    pushes: bool = False
    ends_after: int | None = None  # messages
    closes: tuple[int, str] = (1000, "")  # how it ends then


VIEWS = {
    each.name: each
    for each in (
        View("talk-echo"),
        View("talk-slow"),
        View("talk-digest", "digest"),
        View("talk-grow", "grow"),
        View("talk-push", pushes=True),
        View("talk-leave", ends_after=2, closes=ENOUGH),
        View("talk-return", ends_after=1),
        View("talk-fail", ends_after=1, closes=(1011, "")),
        View("talk-refuse", ends_after=0),
    )
}


def replies(view: View, heard: list[Message], ident: str, size: int) -> list[Message]:
    """All that it sends where it is let."""
    made: list[Message] = []
    if view.pushes:
        made += [(BINARY, content(f"{ident}.{at}", size)) for at in range(PUSHED)]
    for number, (opcode, data) in enumerate(heard[: view.ends_after]):
        if view.each == "digest":
            made.append((TEXT, digest(data)))
        elif view.each == "grow":
            made.append((BINARY, content(f"{ident}.{number}", size)))
        else:
            made.append((opcode, data))
    return made


# How a client breaks a rule, and what it is told.
FAULTS: dict[str, tuple[bytes, int]] = {
    "unmasked": (b"\x81\x01a", 1002),
    "reserved": (masked(TEXT, b"a", first=0xA0), 1002),
    "compressed ping": (masked(PING, b"a", first=0xC0), 1002),
    "opcode": (masked(3, b"a"), 1002),
    "long ping": (masked(PING, b"a" * 126), 1002),
    "cut ping": (masked(PING, b"a", first=0), 1002),
    "length": (b"\x82\xfe\x00\x05" + bytes(9), 1002),
    "no start": (masked(CONTINUATION, b"a"), 1002),
    "within": (masked(TEXT, b"a", first=0) + masked(TEXT, b"b"), 1002),
    "half a code": (masked(8, b"\x03"), 1002),
    "no code": (masked(8, close_payload(1005)), 1002),
    "bad reason": (masked(8, close_payload(1000) + b"\xff"), 1007),
    "bad text": (masked(TEXT, b"fine\xed\xa0\x80"), 1007),
    "half a character": (masked(TEXT, b"\xc3"), 1007),
    "large": (b"\x82\xff" + (1 << 32).to_bytes(8, "big") + bytes(4), 1009),
    # Of a kind that is reserved, and where compression is agreed on no message.
    "bad deflate": (masked(TEXT, b"\xff\xff\xff", first=0xC0), 1002),
}


def told(fault: str, compresses: bool) -> int:
    """The code of its close frame."""
    return 1007 if fault == "bad deflate" and compresses else FAULTS[fault][1]
