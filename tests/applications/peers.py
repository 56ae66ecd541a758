"""The servers whose answers are right, and celadon as their users start it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from typing import ClassVar

from tests.support.raw import TIMEOUT
from tests.support.servers import Started

START = 5 * TIMEOUT  # that an application may take to be imported


class _Listening(Started):
    """`is_ready` is said when it can answer, which may be long after it listens."""

    says: ClassVar[str]
    is_ready: ClassVar[str] = r"worker (\d+) is ready"

    @property
    def port(self) -> int:
        self.lines.said(self.is_ready, START)
        return int(self.lines.said(self.says, START)[1])


class Gunicorn(_Listening):
    says = r"Listening at: http://.*:(\d+) "

    @property
    def worker(self) -> int:
        return int(self.lines.said(r"Booting worker with pid: (\d+)", START)[1])


class Uvicorn(_Listening):
    says = r"Uvicorn running on http://.*:(\d+) "
    is_ready = says

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
        return int(self.lines.said(self.is_ready, START)[1])


@dataclass(frozen=True)
class Peer:
    """`program` with `options`, which are its own; `address` are words that celadon takes as
    well."""

    name: str
    program: str
    kind: type[Started]
    options: tuple[str, ...]
    address: tuple[str, ...]
    packages: tuple[str, ...]


_ADDRESS = "--host 127.0.0.1 --port 0 --timeout-graceful-shutdown 5"
_ADDRESS += " --ws-per-message-deflate true"


def _gunicorn(name: str, threads: int) -> Peer:
    options = f"--worker-class gthread --threads {threads} --workers 1".split()
    options += ["--config", str(Path(__file__).with_name("gunicorn_conf.py"))]
    address = ("--bind", "127.0.0.1:0")
    return Peer(name, "gunicorn", Gunicorn, tuple(options), address, ("gunicorn",))


PEERS = {
    each.name: each
    for each in (
        _gunicorn("gunicorn", 8),
        # Each WebSocket and each poll has one, as Flask-SocketIO's documentation has it.
        _gunicorn("gunicorn with 100 threads", 100),
        Peer(
            "uvicorn",
            "uvicorn",
            Uvicorn,
            (),
            tuple(_ADDRESS.split()),
            ("uvicorn[standard]",),
        ),
    )
}
