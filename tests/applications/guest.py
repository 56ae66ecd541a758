"""Who does what a page cannot say: WebSockets, streams that are left, uploads that are cut.

A guest writes down what it hears. That is compared: between two servers, and between one
guest alone and each of a crowd.
"""

from __future__ import annotations

import hashlib
import logging
import socket
import struct
from contextlib import ExitStack, suppress
from itertools import zip_longest
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.applications.answers import Reading
from tests.applications.application import Page
from tests.applications.visitor import HOST, Visitor
from tests.support.raw import TIMEOUT, Client, Response

_MARK = 20  # characters of a mark: lengths are compared as well
# What servers say where the application says nothing.
_REFUSALS = ("", "forbidden", "internal server error")
_SHOWN = 400  # characters of what was said
_SERVERS_OWN = ("date", "server", "connection", "x-request-id")
_HANDSHAKE = {*_SERVERS_OWN, "upgrade", "sec-websocket-accept"}
_HANDSHAKE |= {"sec-websocket-extensions"}
# What its library says when somebody leaves without a word is no news.
_SILENT = logging.getLogger(__name__)
_SILENT.disabled = True
RESET = struct.pack("ii", 1, 0)


class Guest:
    """`mark` is nobody else's; it is made as long as all are. A context manager."""

    def __init__(self, port: int, mark: str, reading: Reading) -> None:
        self.port = port
        self.mark = mark = mark.ljust(_MARK, "x")
        self.heard: list[str] = []
        self.stack = ExitStack()
        self.visitor = self.stack.enter_context(Visitor(port, keeps=True))
        self.visitor.kept = {"mark": mark}
        self._reading = reading

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def hear(self, text: str) -> None:
        text = self._reading.same(text, self.port).replace(self.mark, "MARK")
        text = text.replace(self.mark.upper(), "UPPER MARK")
        if len(text) > _SHOWN:
            digest = hashlib.sha256(text.encode()).hexdigest()[:16]
            text = f"{text[:_SHOWN]}... {len(text)} in all, {digest}"
        self.heard.append(text)

    def ask(self, page: Page) -> Response:
        """Hears the answer, and all its fields."""
        response = self.visitor.ask(page)
        answer = self._reading.read(response, self.port)
        fields = " ".join(answer.fields).replace(self.mark, "MARK")
        self.hear(f"{answer.status} {answer.reason} [{fields}]")
        self.hear(answer.body.replace(self.mark, "MARK"))
        return response

    def client(self) -> Client:
        """For what has to be sent byte by byte; who opened it closes it."""
        return Client(("127.0.0.1", self.port))

    def leave(self, path: str, reset: bool, count: int = 0) -> None:
        """Asks, and goes away after `count` bytes of the answer."""
        with self.client() as client:
            client.send(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            client.read_exactly(count)
            if reset:
                client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def stream(self, path: str, *fields: str) -> Stream:
        return Stream(self, path, fields)

    def talk(self, path: str, **more: Any) -> Talk:
        return Talk(self, path.replace("$mark", self.mark), more)


class Stream:
    """An answer that is read piece by piece."""

    def __init__(self, guest: Guest, path: str, fields: tuple[str, ...] = ()) -> None:
        self._guest = guest
        self._client = guest.stack.enter_context(guest.client())
        self._text = ""
        lines = [f"GET {path} HTTP/1.1", f"Host: {HOST}", *fields, "", ""]
        self._client.send("\r\n".join(lines).encode("latin-1"))
        head = self._client.read_until(b"\r\n\r\n").decode("latin-1").lower()
        said, *given = head.strip().split("\r\n")
        kept = [each for each in given if not each.startswith(_SERVERS_OWN)]
        guest.hear(f"{said} {sorted(kept)}")

    def event(self) -> str:
        """Up to the next empty line; empty at the end. Pieces may be cut anywhere."""
        while "\n\n" not in (text := self._text.replace("\r\n", "\n")):
            piece = self.piece()
            if not piece:
                return ""
            self._text += piece
        event, _, self._text = text.partition("\n\n")
        self._guest.hear(f"event {event!r}")
        return event

    def piece(self) -> str:
        size = int(self._client.read_until(b"\r\n"), 16)
        data = self._client.read_exactly(size + 2)[:-2]
        return data.decode()

    def rest(self) -> None:
        """Hears how it ends."""
        length = len(self._text)
        try:
            while piece := self.piece():
                length += len(piece)
            self._guest.hear(f"whole, with {length} more")
        except (EOFError, OSError, ValueError) as error:
            self._guest.hear(f"cut: {type(error).__name__}")

    def leave(self, reset: bool = False) -> None:
        if reset:
            self._client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._client.close()


class Talk:
    """A WebSocket, or the refusal of one."""

    def __init__(self, guest: Guest, path: str, more: dict[str, Any]) -> None:
        self._guest = guest
        self._connection: ClientConnection | None = None
        address = f"ws://127.0.0.1:{guest.port}{path}"
        more = {"max_size": None, "ping_interval": None, "open_timeout": TIMEOUT} | more
        more |= {"close_timeout": TIMEOUT, "logger": _SILENT}
        try:
            self._connection = guest.stack.enter_context(connect(address, **more))
        except InvalidStatus as refused:
            found = refused.response
            body = (found.body or b"").decode("latin-1")
            kind = found.headers.get("content-type")
            answer = "" if body.strip().lower() in _REFUSALS else f" {kind} {body!r}"
            guest.hear(f"refused {found.status_code}{answer}")
        else:
            guest.stack.callback(self.leave)  # before that is closed politely
            response = self._connection.response
            assert response is not None
            fields = sorted(
                f"{name.lower()}: {value}"
                for name, value in response.headers.raw_items()
                if name.lower() not in _HANDSHAKE
            )
            extensions = [each.name for each in self._connection.protocol.extensions]
            guest.hear(f"opened {response.status_code} {fields} {extensions}")

    def send(self, *messages: str | bytes) -> None:
        assert self._connection is not None
        for message in messages:
            self._connection.send(message)

    def next(self) -> str | bytes:
        """The next message, which is not written down: who comes when is chance."""
        assert self._connection is not None
        return self._connection.recv(TIMEOUT)

    def hear(self, count: int = 1) -> str | bytes | None:
        """The last of `count` messages, or nothing once it has ended."""
        found: str | bytes | None = None
        for _ in range(count):
            try:
                found = self.next()
            except ConnectionClosed as closed:
                self._guest.hear(f"closed {_end(closed)}")
                return None
            text = found if isinstance(found, str) else repr(found)
            self._guest.hear(f"{type(found).__name__} {text}")
        return found

    def ends(self) -> None:
        """Where the application says no code, one server has one and another breaks off."""
        with suppress(ConnectionClosed):
            message = self.next()
            self._guest.hear(f"not the end, but {message!r}")
        self._guest.hear("ended")

    def ping(self) -> None:
        assert self._connection is not None
        answered = self._connection.ping(b"mark").wait(TIMEOUT)
        self._guest.hear(f"pong {answered}")

    def close(self, code: int = 1000, reason: str = "", answered: bool = True) -> None:
        """Without `answered` it is chance whether that is said back."""
        assert self._connection is not None
        self._connection.close(code, reason)
        heard = self._connection.protocol.close_rcvd
        # Whether the reason is said again is the server's own.
        if answered:
            self._guest.hear(f"closed by {code}, heard {heard and heard.code}")

    def leave(self) -> None:
        """Without a word."""
        if self._connection is not None:
            self._connection.close_socket()


def differ(expected: list[str], heard: list[str]) -> list[str]:
    """The first thing that was not heard as expected, with what came before."""
    for number, (one, other) in enumerate(zip_longest(expected, heard)):
        if one != other:
            before = expected[max(0, number - 2) : number]
            return [f"behind {before}: {one!r} is {other!r}"]
    return []


def _end(closed: ConnectionClosed) -> str:
    if closed.rcvd is None:
        return "without a word"
    return f"{closed.rcvd.code} {closed.rcvd.reason!r}"
