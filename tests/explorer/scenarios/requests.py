"""Requests through a worker's loop: whoever is stopped, and whenever the client leaves, what
the application opened is closed once, what a client has of an answer is right, and the next
client is served."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from celadon import green
from celadon.testing import Stage

from tests.explorer.catalogue import scenario

BIG = bytes(range(256)) * 4000


class Served:
    """What runs in the worker that explores; `app` is its application."""

    port = 0
    stats: Callable[[], dict[str, int]]
    handler: Callable[[Any, Any], Any]

    @classmethod
    def app(cls, environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/next":
            start_response("200 OK", [("Content-Length", "4")])
            return [b"next"]
        return cls.handler(environ, start_response)


@cache
def prepare() -> str:
    """A file with `BIG` in it."""
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(BIG)
    return file.name


class Answer:
    """An iterable that counts how often it is closed."""

    def __init__(self, pieces: Any) -> None:
        self.pieces, self.closed = pieces, 0

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces()

    def close(self) -> None:
        self.closed += 1


class Exchange:
    """One client, one request, and what may come to either."""

    def __init__(self, stage: Stage, answer: Callable[[Any], Any]) -> None:
        self.stage = stage
        self.answers: list[Answer] = []
        self.task: green.Greenlet | None = None
        self.received = b""
        self.client: Any = None
        self._answer = answer
        Served.handler = self.handle
        stage.at_end(self.settle)
        stage.deliver("the client leaves", self.leave)
        stage.deliver("a kill of the request", self.kill)

    def handle(self, environ: Any, start_response: Any) -> Any:
        self.task = green.current()
        answer = self._answer(environ)
        start_response("200 OK", [("Content-Length", str(len(BIG)))])
        return answer

    def counted(self, pieces: Callable[[], Iterator[bytes]]) -> Answer:
        self.answers.append(Answer(pieces))
        return self.answers[-1]

    def leave(self) -> None:
        if self.client is not None:
            self.client.close()

    def kill(self) -> None:
        if self.task is not None and not self.task.ready():
            self.task.kill(block=False)

    def ask(self, *pieces: bytes) -> None:
        """Sends them one by one, and reads to the end."""
        self.client = socket.create_connection(("127.0.0.1", Served.port), timeout=300)
        with self.client as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            for piece in pieces:
                client.sendall(piece)
                green.sleep(0)
            while piece := client.recv(1 << 20):
                self.received += piece

    def settle(self) -> None:
        """Nothing of it is left in the worker."""
        self.leave()
        end = time.monotonic() + 600
        while Served.stats()["connections"] and time.monotonic() < end:
            green.sleep(1)

    def check(self) -> None:
        self.settle()
        assert Served.stats()["connections"] == 0, Served.stats()
        assert [answer.closed for answer in self.answers] in ([], [1])
        if self.received.startswith(b"HTTP/1.1 200"):
            body = self.received.partition(b"\r\n\r\n")[2]
            assert BIG.startswith(body), "another body"
        address = ("127.0.0.1", Served.port)
        with socket.create_connection(address, timeout=300) as client:
            client.sendall(
                b"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            )
            got = b"".join(iter(lambda: client.recv(1 << 16), b""))
        assert got.endswith(b"\r\n\r\nnext"), got


GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
GONE = (OSError,)
SERVED = {"orders": 1, "random": False}


@scenario(**SERVED)
def body_of_a_request(stage: Stage) -> Any:
    """It comes in pieces; what was read is its beginning."""
    got: list[bytes] = []

    def answer(environ: Any) -> Any:
        for _ in range(3):
            got.append(environ["wsgi.input"].read(2))
        return exchange.counted(lambda: iter([BIG]))

    exchange = Exchange(stage, answer)
    pieces = (POST + b"Content-Length: 6\r\n\r\n", b"ab", b"cd", b"ef")
    stage.spawn("client", exchange.ask, *pieces, expected=GONE)

    def check() -> None:
        exchange.check()
        assert b"abcdef".startswith(b"".join(got))

    return check


@scenario(**SERVED)
def body_in_chunks(stage: Stage) -> Any:
    got: list[bytes] = []

    def answer(environ: Any) -> Any:
        got.extend(environ["wsgi.input"])
        return exchange.counted(lambda: iter([BIG]))

    exchange = Exchange(stage, answer)
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    pieces = (head + b"3\r\na\nb\r\n", b"2\r\n\nc\r\n", b"0\r\n\r\n")
    stage.spawn("client", exchange.ask, *pieces, expected=GONE)

    def check() -> None:
        exchange.check()
        assert b"a\nb\nc".startswith(b"".join(got))

    return check


@scenario(**SERVED)
def answer_in_pieces(stage: Stage) -> Any:
    def pieces() -> Iterator[bytes]:
        for at in range(0, len(BIG), 256_000):
            green.sleep(0)
            yield BIG[at : at + 256_000]

    exchange = Exchange(stage, lambda _: exchange.counted(pieces))
    stage.spawn("client", exchange.ask, GET, expected=GONE)
    return exchange.check


@scenario(**SERVED)
def answer_of_one_piece(stage: Stage) -> Any:
    exchange = Exchange(stage, lambda _: exchange.counted(lambda: iter([BIG])))
    stage.spawn("client", exchange.ask, GET, expected=GONE)
    return exchange.check


@scenario(**SERVED)
def file_wrapper(stage: Stage) -> Any:
    """The file is closed, whoever leaves."""
    files: list[Any] = []

    def answer(environ: Any) -> Any:
        files.append(Path(prepare()).open("rb"))
        return environ["wsgi.file_wrapper"](files[-1])

    exchange = Exchange(stage, answer)
    stage.spawn("client", exchange.ask, GET, expected=GONE)

    def check() -> None:
        exchange.check()
        assert all(file.closed for file in files), "the file is left open"

    return check


@scenario(**SERVED)
def two_requests_of_one_connection(stage: Stage) -> Any:
    """A kill of the first one is nothing to the second, or ends both."""
    exchange = Exchange(stage, lambda environ: [environ["wsgi.input"].read(), BIG[2:]])
    both = POST.replace(b"Connection: close\r\n", b"") + b"Content-Length: 2\r\n\r\n"
    after = b"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    stage.spawn("client", exchange.ask, both, BIG[:2] + after, expected=GONE)

    def check() -> None:
        rest = exchange.received
        exchange.received = b""
        exchange.check()
        head, _, body = rest.partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 200") and len(body) > len(BIG):
            assert body.startswith(BIG), "another body"
            assert b"HTTP/1.1 200 OK\r\n".startswith(body[len(BIG) :][:17])

    return check
