"""The explorer itself: it finds what was planted, says how, and finds nothing where nothing is."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from celadon.testing.schedule import Action, Schedule

from tests.explorer.catalogue import rows
from tests.explorer.mutate import MUTANTS
from tests.support.green import run_green
from tests.support.raw import TIMEOUT
from tests.support.servers import ROOT

FAULTY = {
    "lost_wake_up": "nobody can go on",
    "leaked_lock": "nobody can go on",
    "lost_permit": "the permit is lost",
    "double_delivery": "delivered twice",
    "deadlock": "nobody can go on",
    "limit_that_comes_first": "it came too late",
    "lost_update_of_a_thread": "an addition is lost",
    "disconnect": "there is no request",
}
RIGHT = [row.name for row in rows("planted") if not row.fault]


def run(
    *words: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """In a process of its own, which is patched."""
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "tests.explorer.run", *words],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=TIMEOUT * 9,
    )


@pytest.fixture(scope="module")
def told() -> dict[str, dict[str, str]]:
    """What was found in each that is planted."""
    done = run(*FAULTY, *RIGHT, "--seconds", "60")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["name"]: line for line in lines}


@pytest.mark.parametrize("name", FAULTY)
def test_a_planted_fault_is_found(name: str, told: dict[str, dict[str, str]]) -> None:
    assert FAULTY[name] in told[name]["fault"]
    assert told[name]["schedule"].count(";") < 2


@pytest.mark.parametrize("name", RIGHT)
def test_nothing_is_found_where_nothing_is(
    name: str, told: dict[str, dict[str, str]]
) -> None:
    assert told[name]["complete"]
    assert not told[name]["diverged"]


def test_a_schedule_is_replayed(told: dict[str, dict[str, str]]) -> None:
    done = run("leaked_lock", "--replay", told["leaked_lock"]["schedule"])
    assert done.returncode == 1
    assert "nobody can go on" in done.stderr
    done = run("returned_lock", "--replay", "0 run b")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "run b"


def test_a_schedule_that_leads_nowhere_is_told() -> None:
    done = run("returned_lock", "--replay", "0 run nobody")
    assert "Irreproducible" in done.stderr


def test_a_deadlock_says_who_waits_for_whom(told: dict[str, dict[str, str]]) -> None:
    fault = told["deadlock"]["fault"]
    assert "a: waits for a lock held by b" in fault
    assert "b: waits for a lock held by a" in fault


def test_chance_finds_and_shrinks() -> None:
    done = run("lost_wake_up", "--seconds", "0", "--wander", "60", "--seed", "7")
    [line] = done.stdout.splitlines()
    assert "nobody can go on" in json.loads(line)["fault"]
    assert json.loads(line)["schedule"].count(";") == 0


def test_a_schedule_is_what_is_printed_of_it() -> None:
    schedule = Schedule({3: Action("kill", "a b"), 5: Action("time")})
    assert Schedule.parse(str(schedule)) == schedule
    assert (schedule.deliveries, schedule.orders, schedule.last) == (1, 1, 5)
    with pytest.raises(ValueError, match="3 flee"):
        Schedule.parse("3 flee a")


def test_time_goes_on_where_it_was() -> None:
    """An hour that passed while exploring is nobody's afterwards."""
    run_green(
        """
        from celadon.testing import explore
        began, wall = time.monotonic(), time.time()
        explore(lambda stage: stage.spawn("a", time.sleep, 3600) and None)
        assert time.monotonic() - began <= time.time() - wall + 1
        with green.Timeout(TIMEOUT):
            for _ in range(3): green.sleep(0.01)
        """
    )


def test_others_rest_while_something_is_explored() -> None:
    """Only who explores may say what comes next, and only one at a time."""
    run_green(
        """
        from celadon.testing import explore
        refused = []
        def scenario(stage):
            def again():
                try: explore(scenario)
                except RuntimeError: refused.append(1)
            stage.spawn("a", again, deliver=())
        explore(scenario)
        assert refused
        try: celadon._core.green.explore_ready()
        except RuntimeError: pass
        else: raise AssertionError
        """
    )


def test_it_works_without_the_patch() -> None:
    """For what is celadon's own; a lock of `threading` would stop all."""
    run_green(
        """
        from celadon.testing import Found, explore
        def scenario(stage):
            lock = green.Lock()
            other = threading.Thread(target=int)
            def use():
                other.start(); other.join()
                lock.acquire(); green.sleep(0); lock.release()
            def use_too():
                with lock: stage.point()
            stage.spawn("a", use)
            stage.thread("t", use_too)
        try: explore(scenario)
        except Found as found: assert "1 kill a" == found.schedule, found
        else: raise AssertionError
        """,
        prelude="import threading\nfrom celadon import green\n",
    )


def test_each_mutant_fits() -> None:
    """`make explore-mutants` builds them, and has the explorer find them."""
    assert MUTANTS
    for mutant in MUTANTS:
        assert mutant.changed()
        assert mutant.proofs()
