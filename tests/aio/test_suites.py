"""What runs suites of others on our loop finds what fails there only; nothing is installed.

The suites themselves are `make test-suites`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cpython.runs import Run
from tests.suites.__main__ import WAYS, run, tell_all
from tests.suites.suite import SUITES, Suite
from tests.support.servers import BIN

SUITE = """
import asyncio, os
import pytest

async def look():
    return "celadon.aio.loop" in (kind.__module__ for kind in type(asyncio.get_running_loop()).__mro__)

@pytest.fixture
def ours():
    return asyncio.run(look())

@pytest.fixture
def fails_behind(ours):
    yield
    assert not ours

def test_passes(): pass
def test_fails(ours): assert not ours
def test_fails_behind(fails_behind): pass
def test_fails_everywhere(): assert False
def test_ends_the_process(ours):
    if ours: os._exit(3)
def test_comes_behind(): pass
def test_is_mended(ours): pass
@pytest.mark.skip
def test_is_skipped(): pass
@pytest.mark.xfail(strict=True)
def test_is_expected_to_fail(): assert False
"""
FAILS = ["test_fails", "test_fails_behind", "test_ends_the_process"]


def ways_of(folder: Path, text: str) -> dict[str, Run]:
    (folder / "test_it.py").write_text(text)
    ways = {"asyncio's loop": (), **WAYS}
    return {
        way: run(BIN / "python", folder, words, ("--rootdir", "."), 300)
        for way, words in ways.items()
    }


def test_what_fails_on_our_loop_only_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, *runs = ways_of(tmp_path, SUITE).values()
    changed = dict(zip(WAYS, runs, strict=True))
    known = {"test_it.py::test_fails": "why", "test_it.py::test_is_mended": "why"}
    tallies, surprises = tell_all("it", plain, changed, known)
    failing = [f"test_it.py::{each}" for each in FAILS]
    for way, words in WAYS.items():
        tally = tallies[f"it, {way}"]
        assert tally.exceptions == (failing if "--aio" in words else [])
        assert (tally.counted, tally.broken) == (7, 1)
    unknown = failing[1:]
    assert surprises == [*unknown, *unknown, "test_it.py::test_is_mended"]
    said = capsys.readouterr().out
    assert "known: test_it.py::test_fails\n" in said
    assert "ended with 3" in said
    assert "passes now: test_it.py::test_is_mended" in said
    assert "fails on asyncio's loop: test_it.py::test_fails_everywhere" in said


def test_a_suite_that_does_not_run_is_a_surprise(tmp_path: Path) -> None:
    plain = run(BIN / "python", tmp_path, (), ("--no-such-option",), 300)
    _, surprises = tell_all("it", plain, {"ours": plain}, {})
    assert surprises == ["it, asyncio's loop", "it, ours"]


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_a_suite_is_pinned_whole(suite: Suite) -> None:
    pins = suite.pins.read_text().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!]+", line) for line in pins), pins
    named = {_name(line) for line in pins}
    assert {_name(each) for each in suite.packages} | {"greenlet"} <= named
    assert re.fullmatch(r"[\d.]+", suite.version)


def _name(requirement: str) -> str:
    return re.split(r"[<=\[]", requirement)[0].lower().replace("_", "-")
