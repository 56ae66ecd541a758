"""A plugin of pytest that writes down which rows the tests prove, and which libraries they show
at work, by `-p`."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

ID = r"[A-Z]{1,2}\d\d"


def of_name(name: str) -> set[str]:
    """`test_en08_en09_addresses`; `test_case[bare-RL01-2-whole]` for the table of cases."""
    function, _, parameters = name.partition("[")
    found = {word.upper() for word in function.split("_")}
    found |= set(parameters.rstrip("]").split("-"))
    return {word for word in found if re.fullmatch(ID, word)}


def pytest_collection_finish(session: pytest.Session) -> None:
    rows = _marked(session.items, "row")
    for item in session.items:
        for row in of_name(item.name):
            rows.setdefault(row, []).append(item.nodeid)
    found = {"rows": rows, "libraries": _marked(session.items, "library")}
    Path(os.environ["ROWS_FILE"]).write_text(json.dumps(found))


def _marked(items: list[pytest.Item], name: str) -> dict[str, list[str]]:
    """What the marker `name` says, with the tests that say so."""
    found: dict[str, list[str]] = {}
    for item in items:
        for each in {word for mark in item.iter_markers(name) for word in mark.args}:
            found.setdefault(each, []).append(item.nodeid)
    return found
