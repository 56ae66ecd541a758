"""A client that sends exact bytes and believes nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass, field

# Seconds that anything may take, on a machine with as much to do as there may be: nothing
# is known by a wait that was shorter, and only one that fails is as long.
TIMEOUT = 60.0


@dataclass
class Response:
    status: int
    reason: str
    version: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    complete: bool = True

    def get(self, name: str) -> str | None:
        values = self.all(name)
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        return [v for k, v in self.headers if k.lower() == name.lower()]


class Client:
    """One connection. A context manager."""

    def __init__(self, address: str | tuple[str, int], source: str = "") -> None:
        """To `address`; over TCP from the address `source`, if one is given."""
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX)
        elif ":" in address[0]:
            self.sock = socket.socket(socket.AF_INET6)
        else:
            self.sock = socket.socket()
        self.sock.settimeout(TIMEOUT)
        try:
            if source:
                self.sock.bind((source, 0))
            self.sock.connect(address)
        except OSError:
            self.sock.close()
            raise
        if not isinstance(address, str):
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send_pieces(self, pieces: Iterable[bytes]) -> None:
        """Each piece in a packet of its own; a server that closed early is fine."""
        for piece in pieces:
            try:
                self.sock.sendall(piece)
            except OSError:
                return

    def shutdown(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def _fill(self) -> bool:
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)

    def read_until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            if not self._fill():
                raise EOFError(self.buffer)
        head, _, self.buffer = self.buffer.partition(mark)
        return head + mark

    def read_exactly(self, n: int) -> bytes:
        while len(self.buffer) < n:
            if not self._fill():
                raise EOFError(self.buffer)
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def read_to_end(self) -> bytes:
        while self._fill():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def at_end(self) -> bool:
        """True once the server has closed and nothing is left."""
        return not self.buffer and not self._fill()

    def response(self, head_only: bool = False) -> Response:
        """The next final response, strictly parsed; raises `EOFError` if it is cut."""
        while True:
            result = self.any_response(head_only)
            if result.status >= 200:
                return result

    def any_response(self, head_only: bool = False) -> Response:
        head = self.read_until(b"\r\n\r\n").decode("latin-1")
        lines = head[:-4].split("\r\n")
        version, status, reason = lines[0].split(" ", 2)
        result = Response(int(status), reason, version)
        for line in lines[1:]:
            name, colon, value = line.partition(": ")
            assert colon, line
            assert "\n" not in line
            result.headers.append((name, value))
        method = result.get("X-Method")
        bodyless = head_only or method == "HEAD" or result.status in (204, 304)
        if not bodyless and result.status >= 200:
            self._read_body(result)
        return result

    def _read_body(self, result: Response) -> None:
        length = result.get("Content-Length")
        if result.get("Transfer-Encoding") == "chunked":
            assert length is None
            while True:
                size = int(self.read_until(b"\r\n"), 16)
                result.body += self.read_exactly(size)
                assert self.read_exactly(2) == b"\r\n"
                if size == 0:
                    return
        elif length is not None:
            result.body = self.read_exactly(int(length))
        else:
            result.body = self.read_to_end()

    def responses(self) -> list[Response]:
        """Everything until the server closes."""
        found = []
        while not self.at_end():
            found.append(self.response())
        return found


def get(
    path: str = "/", *headers: str, method: str = "GET", version: str = "1.1"
) -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: a", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def post(path: str, body: bytes, *headers: str) -> bytes:
    return get(path, f"Content-Length: {len(body)}", *headers, method="POST") + body
