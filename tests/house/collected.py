"""Which rows the tests prove, which libraries they show at work and which files have tests that
measure; a plugin of pytest that writes it down, by `-p`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support.servers import ROOT

Found = dict[str, dict[str, list[str]]]
ID = r"[A-Z]{1,2}\d\d"


def of_name(name: str) -> set[str]:
    """`test_en08_en09_addresses`; `test_case[bare-RL01-2-whole]` for the table of cases."""
    function, _, parameters = name.partition("[")
    found = {word.upper() for word in function.split("_")}
    found |= set(parameters.rstrip("]").split("-"))
    return {word for word in found if re.fullmatch(ID, word)}


def pytest_collection_finish(session: pytest.Session) -> None:
    Path(os.environ["ROWS_FILE"]).write_text(json.dumps(said_by(session.items)))


def is_all(config: pytest.Config, items: list[pytest.Item]) -> bool:
    """Whether a run that found these has found all tests that there are."""
    if config.getoption("lf", False) or any("::" in word for word in config.args):
        return False
    files = set((ROOT / "tests").rglob("test_*.py"))
    theirs = {path for path in files if path.is_relative_to(ROOT / "tests/cpython")}
    return files - theirs <= {item.path for item in items}


def said_by(items: list[pytest.Item]) -> Found:
    rows = _marked(items, "row")
    for item in items:
        for row in of_name(item.name):
            rows.setdefault(row, []).append(item.nodeid)
    return {
        "rows": rows,
        "libraries": _marked(items, "library"),
        "measuring": _files(item for item in items if item.get_closest_marker("alone")),
    }


def _files(items: Iterable[pytest.Item]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for item in items:
        found.setdefault(str(item.path.relative_to(ROOT)), []).append(item.nodeid)
    return found


def _marked(items: list[pytest.Item], name: str) -> dict[str, list[str]]:
    """What the marker `name` says, with the tests that say so."""
    found: dict[str, list[str]] = {}
    for item in items:
        for each in {word for mark in item.iter_markers(name) for word in mark.args}:
            found.setdefault(each, []).append(item.nodeid)
    return found
