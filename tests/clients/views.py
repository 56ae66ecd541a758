"""The application that random clients visit. What must come of each view is in model.py.

A path is /ID/VIEW/SIZE. Who answers says for whom: X-Id.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.clients.model import PIECE, content, given_before_the_break, pause_of
from tests.clients.ran import OnPurpose, ran
from tests.clients.talk.views import wsgi as talk

Headers = list[tuple[str, str]]


class Call:
    """One request at hand."""

    def __init__(self, environ: dict[str, Any], start: Any) -> None:
        _, self.ident, self.view, size = environ["PATH_INFO"].split("/")
        self.environ, self._start = environ, start
        self.size = int(size)
        self.body = content(self.ident, self.size)
        self.input = environ["wsgi.input"]
        self.pause = pause_of(self.ident)

    def start(self, *headers: tuple[str, str], status: str = "200 OK") -> Any:
        own = [("Content-Type", "application/octet-stream"), ("X-Id", self.ident)]
        return self._start(status, [*own, *headers])

    def length(self) -> tuple[str, str]:
        return ("Content-Length", str(self.size))

    def pieces(self) -> Iterator[bytes]:
        for at in range(0, self.size, PIECE):
            yield self.body[at : at + PIECE]

    def read_all(self, waits: bool = False) -> str:
        digest = hashlib.sha1(usedforsecurity=False)
        while piece := self.input.read(1 + len(self.ident) * 4099):
            digest.update(piece)
            if waits:
                time.sleep(self.pause)
        return digest.hexdigest()


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    if "wsgi.websocket" in environ:
        return talk(environ, start_response)
    call = Call(environ, start_response)
    ran(call.ident)
    return VIEWS[call.view](call)


def whole(call: Call) -> Iterable[bytes]:
    call.start()
    return [call.body]


def wait(call: Call) -> Iterable[bytes]:
    time.sleep(call.pause)
    return whole(call)


def spin(call: Call) -> Iterable[bytes]:
    """Holds the loop."""
    end = time.perf_counter() + call.pause
    while time.perf_counter() < end:
        pass
    return whole(call)


def read(call: Call) -> Iterable[bytes]:
    digest = call.read_all()
    call.start(("X-Read", digest))
    return [call.body]


def read_slowly(call: Call) -> Iterable[bytes]:
    digest = call.read_all(waits=True)
    call.start(("X-Read", digest))
    return [call.body]


def read_some(call: Call) -> Iterable[bytes]:
    call.input.read(3)
    return whole(call)


def read_late(call: Call) -> Iterator[bytes]:
    """The answer has begun when the body is read."""
    call.start(("X-Later", "1"))
    yield call.body
    yield call.read_all().encode()


def echo(call: Call) -> Iterator[bytes]:
    """Both ways at once."""
    call.start()
    while piece := call.input.read(1 + len(call.ident) * 1021):
        yield piece


def stream(call: Call) -> Iterator[bytes]:
    call.start()
    yield from call.pieces()


def stream_slowly(call: Call) -> Iterator[bytes]:
    call.start()
    for piece in call.pieces():
        yield piece
        time.sleep(call.pause / 8)


def stream_length(call: Call) -> Iterator[bytes]:
    call.start(call.length())
    yield from call.pieces()


def write(call: Call) -> Iterable[bytes]:
    put = call.start()
    put(call.body[: call.size // 2])
    return [call.body[call.size // 2 :]]


def file(call: Call) -> Any:
    stored = tempfile.TemporaryFile()
    stored.write(call.body)
    stored.seek(0)
    call.start(call.length())
    return call.environ["wsgi.file_wrapper"](stored, 8192)


def file_open(call: Call) -> Any:
    """One that knows no length."""
    call.start()
    return call.environ["wsgi.file_wrapper"](io.BytesIO(call.body), 8192)


def hints(call: Call) -> Iterable[bytes]:
    call.environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload")])
    return wait(call)


def empty(call: Call) -> Iterable[bytes]:
    call.start(status="204 No Content")
    return []


def unchanged(call: Call) -> Iterable[bytes]:
    call.start(status="304 Not Modified")
    return []


def close(call: Call) -> Iterable[bytes]:
    call.start(("Connection", "close"))
    return [call.body]


def fail(call: Call) -> Iterable[bytes]:
    raise OnPurpose(call.ident)


def fail_started(call: Call) -> Iterator[bytes]:
    call.start()
    time.sleep(call.pause)
    raise OnPurpose(call.ident)
    yield b""


def break_off(call: Call) -> Iterator[bytes]:
    call.start()
    yield from _until_the_break(call)


def break_off_length(call: Call) -> Iterator[bytes]:
    call.start(call.length())
    yield from _until_the_break(call)


def _until_the_break(call: Call) -> Iterator[bytes]:
    for at in range(0, given_before_the_break(call.size), PIECE):
        yield call.body[at : at + PIECE]
        time.sleep(call.pause / 8)
    raise OnPurpose(call.ident)


def short(call: Call) -> Iterable[bytes]:
    """Less than it says."""
    call.start(call.length())
    return [call.body[: given_before_the_break(call.size)]]


def long(call: Call) -> Iterable[bytes]:
    """More than it says."""
    call.start(call.length())
    return [call.body, b"more"]


VIEWS: dict[str, Callable[[Call], Iterable[bytes]]] = {
    each.__name__: each
    for each in (
        *(whole, wait, spin, read, read_slowly, read_some, read_late, echo),
        *(stream, stream_slowly, stream_length, write, file, file_open, hints),
        *(empty, unchanged, close, fail, fail_started, break_off, break_off_length),
        *(short, long),
    )
}
