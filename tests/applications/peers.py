"""The servers whose answers are right, and celadon as their users start it."""

from __future__ import annotations

from dataclasses import dataclass
from signal import SIGTERM
from typing import ClassVar

from tests.support.raw import TIMEOUT
from tests.support.servers import Started

_START = 5 * TIMEOUT  # that an application may take to be imported


class _Listening(Started):
    says: ClassVar[str]

    @property
    def port(self) -> int:
        return int(self.lines.said(self.says, _START)[1])


class Gunicorn(_Listening):
    says = r"Listening at: http://.*:(\d+) "


class Uvicorn(_Listening):
    says = r"Uvicorn running on http://.*:(\d+) "

    @property
    def worker(self) -> int:
        return self.process.pid

    def stop(self) -> int:
        """It ends well by the signal that it was sent."""
        status = super().stop()
        return 0 if status == -SIGTERM else status


class Celadon(_Listening):
    says = r"listening at http://.*:(\d+)"

    @property
    def worker(self) -> int:
        return int(self.lines.said(r"worker (\d+) is ready", _START)[1])


@dataclass(frozen=True)
class Peer:
    """`options` are its own; `address` are words that celadon takes as well."""

    name: str
    kind: type[Started]
    options: tuple[str, ...]
    address: tuple[str, ...]
    packages: tuple[str, ...]


_ADDRESS = "--host 127.0.0.1 --port 0 --timeout-graceful-shutdown 5"
_ADDRESS += " --ws-per-message-deflate true"

PEERS = {
    each.name: each
    for each in (
        Peer(
            "gunicorn",
            Gunicorn,
            ("--worker-class", "gthread", "--threads", "8", "--workers", "1"),
            ("--bind", "127.0.0.1:0"),
            ("gunicorn",),
        ),
        Peer(
            "uvicorn",
            Uvicorn,
            (),
            tuple(_ADDRESS.split()),
            ("uvicorn[standard]",),
        ),
    )
}
