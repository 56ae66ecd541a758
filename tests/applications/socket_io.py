"""What a client of Socket.IO does, by its own library; servers of all kinds have these events.

The library as it is hears by chance what a server says: it has a thread for each message, so
that a few are handled in any order, and the two halves of one that has bytes, too; and it leaves
without a word where an answer to a poll has more than 16 of them, which is what an answer has that
had to wait. A browser does neither.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import engineio
import socketio
from engineio.payload import Payload
from socketio.exceptions import ConnectionError, DisconnectedError, TimeoutError

from tests.applications.guest import Guest
from tests.support.raw import TIMEOUT

POLLING, UPGRADED, DIRECT = ["polling"], ["polling", "websocket"], ["websocket"]
Payload.max_decode_packets = 10_000


class _InOrder(engineio.Client):  # type: ignore[misc]
    """Its messages are handled one after another, by one thread."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._inbox: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        self._is_read = False

    def _trigger_event(self, event: str, *args: Any, **keywords: Any) -> Any:
        if event != "message":
            if event == "disconnect":
                self._inbox.put(None)
            return super()._trigger_event(event, *args, **keywords)
        self._inbox.put(args)
        if not self._is_read:
            self._is_read = True
            threading.Thread(target=self._read, daemon=True).start()
        return None

    def _read(self) -> None:
        while (args := self._inbox.get()) is not None:
            super()._trigger_event("message", *args)


class Client(socketio.Client):  # type: ignore[misc]
    """It hears in order what comes."""

    def _engineio_client_class(self) -> type[engineio.Client]:
        return _InOrder


class _SimpleClient(socketio.SimpleClient):  # type: ignore[misc]
    client_class = Client


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
    client = _SimpleClient(reconnection=False)
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
