"""Every scenario under every schedule within its bounds, or as many as the time allows."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

import pytest

from tests.explorer.catalogue import MODULES, PLACES, Row, rows
from tests.explorer.test_explorer import run
from tests.support.services import Services

# For each: about one decision of each kind at each step; `make explore` has more.
TRIALS = ("--trials", "40", "--seconds", "300")
OF_DRIVERS = ("--trials", "8", "--seconds", "300")  # each connects anew
UNTIL_FOUND = ("--seconds", "60")
Told = dict[str, dict[str, Any]]


def _explore(tried: list[Row], bounds: tuple[str, ...], *services: Services) -> Told:
    """What is found in those of one module, by one process."""
    needed = {name for each in tried for name in each.needs}
    places = {name: getattr(services[0], name) for name in needed}
    env = {**os.environ, PLACES: json.dumps(places)}
    done = run(*[each.name for each in tried], *bounds, env=env)
    assert len(done.stdout.splitlines()) == len(tried), done.stderr
    # Also of threads and finalizers that nobody asks.
    assert "Exception ignored" not in done.stderr, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["name"]: line for line in lines}


def _case(row: Row, *values: object) -> Any:
    marks = [pytest.mark.row(*row.proves)] if row.proves else []
    return pytest.param(*values, row.name, marks=marks, id=row.name)


def _holds(told: Told, name: str) -> None:
    assert "fault" not in told[name], told[name]["fault"]
    assert told[name]["trials"] > 1


BY_MODULE = {
    module: [row for row in rows(module) if not row.fault] for module in MODULES
}
WITH_SERVERS = BY_MODULE.pop("drivers")


@cache
def _told(module: str) -> Told:
    return _explore(BY_MODULE[module], TRIALS)


@pytest.fixture(scope="module")
def told(request: pytest.FixtureRequest) -> Told:
    return _told(request.param)


@pytest.mark.parametrize(
    ("told", "name"),
    [_case(row, module) for module, found in BY_MODULE.items() for row in found],
    indirect=["told"],
)
def test_scenario(told: Told, name: str) -> None:
    _holds(told, name)


@pytest.fixture(scope="module")
def told_of_drivers(services: Services) -> Told:
    return _explore(WITH_SERVERS, OF_DRIVERS, services)


@pytest.mark.slow("each trial connects to a database anew")
@pytest.mark.parametrize("name", [_case(row) for row in WITH_SERVERS])
def test_scenario_with_a_server(told_of_drivers: Told, name: str) -> None:
    _holds(told_of_drivers, name)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(row.name, marks=pytest.mark.xfail(strict=True, reason=row.fault))
        for row in rows()
        if row.fault
    ],
)
def test_scenario_of_a_known_fault(name: str) -> None:
    """Fails once it is mended: it is then one of the others."""
    done = run(name, *UNTIL_FOUND)
    told = json.loads(done.stdout)
    assert "fault" not in told, told["fault"]


KEPT = [(row.name, schedule) for row in rows() for schedule in row.kept]


@pytest.mark.parametrize(("name", "schedule"), KEPT)
def test_a_schedule_that_failed_once(name: str, schedule: str) -> None:
    done = run(name, "--replay", schedule)
    assert done.returncode == 0, done.stderr
