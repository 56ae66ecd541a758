"""What is counted of Autobahn's cases; nothing is installed for that."""

from __future__ import annotations

import json

import pytest

from tests.autobahn.__main__ import report
from tests.autobahn.cases import FAMILIES, QUICK, Result, how_many, uncompressed
from tests.autobahn.trial import KINDS, Trial


def result(behavior: str, close: str = "OK") -> Result:
    said = {"case": "7.7.1", "behavior": behavior, "close": close, "why": "so it is"}
    return Result.of(json.dumps(said))


def test_none_is_left_out() -> None:
    assert how_many(tuple(FAMILIES)) == 517
    assert how_many(uncompressed(tuple(FAMILIES))) == 301
    assert len({*QUICK}) == len(QUICK)


@pytest.mark.parametrize(
    ("behavior", "close", "wrong", "well"),
    [
        ("OK", "OK", False, True),
        ("NON-STRICT", "OK", False, False),
        ("OK", "INFORMATIONAL", False, False),
        ("FAILED", "OK", True, False),
        ("UNIMPLEMENTED", "OK", True, False),
        ("ERROR", "OK", True, False),
        ("OK", "UNCLEAN", True, False),
        ("OK", "WRONG CODE", True, False),
        ("OK", "FAILED BY CLIENT", True, False),
    ],
)
def test_what_may_come_of_a_case(
    behavior: str, close: str, wrong: bool, well: bool
) -> None:
    came = result(behavior, close)
    assert (came.wrong, came.well) == (wrong, well)


def test_what_is_wrong_or_did_not_run_fails(capsys: pytest.CaptureFixture[str]) -> None:
    fine = Trial(KINDS[0], ("7.7.1",), [result("OK")])
    noted = Trial(KINDS[0], ("7.7.1",), [result("INFORMATIONAL")])
    assert report([fine, noted]) == 0
    assert capsys.readouterr().out.endswith("2 passed, 0 failed\n")
    wrong = Trial(KINDS[1], ("7.7.1",), [result("FAILED")])
    assert report([fine, wrong]) == 1
    said = capsys.readouterr().out
    assert 'make autobahn ARGS="wsgi --cases 7.7.1"' in said
    assert said.endswith("1 passed, 1 failed\n")
    killed = Trial(KINDS[0], ("7.*.1",), [result("OK"), result("OK")], status=-9)
    assert report([killed]) == 1
    assert capsys.readouterr().out.endswith("2 passed, 1 failed\n")
    assert report([Trial(KINDS[2], ("1.*",), [])]) == 1
    assert capsys.readouterr().out.endswith("0 passed, 16 failed\n")
