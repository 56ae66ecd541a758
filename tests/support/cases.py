"""The table of request bytes in tests/protocol/cases.txt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).parent.parent / "protocol" / "cases.txt"
_HOST = b"Host: a\r\n"
_CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
_TOKEN = re.compile(rb"\\x([0-9a-fA-F]{2})|\\(.)|\{(.)\*(\d+)\}|(\$[HC])", re.DOTALL)
_SIMPLE = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"s": b" ", b"\\": b"\\"}


@dataclass(frozen=True)
class Case:
    id: str
    number: int
    statuses: tuple[int, ...]
    data: bytes

    @property
    def refused(self) -> bool:
        return self.statuses[-1] != 200

    @property
    def name(self) -> str:
        return f"{self.id}-{self.number}"


def decode(text: bytes) -> bytes:
    def replace(m: re.Match[bytes]) -> bytes:
        if m[1]:
            return bytes([int(m[1], 16)])
        if m[2]:
            return _SIMPLE[m[2]]
        if m[3]:
            return m[3] * int(m[4])
        return _HOST if m[5] == b"$H" else _CHUNKED

    return _TOKEN.sub(replace, text)


def load() -> list[Case]:
    cases = []
    counts: dict[str, int] = {}
    for line in PATH.read_bytes().split(b"\n"):
        if not line or line.startswith(b"#"):
            continue
        row, expected, text = line.split(b" ", 2)
        name = row.decode()
        counts[name] = counts.get(name, 0) + 1
        statuses = tuple(int(s) for s in expected.split(b","))
        cases.append(Case(name, counts[name], statuses, decode(text)))
    return cases
