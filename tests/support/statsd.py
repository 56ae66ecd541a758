"""Who listens to what a server tells statsd."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Self

from tests.support.lines import Lines
from tests.support.raw import TIMEOUT


class Daemon:
    """Who takes datagrams, and knows them line by line."""

    def __init__(self, family: int, address: str | tuple[str, int]) -> None:
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self.lines = Lines()
        self._reader = threading.Thread(target=self.lines.read, args=(self._read(),))
        self._reader.start()

    def _read(self) -> Iterator[str]:
        while data := self._socket.recv(4096):
            yield from data.decode().split("\n")

    @property
    def address(self) -> str:
        name = self._socket.getsockname()
        return f"unix:{name}" if isinstance(name, str) else f"{name[0]}:{name[1]}"

    def read_all(self) -> None:
        """What was sent until now is in `lines`."""
        self._send(b"until here")
        self.lines.wait("until here")

    def _send(self, data: bytes) -> None:
        with socket.socket(self._socket.family, socket.SOCK_DGRAM) as other:
            other.sendto(data, self._socket.getsockname())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._send(b"")
        self._reader.join(TIMEOUT)
        self._socket.close()
