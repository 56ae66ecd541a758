"""What a server answered, and whether two such answers are one."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from tests.support.raw import Response

# Of a server, or of one connection; a length is compared with the body.
_SERVERS_OWN = {"date", "server", "connection", "keep-alive", "transfer-encoding"}
_SERVERS_OWN |= {"content-length", "x-request-id"}
# As Python calls them before 3.13, and RFC 9110.
_RENAMED = {
    "Request Entity Too Large": "Content Too Large",
    "Requested Range Not Satisfiable": "Range Not Satisfiable",
    "Unprocessable Entity": "Unprocessable Content",
}


@dataclass(frozen=True)
class Answer:
    """As it is compared."""

    status: int
    reason: str
    fields: tuple[str, ...]
    body: str

    def differences(self, other: Answer) -> list[str]:
        """How `other` is not as this one."""
        found = []
        if (self.status, self.reason) != (other.status, other.reason):
            was = f"{self.status} {self.reason}"
            found.append(f"{was} is {other.status} {other.reason}")
        if self.fields != other.fields:
            missing = [each for each in self.fields if each not in other.fields]
            new = [each for each in other.fields if each not in self.fields]
            found.append(f"fields {missing or 'in another number'} are {new}")
        if self.body != other.body:
            found.append(_where(self.body, other.body))
        return found


def _where(text: str, other: str) -> str:
    """The first place where they differ, with what is around it."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(text, other, strict=False))
    at = sum(1 for _ in same)
    around = slice(max(0, at - 60), at + 120)
    return f"at {at} of the body {text[around]!r} is {other[around]!r}"


class Reading:
    """Takes out of answers what may differ."""

    def __init__(self, varies: Sequence[str]) -> None:
        self._varies = [re.compile(each) for each in varies]

    def read(self, response: Response, port: int) -> Answer:
        fields = []
        for name, value in response.headers:
            if name.lower() not in _SERVERS_OWN:
                fields.append(f"{name.lower()}: {self.same(value, port)}")
        content = response.body
        if response.get("Content-Encoding") == "gzip" and content:
            content = gzip.decompress(content)  # which has the time in it
        body = self.same(content.decode("latin-1"), port)
        reason = _RENAMED.get(response.reason, response.reason)
        return Answer(response.status, reason, tuple(sorted(fields)), body)

    def same(self, text: str, port: int) -> str:
        """Without what may differ."""
        text = text.replace(f":{port}", ":PORT")
        for pattern in self._varies:
            text = pattern.sub(_blank, text)
        return text


def _blank(found: re.Match[str]) -> str:
    if not found.re.groups:
        return "..."
    text, start = found[0], found.start()
    for number in range(found.re.groups, 0, -1):
        first, last = found.span(number)
        if first >= 0:
            text = text[: first - start] + "..." + text[last - start :]
    return text
