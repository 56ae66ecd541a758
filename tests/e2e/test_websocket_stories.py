"""Rooms of people, by libraries that speak WebSocket themselves, through a reload."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from typing import Any

import pytest
import socketio
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.support.raw import TIMEOUT
from tests.support.servers import Command, wait_until
from tests.support.services import Services
from tests.support.websockets import websocket

APP = "tests.apps.live:app"
PEOPLE = 5


class Person:
    """Comes again when it was cut off, and into its room again."""

    def __init__(self, room: str) -> None:
        self.room = room
        self.heard: list[str] = []
        self.joined = 0
        self.sockets: list[Any] = []
        self.client = socketio.Client(
            request_timeout=TIMEOUT, reconnection_delay=0.1, reconnection_delay_max=1
        )
        self.client.on("said", self.heard.append)
        self.client.on("connect", self.join)

    def join(self) -> None:
        self.sockets.append(self.client.eio.ws)
        self.client.emit("join", self.room, callback=self.on_joined)

    def on_joined(self, digest: str) -> None:
        assert digest == sha256(self.room.encode()).hexdigest()
        self.joined += 1

    def leave(self) -> None:
        self.client.disconnect()
        self.client.shutdown()
        # Those that were cut off it has only dropped.
        for each in self.sockets:
            each.shutdown()


@contextmanager
def people(server: Command) -> Iterator[list[Person]]:
    persons = [Person("room") for _ in range(PEOPLE)]
    url = f"http://127.0.0.1:{server.port}"
    try:
        for each in persons:
            each.client.connect(url, transports=["websocket"], wait_timeout=TIMEOUT)
        yield persons
    finally:
        for each in persons:
            each.leave()


def talk(persons: list[Person], turn: int) -> None:
    """All of them are there, each says something, and all hear it."""
    wait_until(lambda: (n := [p.joined for p in persons], min(n) >= turn))
    for number, person in enumerate(persons):
        person.client.emit("say", {"room": "room", "text": f"{turn} {number}"})
    wanted = {f"{turn} {number}" for number in range(PEOPLE)}
    wait_until(lambda: (h := [p.heard for p in persons], all(map(wanted.issubset, h))))


def test_ws12_rooms_of_socketio_outlive_a_reload() -> None:
    with Command(APP, "--graceful-timeout", "1") as server, people(server) as persons:
        talk(persons, 1)
        server.signal(signal.SIGHUP)
        talk(persons, 2)
        assert [len(person.heard) for person in persons] == [2 * PEOPLE] * PEOPLE


def where(person: Person) -> int:
    return int(person.client.call("where", timeout=TIMEOUT))


def talk_until_heard(persons: list[Person], said: str) -> None:
    """A worker hears of others only once it has subscribed, which nobody tells."""
    times = 0

    def say() -> tuple[list[list[str]], bool]:
        nonlocal times
        # Nobody says it again before he has heard himself.
        if persons[0].heard.count(said) >= times:
            times += 1
            persons[0].client.emit("say", {"room": "room", "text": said})
        heard = [person.heard for person in persons]
        return heard, all(said in each for each in heard)

    wait_until(say)


def test_ws12_rooms_of_socketio_span_workers(services: Services) -> None:
    """By Redis. Who was on a worker that is killed comes again, to another one."""
    queue = {"QUEUE": f"redis://127.0.0.1:{services.redis_port}/7"}
    with (
        Command(APP, "--workers", "2", env=queue) as server,
        ExitStack() as stack,
    ):
        for _ in range(2):
            server.wait_line("worker .* is ready")
        persons: list[Person] = []
        while len(workers := {where(person) for person in persons}) < 2:
            persons += stack.enter_context(people(server))
        talk_until_heard(persons, "one")
        talk_until_heard(persons[::-1], "two")
        lost = [person for person in persons if where(person) == min(workers)]
        server.kill(min(workers))
        wait_until(lambda: (n := [p.joined for p in lost], min(n) >= 2))
        assert min(workers) not in {where(person) for person in persons}
        talk_until_heard(persons, "three")
        talk_until_heard(persons[::-1], "four")


def in_room(server: Command, stack: ExitStack) -> list[ClientConnection]:
    persons = []
    for number in range(PEOPLE):
        person = stack.enter_context(websocket(server, "/room/green"))
        assert person.recv(TIMEOUT) == f"{number + 1} in green"
        persons.append(person)
    return persons


def worker_of(persons: list[ClientConnection], said: str) -> str:
    persons[0].send(said)
    heard = {person.recv(TIMEOUT) for person in persons}
    assert len(heard) == 1
    worker, _, text = str(heard.pop()).partition(" ")
    assert text == said
    return worker


def test_ws12_rooms_of_flask_sock_outlive_a_reload() -> None:
    with Command(APP, "--graceful-timeout", "1") as server:
        with ExitStack() as stack:
            persons = in_room(server, stack)
            first = worker_of(persons, "one")
            server.signal(signal.SIGHUP)
            for person in persons:
                with pytest.raises(ConnectionClosed):
                    person.recv(TIMEOUT)
        with ExitStack() as stack:
            assert worker_of(in_room(server, stack), "two") != first
