"""Every requirement has a test, or waits for what it names; so has every library of which
`celadon check` says something, by the marker `library`.

A test names what it proves by the id in its own name (`test_cn07_...`, `CN07...` of a C++
test, `c01-...` of a scenario for the simulator) or by the marker `row`; what a comment says
proves nothing.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from celadon.drivers.known import LIBRARIES

from tests.house.collected import ID, Found, is_all, of_name, said_by
from tests.support.order import COLLECTED
from tests.support.servers import ROOT
from tools.suite.parts import measuring

LIST = Path(__file__).parent / "rows.txt"
_CC_TEST = re.compile(r"^TEST(?:_F|_P)?\(\w+,\s*(\w+)\)", re.MULTILINE)


def listed() -> dict[str, str]:
    """Rows, each with what it waits for, if it does."""
    rows: dict[str, str] = {}
    for line in LIST.read_text().splitlines():
        if line and not line.startswith("#"):
            row, _, awaited = line.partition(" ")
            assert re.fullmatch(ID, row), line
            assert row not in rows, line
            rows[row] = awaited
    return rows


def of_cc_name(name: str) -> set[str]:
    """`CN07ALargeRestCloses`."""
    return set(re.findall(rf"(?<![A-Z0-9]){ID}(?![0-9])", name))


@pytest.fixture(scope="module")
def collected(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Found:
    """What tests name, as pytest collects them: as it has, where this is one of all."""
    items = request.config.stash[COLLECTED]
    if is_all(request.config, items):
        return said_by(items)
    file = tmp_path_factory.mktemp("rows") / "rows.json"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-qq",
         *("-p", "tests.house.collected", "-p", "no:cacheprovider")],
        cwd=ROOT,
        env={**os.environ, "ROWS_FILE": str(file)},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found: Found = json.loads(file.read_text())
    return found


@pytest.fixture(scope="module")
def tested(collected: Found) -> set[str]:
    """Rows that tests name, as pytest collects them and as C++ spells them."""
    rows = set(collected["rows"])
    for path in (ROOT / "tests/cc").rglob("*.cc"):
        for name in _CC_TEST.findall(path.read_text()):
            rows |= of_cc_name(name)
    for path in (ROOT / "tests/sim/regressions").glob("*.txt"):
        rows |= of_name(path.stem.replace("-", "_"))
    return rows


def test_every_row_is_tested_or_waits(tested: set[str]) -> None:
    assert {row for row, awaited in listed().items() if not awaited} - tested == set()


def test_a_row_that_is_tested_waits_for_nothing(tested: set[str]) -> None:
    assert {row for row, awaited in listed().items() if awaited} & tested == set()


def test_every_row_that_a_test_names_is_listed(tested: set[str]) -> None:
    assert tested - set(listed()) == set()


def test_what_check_says_of_a_library_is_tested(collected: Found) -> None:
    assert {library.module for library in LIBRARIES} == set(collected["libraries"])


def test_what_measures_is_found_by_its_file(collected: Found) -> None:
    """A run takes it for the part that nothing runs beside, without importing all others."""
    assert measuring() == sorted(collected["measuring"])


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("test_en08_en09_addresses", {"EN08", "EN09"}),
        ("test_c01_whole", {"C01"}),
        ("test_case[bare-RL01-2-whole]", {"RL01"}),
        ("test_http_11_over_ipv6", set()),
    ],
)
def test_ids_in_names(name: str, rows: set[str]) -> None:
    assert of_name(name) == rows


def test_ids_in_names_of_cc() -> None:
    assert of_cc_name("CN07ALargeRestCloses") == {"CN07"}
    assert of_cc_name("ABodyOfSL02AndT16") == {"SL02", "T16"}
    assert of_cc_name("Http11OverIPv6IsTLS13") == set()
