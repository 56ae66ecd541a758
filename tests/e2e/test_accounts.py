"""Where the time of a request went: it adds up, whatever it waited for."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.apps.accounts import WAIT
from tests.support import raw
from tests.support.raw import Response
from tests.support.servers import Command, wait_until
from tests.support.services import Services
from tests.support.timing import once_right

APP = "tests.apps.accounts:app"
OPTIONS = ("--access-logfile", "-", "--access-log-style", "json")
DATABASES = (
    *("psycopg2", "psycopg", "pg8000", "pymysql", "mysqlclient", "redis"),
    *("pymongo", "sqlalchemy", "django", "sqlite3"),
)
# What each waits for.
KINDS = {
    **dict.fromkeys(DATABASES, "db"),
    **dict.fromkeys(("requests", "urllib3", "httpx", "asyncpg"), "socket"),
    "sleep": "sleep",
    "lock": "lock",
    "thread": "thread",
    "running": "running",
}
TOLERANCE = 0.001  # seconds
TICK = time.clock_getres(6)  # CLOCK_MONOTONIC_COARSE: a tick of the kernel


@pytest.fixture(scope="module")
def server(services: Services) -> Iterator[Command]:
    env = {
        "POSTGRES_PORT": str(services.postgres_port),
        "MARIADB_PORT": str(services.mariadb_port),
        "REDIS_PORT": str(services.redis_port),
        "MONGO_PORT": str(services.mongo_port),
        "MONGO_FILE": services.mongo_file,
    }
    with Command(APP, *OPTIONS, "--server-timing", env=env) as command:
        yield command


def logged(server: Command, response: Response) -> dict[str, Any]:
    """The line of the access log for this answer."""
    wanted = response.get("X-Request-ID")

    def find() -> dict[str, Any] | None:
        for line in list(server.out):
            record: dict[str, Any] = json.loads(line)
            if record["request_id"] == wanted:
                return record
        return None

    return wait_until(lambda: (r := find(), r is not None))  # type: ignore[no-any-return]


def parts(record: dict[str, Any]) -> dict[str, float]:
    """Seconds by kind, of a line."""
    return {
        name.removesuffix("_us"): value / 1e6
        for name, value in record.items()
        if name.endswith("_us")
    }


@pytest.mark.alone("where the milliseconds of a request went")
@pytest.mark.parametrize("view", KINDS)
def test_the_kinds_add_up_to_the_whole(server: Command, view: str) -> None:
    server.request(raw.get(f"/{view}"))  # it imports
    once_right(lambda: _kinds_add_up(server, view))


def _kinds_add_up(server: Command, view: str) -> None:
    response = server.request(raw.get(f"/{view}"))
    record = logged(server, response)
    spent = parts(record)
    assert sum(spent.values()) == pytest.approx(
        record["event.duration"] / 1e9, abs=TOLERANCE
    )
    waited = spent[KINDS[view]]
    if view == "sqlite3":  # it looks again and again, each time once it is its turn
        waited += spent["ready"]
    # Less a tick of the databases' own clocks.
    assert waited >= WAIT - 0.005, spent
    others = sum(n for kind, n in spent.items() if kind not in (KINDS[view], "ready"))
    assert others < WAIT * 4, spent  # it connects as well


@pytest.mark.alone("where the milliseconds of a request went")
@pytest.mark.parametrize("view", ["psycopg2", "psycopg", "pg8000", "pymysql", "redis"])
def test_a_slow_neighbour_is_not_blamed_on_the_database(
    server: Command, view: str
) -> None:
    """A wait of a millisecond, over TCP, beside slices of 30 ms."""
    once_right(lambda: _neighbour_is_not_blamed(server, view))


def _neighbour_is_not_blamed(server: Command, view: str) -> None:
    spent = json.loads(server.request(raw.get(f"/{view}/beside")).body)
    rounds = {"redis": 6}.get(view, 12)  # with the server, at the most
    assert spent["ready"] > 0.03, spent
    assert spent["db"] <= 0.002 + rounds * (TICK + TOLERANCE), spent
    assert spent["db"] < spent["ready"], spent


def test_a_request_that_never_waits_only_runs(server: Command) -> None:
    spent = json.loads(server.request(raw.get("/")).body)
    assert spent["running"] > 0
    assert not any(n for kind, n in spent.items() if kind not in ("running", "queued"))


@pytest.mark.alone("where the milliseconds of a request went")
def test_server_timing(server: Command) -> None:
    once_right(lambda: _timing_is_told(server))


def _timing_is_told(server: Command) -> None:
    response = server.request(raw.get("/sleep"))
    timing = response.get("Server-Timing") or ""
    parsed = dict(re.findall(r"(\w+);dur=([\d.]+)", timing))
    assert float(parsed["sleep"]) >= 1000 * WAIT - 5
    assert 0 < float(parsed["running"]) < 1000 * WAIT


def test_timings_are_gone_with_their_request() -> None:
    with Command("tests.apps.accounts_kept:app") as command:
        command.request(raw.get("/"))
        assert command.request(raw.get("/")).body == b"True ''"


def test_slow_requests_are_described_with_their_waits(services: Services) -> None:
    env = {
        "POSTGRES_PORT": str(services.postgres_port),
        "REDIS_PORT": str(services.redis_port),
        "ACCOUNTS_WAIT": "1",
    }
    with Command(APP, "--slow-request", "0.5", env=env) as command:
        assert command.request(raw.get("/")).status == 200
        command.request(raw.get("/redis?secret=%0a"))
        command.wait_line(
            r"\[WARNING\] slow request: GET /redis\?secret=%0a 200 took \d+\.\d ms: "
            r"queued .*, db (\d+\.\d).*\[request_id="
        )
        command.wait_line(
            rf"^  at \d+\.\d ms: db 127\.0\.0\.1:{services.redis_port} \d+\.\d ms"
        )
        command.request(raw.get("/sleep"))
        command.wait_line(r"^  at \d+\.\d ms: sleep \d+\.\d ms")
        slow = [line for line in command.lines if "slow request: GET / " in line]
        assert not slow


def test_atoms_of_the_access_log() -> None:
    form = "%({running_us}x)s %({parked_us}x)s %({sleep_us}x)s %({route}x)s"
    options = ("--access-logfile", "-", "--access-logformat", form)
    with Command(APP, *options) as command:
        command.request(raw.get("/sleep"))
        command.stop()
    running, parked, slept, route = command.out[0].split()
    assert int(running) > 0
    assert int(parked) == int(slept) >= (WAIT - TOLERANCE) * 1e6
    assert route == "-"
