"""What a client of Socket.IO does, by its own library; servers of all kinds have these events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import socketio
from socketio.exceptions import ConnectionError, DisconnectedError, TimeoutError

from tests.applications.guest import Guest
from tests.support.raw import TIMEOUT

POLLING, UPGRADED, DIRECT = ["polling"], ["polling", "websocket"], ["websocket"]


class Io:
    """A client, of whose events nothing is lost."""

    def __init__(self, guest: Guest, client: socketio.SimpleClient) -> None:
        self._guest = guest
        self.client = client

    def call(self, event: str, data: Any) -> None:
        try:
            answer = self.client.call(event, data, timeout=TIMEOUT)
        except (DisconnectedError, TimeoutError) as error:
            answer = type(error).__name__
        self._guest.hear(f"{event}: {answer!r}")

    def hear(self, count: int = 1) -> None:
        for _ in range(count):
            try:
                found = self.client.receive(timeout=TIMEOUT)
            except (DisconnectedError, TimeoutError) as error:
                found = [type(error).__name__]
            self._guest.hear(repr(found))


@contextmanager
def connected(
    guest: Guest, transports: list[str], namespace: str = "/", **auth: str
) -> Iterator[Io]:
    client = socketio.SimpleClient(reconnection=False)
    address = f"http://127.0.0.1:{guest.port}"
    try:
        client.connect(
            address,
            transports=transports,
            namespace=namespace,
            auth={"mark": guest.mark, **auth},
            wait_timeout=TIMEOUT,
        )
        guest.hear(f"connected by {client.transport}")
        yield Io(guest, client)
    finally:
        _leave(client, transports)


def _leave(client: socketio.SimpleClient, transports: list[str]) -> None:
    """Who only polls has the server end it: else it would wait for the answer to a poll."""
    if transports == POLLING and client.connected:
        client.emit("leave me", None)
        client.client.wait()
    client.disconnect()


def _is_served(guest: Guest, transports: list[str]) -> None:
    with connected(guest, transports) as io:
        io.hear()
        io.call("echo", {"text": guest.mark, "list": [1, None, "é"]})
        io.call("echo", bytes(range(256)))
        io.call("echo", "x" * 100_000)
        io.client.emit("count", 30)
        io.hear(30)
        io.call("raise", "not counted")
        io.call("session", None)
        io.call("ask", None)
        io.client.emit("leave me", None)
        io.client.client.wait()
        guest.hear(f"connected {io.client.connected}")


def polls(guest: Guest) -> None:
    _is_served(guest, POLLING)


def upgrades(guest: Guest) -> None:
    _is_served(guest, UPGRADED)


def goes_directly(guest: Guest) -> None:
    _is_served(guest, DIRECT)


def meets_others(guest: Guest) -> None:
    with (
        connected(guest, POLLING) as one,
        connected(guest, UPGRADED) as two,
        connected(guest, DIRECT) as three,
    ):
        for each in (one, two, three):
            each.hear()
            each.call("join", guest.mark)
        for number, each in enumerate((one, two, three)):
            each.call("say", [guest.mark, f"{number} says {guest.mark}"])
            for other in (one, two, three):
                other.hear()


def is_elsewhere(guest: Guest) -> None:
    with connected(guest, DIRECT, "/other") as io:
        io.call("echo", "elsewhere")


def is_refused(guest: Guest) -> None:
    try:
        with connected(guest, DIRECT, refuse="yes"):
            pass
    except ConnectionError as error:
        guest.hear(f"refused: {error}")


ACTS = (polls, upgrades, goes_directly, meets_others, is_elsewhere, is_refused)
