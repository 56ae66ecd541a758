"""Two instances of the example behind HAProxy share PostgreSQL and Redis; one is killed.

docs/howto/scaling-out.md is about this.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.support import proxies, raw, studio
from tests.support.load import Crowd
from tests.support.machine import free_port
from tests.support.raw import TIMEOUT, Response
from tests.support.servers import Command, wait_until
from tests.support.services import Services
from tests.support.site import kill_worker, ready, wait_ready

DATABASE = "scaling_out"


class Shared:
    """What both instances use: a database of their own, Redis, and the town."""

    def __init__(self, services: Services, town: Command) -> None:
        self._psql = ["psql", "-h", "127.0.0.1", "-U", "celadon", "-qAt"]
        self._psql += ["-p", str(services.postgres_port)]
        self.sql(f"CREATE DATABASE {DATABASE}", "celadon")
        where = f"127.0.0.1:{services.postgres_port}/{DATABASE}"
        self.env = {
            "STUDIO_POSTGRES": f"postgresql://celadon@{where}",
            "STUDIO_REDIS": f"redis://127.0.0.1:{services.redis_port}/3",
            "STUDIO_TOWN": f"http://127.0.0.1:{town.port}",
            "STUDIO_SECRET": "the same for both",
            "STUDIO_POSTS_PER_MINUTE": "1000000",
            "STUDIO_LETTER_SECONDS": "1",
        }

    def sql(self, query: str, database: str = DATABASE) -> str:
        done = subprocess.run(
            [*self._psql, "-c", query, database], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def town() -> Iterator[Command]:
    with studio.town(0.02) as command:
        yield command


class Visitors(Crowd):
    """They look and book without end, and do what a careful client does.

    A page that cannot be had is `wrong`. A booking that is not answered is sent again, the
    same form, and once it is answered its token is in `booked`.
    """

    def __init__(self, proxy: proxies.Proxy, count: int) -> None:
        self._proxy = proxy
        super().__init__(*[self._visit] * count)
        self.wrong: list[str] = []
        self.again = 0
        self.booked: list[str] = []

    def _visit(self) -> None:
        while not self.stopped.wait(0.005):  # the machine has other tests
            try:
                answer = self._ask(raw.get("/courses/1"))
                if answer.status != 200 or b"First bowl" not in answer.body:
                    self.wrong.append(repr(answer))
            except (OSError, EOFError) as error:
                self.wrong.append(repr(error))
            self._book(str(uuid.uuid4()))

    def _book(self, token: str) -> None:
        fields = urlencode({"name": f"visitor {token}", "token": token}).encode()
        kind = "Content-Type: application/x-www-form-urlencoded"
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            try:
                answer = self._ask(raw.post("/courses/1", fields, kind))
            except (OSError, EOFError):
                self.again += 1
                continue
            if answer.status == 303:
                self.booked.append(token)
                return
            assert answer.status in (502, 503), answer
            self.again += 1
        self.wrong.append(f"could not book {token}")

    def _ask(self, request: bytes) -> Response:
        with self._proxy.client() as client:
            client.send(request)
            return client.response()

    def wait_for_more(self, count: int) -> None:
        before = len(self.booked)
        wait_until(lambda: (self.wrong, len(self.booked) >= before + count))


@pytest.mark.slow("two instances of four workers, and what they promised is waited for")
def test_one_of_two_instances_is_killed_and_nothing_is_lost(
    tmp_path: Path, services: Services, town: Command
) -> None:
    shared = Shared(services, town)
    ports = [(free_port(), free_port()) for _ in range(2)]

    def start(number: int) -> Command:
        own, admin = ports[number]
        options = ("--admin-bind", f"127.0.0.1:{admin}", "--workers", "2")
        bind = f"127.0.0.1:{own}"
        return Command(
            *("studio:app", *options),
            cwd=studio.FOLDER,
            env=shared.env,
            bind=bind,
            preexec=os.setsid,
        )

    instances = [start(0)]
    wait_ready(instances[0], 2)
    instances.append(start(1))
    wait_ready(instances[1], 2)
    shared.sql("UPDATE courses SET places = 1000000")
    try:
        with proxies.haproxy(tmp_path, ports) as proxy:
            wait_until(lambda: (None, proxy.answers()))
            with Visitors(proxy, 6) as visitors:
                visitors.wait_for_more(50)
                os.killpg(instances[0].process.pid, signal.SIGKILL)
                instances[0].wait()
                visitors.wait_for_more(50)
                instances[0] = start(0)
                wait_ready(instances[0], 2)
                visitors.wait_for_more(50)
                # Workers that die alone are the master's affair.
                kill_worker(instances[1], ready(instances[1])[0])
                visitors.wait_for_more(50)
            assert visitors.wrong == []
            check_books(shared, visitors.booked)
            wait_until(
                lambda: (n := len(studio.letters(town)), n == len(visitors.booked))
            )
    finally:
        for instance in instances:
            instance.signal(signal.SIGTERM)
            instance.wait()


def check_books(shared: Shared, booked: list[str]) -> None:
    names = shared.sql("SELECT name FROM bookings").splitlines()
    assert sorted(names) == sorted(f"visitor {token}" for token in booked)
    assert int(shared.sql("SELECT taken FROM courses WHERE id = 1")) == len(booked)
