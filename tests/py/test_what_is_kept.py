"""What the bridge keeps for the next requests is given back once none has a use for it.

An object is watched by its references: those of the bridge are above the test's own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from celadon import green

from tests.support import raw
from tests.support.servers import Running, serving, wait_until

# Unlike any that a shape, a table or the interpreter has for others.
ODD = ("X-Odd-One: of-one-request-only", "Accept: */*")


class Watched:
    """Objects of requests to /odd, which are made for them."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.together = green.Event()
        self.there = 0

    def app(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/odd":
            self.answer(environ, start_response)
        else:
            start_response("200 OK", [])
        return [b"hello"]

    def answer(self, environ: dict[str, Any], start_response: Any) -> None:
        """Two at a time, so that each has the objects of a request for itself."""
        self.there += 1
        if self.there == 2:
            self.together.set()
        self.together.wait()
        status = " ".join(["200", f"Number {self.there}"])
        field = ("X-Field", f"number {self.there}")
        start_response(status, [field])
        self.there -= 1
        self.objects[f"status {self.there}"] = status
        self.objects[f"field {self.there}"] = field
        self.objects["port"] = environ["REMOTE_PORT"]
        self.objects["value"] = environ["HTTP_X_ODD_ONE"]
        self.objects["name"] = next(k for k in environ if k == "HTTP_X_ODD_ONE")

    def held(self) -> set[str]:
        """Those that somebody has beside the test."""
        own = sys.getrefcount(object()) + 1
        objects = self.objects
        return {name for name in objects if sys.getrefcount(objects[name]) > own}


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def server(watched: Watched) -> Iterator[Running]:
    with serving(watched.app, validate=False) as running:
        with running.client() as one, running.client() as other:
            for client in (one, other):
                client.send(raw.get("/odd", *ODD))
            for client in (one, other):
                assert client.response().status == 200
        yield running


@pytest.mark.slow("what a period of 10 s has no use for is given back after it")
def test_an_idle_server_keeps_nothing_of_its_requests(
    watched: Watched, server: Running
) -> None:
    assert {"port", "value", "name"} <= watched.held()
    assert {"status 0", "status 1"} & watched.held()
    wait_until(lambda: (held := watched.held(), not held), limit=60)


@pytest.mark.slow("likewise")
def test_a_busy_server_keeps_what_it_uses(watched: Watched, server: Running) -> None:
    """Others come one by one; what only two at a time or that shape need goes. Texts of
    addresses and constants of the application stay, which are few."""
    with server.client() as client:

        def others_are_served() -> tuple[set[str], bool]:
            client.send(raw.get("/", "X-Usual: 1"))
            assert client.response().status == 200
            held = watched.held() & {"status 0", "status 1", "value", "name"}
            return held, not held

        wait_until(others_are_served, limit=60)
