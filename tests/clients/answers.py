"""Reads what comes back, as RFC 9112 has it and no other way."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_STATUS = re.compile(rb"HTTP/1\.1 ([1-5]\d\d) [\t -~\x80-\xff]*")
_FIELD = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): *([!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?|)"
)
_CHUNK = re.compile(rb"[0-9a-fA-F]{1,8}")
_MOST = 16384  # bytes of a head


class Malformed(Exception):
    """What came is no answer."""


@dataclass
class Answer:
    status: int
    fields: dict[str, str]
    framing: str = "none"  # none, length, chunked or close
    body: bytearray = field(default_factory=bytearray)
    complete: bool = False
    interims: list[int] = field(default_factory=list)

    @property
    def says_close(self) -> bool:
        return self.fields.get("connection", "").lower() == "close"

    @property
    def ident(self) -> str:
        return self.fields.get("x-id", "")


class Reader:
    """Takes bytes as they come; `heads` says which requests have answers without bodies."""

    def __init__(self, heads: list[bool]) -> None:
        self.answers: list[Answer] = []
        self.interims: list[int] = []  # of the answer to come
        self._heads = heads
        self._buffer = bytearray()
        self._left = 0  # bytes of a length or a chunk
        self._step = self._head

    @property
    def complete(self) -> int:
        """How many answers are."""
        done = len(self.answers)
        return done - 1 if done and not self.answers[-1].complete else done

    @property
    def between(self) -> bool:
        """Nothing of a further answer has come."""
        return (
            self.complete == len(self.answers)
            and not self._buffer
            and not self.interims
        )

    def feed(self, data: bytes) -> None:
        self._buffer += data
        while self._step():
            pass

    def end(self) -> None:
        """The end of the connection, which completes what it delimits."""
        if self.answers and self.answers[-1].framing == "close":
            self.answers[-1].complete = True

    # Each takes one thing from the buffer; False: it is not there yet.

    def _head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MOST:
                raise Malformed(f"a head without an end: {bytes(self._buffer[:60])!r}")
            return False
        lines = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + 4]
        answer = self._parse(lines)
        if answer.status < 200:
            self.interims.append(answer.status)
            return True
        answer.interims, self.interims = self.interims, []
        if len(self.answers) >= len(self._heads):
            raise Malformed(f"an answer ({answer.status}) that nobody asked for")
        self.answers.append(answer)
        self._begin_body(answer)
        return True

    def _parse(self, lines: list[bytes]) -> Answer:
        status = _STATUS.fullmatch(lines[0])
        if not status:
            raise Malformed(f"no status line: {lines[0][:80]!r}")
        fields: dict[str, str] = {}
        for line in lines[1:]:
            found = _FIELD.fullmatch(line)
            if not found:
                raise Malformed(f"no field: {line[:80]!r}")
            name = found[1].decode().lower()
            if name in fields and name not in ("via", "link"):
                raise Malformed(f"{name} twice")
            fields[name] = found[2].decode("latin-1")
        return Answer(int(status[1]), fields)

    def _begin_body(self, answer: Answer) -> None:
        coding = answer.fields.get("transfer-encoding")
        length = answer.fields.get("content-length")
        if coding is not None and (coding != "chunked" or length is not None):
            raise Malformed(f"transfer coding {coding} and length {length}")
        if coding is not None:
            answer.framing = "chunked"
        elif length is not None:
            if not re.fullmatch("[0-9]+", length):
                raise Malformed(f"length {length!r}")
            answer.framing = "length"
        elif answer.status not in (204, 304):
            answer.framing = "close"
        if self._heads[len(self.answers) - 1] or answer.status in (204, 304):
            if answer.framing == "close":
                answer.framing = "none"
            self._finish()
        elif answer.framing == "chunked":
            self._step = self._chunk_size
        elif answer.framing == "length":
            self._left = int(length or 0)
            self._step = self._data
        else:
            self._step = self._rest

    def _finish(self) -> None:
        self.answers[-1].complete = True
        self._step = self._head

    def _take(self, most: int) -> int:
        count = min(most, len(self._buffer))
        self.answers[-1].body += self._buffer[:count]
        del self._buffer[:count]
        return count

    def _data(self) -> bool:
        self._left -= self._take(self._left)
        if self._left:
            return False
        self._finish()
        return True

    def _rest(self) -> bool:
        self._take(len(self._buffer))
        return False

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > 64:
                raise Malformed(f"no chunk: {bytes(self._buffer[:60])!r}")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _chunk_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if not _CHUNK.fullmatch(line):
            raise Malformed(f"chunk of size {line!r}")
        self._left = int(line, 16)
        self._step = self._chunk if self._left else self._last_line
        return True

    def _chunk(self) -> bool:
        self._left -= self._take(self._left)
        if self._left:
            return False
        self._step = self._chunk_end
        return True

    def _chunk_end(self) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._line() != b"":
            raise Malformed("data behind a chunk")
        self._step = self._chunk_size
        return True

    def _last_line(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if line:
            raise Malformed(f"trailer {line!r}")
        self._finish()
        return True
