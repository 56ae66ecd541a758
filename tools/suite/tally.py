"""What was tested, and how it ended."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Result:
    """One test that has ended."""

    name: str
    outcome: Outcome = Outcome.PASSED
    seconds: float = 0.0
    detail: str = ""  # what a failed one said, why one was skipped
    again: str = ""  # the command that runs it alone
    slow: str = ""  # why it may take long


@dataclass
class Tally:
    """The results of one part, and what is under way."""

    total: int | None = None
    stage: str = ""  # what it does now where no test is under way
    results: list[Result] = field(default_factory=list)
    under_way: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    def start(self, name: str) -> None:
        self.under_way[name] = time.monotonic()

    def end(self, result: Result) -> None:
        self.under_way.pop(result.name, None)
        self.results.append(result)

    def counts(self) -> Counter[Outcome]:
        return Counter(result.outcome for result in self.results)

    def failures(self) -> list[Result]:
        return [each for each in self.results if each.outcome is Outcome.FAILED]


def counted(counts: Counter[Outcome]) -> str:
    """The line by which people and programs read how it went."""
    text = f"{counts[Outcome.PASSED]} passed, {counts[Outcome.FAILED]} failed"
    skipped = counts[Outcome.SKIPPED]
    return f"{text}, {skipped} skipped" if skipped else text
