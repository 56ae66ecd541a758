"""Runs suites of others on asyncio's loop, then on ours; what fails on ours only is named.

`python -m tests.suites [NAME ...]`: all, or those that begin so. A test counts if it passes on
asyncio's own loop. What then fails must stand in `known/NAME.txt` with a reason, and what stands
there must fail. Each suite comes from its source distribution, and has an environment of its own,
both under build/suites.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cpython.runs import (
    Run,
    Tally,
    compare,
    read_expected,
    run_whole,
    tell,
    tell_passing,
)
from tests.suites.suite import SUITES, Suite
from tests.support.choosing import chosen_by
from tests.support.environment import keep_what_is_everywhere
from tools import environments

FOLDER = Path("build/suites")
CHILD = Path("tests/cpython/pytest_child.py")
MINUTES = 10  # that an installation may take
LIMIT = 1800.0  # seconds for one way
# What the loop is, with the words for the child that make it so.
WAYS = {
    "celadon's loop": ("--aio",),
    "celadon's loop, patched": ("--aio", "--patched"),
    "asyncio's loop, patched": ("--patched",),
}


def run(
    python: Path, source: Path, ways: Sequence[str], words: Sequence[str], limit: float
) -> Run:
    """The suite in the folder `source`."""

    def command(report: Path, skip: Path) -> list[str]:
        child = map(str, (CHILD.absolute(), report, skip))
        return [str(python.absolute()), *child, *ways, "--", *words]

    # What is installed beside brings no plugin that was not asked for.
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return run_whole(command, limit, environment, source.absolute())


def tell_all(
    name: str, plain: Run, changed: Mapping[str, Run], expected: Mapping[str, str]
) -> tuple[dict[str, Tally], list[str]]:
    """Prints how each way went; its tallies, and what was not expected."""
    tallies, surprises = {}, []
    for way, each in {"asyncio's loop": plain, **changed}.items():
        if each.absent:
            print(f"{name}, {way}: no test was run: it {each.said}")
            surprises.append(f"{name}, {way}")
    for way, each in changed.items():
        row = f"{name}, {way}"
        tallies[row] = compare(plain, each)
        surprises += tell(row, tallies[row], expected, each.texts)
    failed = [test for test, outcome in plain.outcomes.items() if outcome == "failed"]
    for test in failed:
        print(f"  fails on asyncio's loop: {test}\n    {plain.texts[test][-500:]}")
    surprises += tell_passing(plain, tallies.values(), expected)
    return tallies, surprises


def page(
    suite: Suite, tallies: Mapping[str, Tally], expected: Mapping[str, str]
) -> str:
    """Of the documentation."""
    name = suite.name.capitalize() if suite.name != "anyio" else suite.name
    lines = [
        f"# {name} {suite.version}'s own tests on celadon's loop",
        "",
        "Made by `make test-suites`. A test counts if it passes on asyncio's own loop. Left out:",
        f"{suite.left_out}.",
        "",
        "| on | counted | pass | fail, as on asyncio's |",
        "|---|---|---|---|",
    ]
    for row, tally in tallies.items():
        way = row.removeprefix(f"{suite.name}, ")
        lines.append(f"| {way} | {tally.counted} | {tally.passed} | {tally.broken} |")
    lines += ["", "## Exceptions", ""]
    exceptions = {test for tally in tallies.values() for test in tally.exceptions}
    for test in sorted(exceptions):
        lines.append(f"- `{test}`: {expected.get(test, 'not explained')}")
    if not exceptions:
        lines.append("None.")
    return "\n".join(lines) + "\n"


def fetch(suite: Suite) -> Path:
    """Its source distribution, unpacked."""
    name = f"{suite.name}-{suite.version}"
    source = FOLDER / name
    if source.exists():
        return source
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as place:
        archive = environments.download(suite.name, suite.version, Path(place))
        subprocess.run(("tar", "-xzf", archive, "-C", place), check=True)
        (Path(place) / name).rename(source)
    return source


def _pin(suite: Suite) -> None:
    """Installs what it asks for today, and writes down what that is."""
    folder = FOLDER / suite.name
    environments.make_anew(folder)
    packages = (*suite.packages, "greenlet>=3.1")
    environments.install(folder, *packages, minutes=MINUTES)
    words = [*environments.pip(folder), "freeze", "--all", "--exclude", "celadon"]
    pins = subprocess.check_output(words, text=True)
    suite.pins.write_text(pins)
    environments.finish(folder, pins)


def _surprises(suite: Suite, given: argparse.Namespace) -> list[str]:
    print(f"== {suite.name} {suite.version}", flush=True)
    folder = FOLDER / suite.name
    try:
        environments.make(folder, suite.pins.read_text(), MINUTES)
        source = fetch(suite)
    except environments.NotInstalled as error:
        print(f"{suite.name} cannot be installed: {error}", flush=True)
        return [suite.name]
    python, words = folder / "bin/python", (*suite.words_here(), *given.only)
    plain = run(python, source, (), words, LIMIT)
    changed = {
        way: run(python, source, ways, words, LIMIT) for way, ways in WAYS.items()
    }
    expected = read_expected(suite.known)
    tallies, surprises = tell_all(suite.name, plain, changed, expected)
    if given.pages and not given.only:
        text = page(suite, tallies, expected)
        (given.pages / f"suite-{suite.name}.md").write_text(text)
    return surprises


def main() -> int:
    names = ", ".join(each.name for each in SUITES)
    parser = argparse.ArgumentParser(description=__doc__, epilog=f"There are: {names}")
    add = parser.add_argument
    add("names", nargs="*", help="suites; those that begin so")
    add("--only", nargs="+", default=(), help="words of pytest: files, ids, -k ...")
    add("--pages", type=Path, metavar="FOLDER", help="where a page of each goes")
    add("--pin", action="store_true", help="only write down today's versions")
    given = parser.parse_args()
    chosen = chosen_by(parser, given.names, SUITES)
    keep_what_is_everywhere()
    if given.pin:
        for each in chosen:
            _pin(each)
        return 0
    surprises = [test for each in chosen for test in _surprises(each, given)]
    print(f"{len(surprises)} surprises")
    return int(bool(surprises))


if __name__ == "__main__":
    sys.exit(main())
