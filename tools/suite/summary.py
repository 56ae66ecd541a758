"""The end of a run: one table, what failed, and one line that programs read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

from tools.suite.display import clock
from tools.suite.tally import Outcome, Result, Tally, counted

NAMED = 3  # tests of those that are skipped for one reason
SLOWEST = 30
MUST_SAY_WHY = 10.0  # seconds


def summary(
    tallies: Mapping[str, Tally], left_out: Mapping[str, str], seconds: float
) -> str:
    blocks = [
        *map(_failure, (each for t in tallies.values() for each in t.failures())),
        _skipped(tallies),
        _table(tallies, left_out, seconds),
        counted(_all(tallies)),
    ]
    return "\n\n".join(filter(None, blocks))


def _all(tallies: Mapping[str, Tally]) -> Counter[Outcome]:
    return sum((tally.counts() for tally in tallies.values()), Counter())


def _failure(result: Result) -> str:
    return f"FAILED {result.name}\n{result.detail}\n  again: {result.again}"


def _skipped(tallies: Mapping[str, Tally]) -> str:
    reasons: dict[str, list[str]] = {}
    for tally in tallies.values():
        for each in tally.results:
            if each.outcome is Outcome.SKIPPED:
                reasons.setdefault(each.detail, []).append(each.name)
    lines = []
    for why, names in reasons.items():
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        lines.append(f"skipped: {', '.join(names[:NAMED])}{more}: {why}")
    return "\n".join(lines)


def _table(
    tallies: Mapping[str, Tally], left_out: Mapping[str, str], seconds: float
) -> str:
    rows = [f"{'part':12}{'passed':>8}{'failed':>8}{'skipped':>9}{'time':>8}"]
    for name, tally in tallies.items():
        rows.append(_row(name, tally.counts(), tally.seconds, bool(tally.results)))
    rows.append(_row("all", _all(tallies), seconds, True))
    rows += [f"{name:12} not run: {why}" for name, why in left_out.items()]
    return "\n".join(rows)


def _row(name: str, counts: Counter[Outcome], seconds: float, tests: bool) -> str:
    cells = [str(counts[outcome]) if tests else "-" for outcome in Outcome]
    return f"{name:12}{cells[0]:>8}{cells[1]:>8}{cells[2]:>9}{clock(seconds):>8}"


def records(tallies: Mapping[str, Tally]) -> str:
    """All results, for programs: a line of JSON for each."""
    lines = []
    for name, tally in tallies.items():
        for each in tally.results:
            fields = {"part": name, "name": each.name, "outcome": each.outcome}
            lines.append(json.dumps({**fields, "seconds": each.seconds}) + "\n")
    return "".join(lines)


def slowest(tallies: Mapping[str, Tally]) -> str:
    """The tests that took longest, and why."""
    found = [(r.seconds, name, r) for name, t in tallies.items() for r in t.results]
    found.sort(key=lambda each: -each[0])
    lines = ["seconds  the slowest tests"]
    for seconds, part, result in found[:SLOWEST]:
        lines.append(f"{seconds:7.1f}  {part}: {result.name}")
        why = result.slow or ("no reason given" if seconds > MUST_SAY_WHY else "")
        if why:
            lines.append(f"{'':9}  {why}")
    return "\n".join(lines)
