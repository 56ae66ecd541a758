"""Metrics by the names that gunicorn has for them, for a daemon that speaks statsd."""

from __future__ import annotations

import logging
import socket
import time
from contextlib import suppress
from typing import Protocol

from celadon.serving.exchange import After, Exchange

_COUNTED = {
    logging.WARNING: "warning",
    logging.ERROR: "error",
    logging.CRITICAL: "critical",
}


class StatsdSettings(Protocol):
    """The settings that say where to and how."""

    statsd_host: str
    statsd_prefix: str
    dogstatsd_tags: str


class Statsd:
    """Sends datagrams, one for all that is said at once; what nobody takes is lost."""

    def __init__(self, settings: StatsdSettings) -> None:
        """Raises `OSError` for a host that is not found."""
        self._prefix = settings.statsd_prefix.rstrip(".")
        self._prefix += "." if self._prefix else ""
        self._tags = f"|#{settings.dogstatsd_tags}" if settings.dogstatsd_tags else ""
        family, address = _destination(settings.statsd_host)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._address = address

    def send(self, *metrics: str) -> None:
        """``name:value|kind`` each."""
        lines = (f"{self._prefix}{metric}{self._tags}" for metric in metrics)
        with suppress(OSError):
            self._socket.sendto("\n".join(lines).encode(), self._address)

    def tell_workers(self, count: int) -> None:
        self.send(f"gunicorn.workers:{count}|g")

    def tell_request(self, exchange: Exchange) -> None:
        """At its end."""
        response = exchange[3]
        took = (time.monotonic() - response.began) * 1000
        self.send(
            f"gunicorn.request.duration:{took:.3f}|ms",
            "gunicorn.requests:1|c|@1.0",
            f"gunicorn.request.status.{response.status_code}:1|c|@1.0",
        )


class _Counter(logging.Handler):
    """Counts what the error log says of warnings and above."""

    def __init__(self, statsd: Statsd) -> None:
        super().__init__(logging.WARNING)
        self._statsd = statsd

    def emit(self, record: logging.LogRecord) -> None:
        kind = _COUNTED.get(record.levelno)
        if record.exc_info:
            kind = "exception"
        if kind:
            self._statsd.send(f"gunicorn.log.{kind}:1|c|@1.0")


def counter_of(statsd: Statsd) -> logging.Handler:
    """A handler for the error log."""
    return _Counter(statsd)


def teller_of(statsd: Statsd | None) -> After | None:
    """What hears of the end of requests."""
    return statsd.tell_request if statsd else None


def open_statsd(settings: StatsdSettings) -> Statsd | None:
    """None where no host is set."""
    return Statsd(settings) if settings.statsd_host else None


def _destination(host: str) -> tuple[int, str | tuple[str, int]]:
    if host.startswith("unix:"):
        return socket.AF_UNIX, host.removeprefix("unix:").replace("//", "", 1)
    name, _, port = host.rpartition(":")
    found = socket.getaddrinfo(name.strip("[]"), int(port), type=socket.SOCK_DGRAM)
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))
