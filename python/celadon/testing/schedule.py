"""What was decided in a trial: at which step something else than the default."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

DELIVERIES = ("kill", "timeout", "deliver")
_VERBS = ("run", "time", *DELIVERIES)
_ENTRY = re.compile(rf"(\d+) ({'|'.join(_VERBS)})(?: (.+))?")


@dataclass(frozen=True)
class Action:
    """One step: ``run a``, ``time``, ``kill a``, ``timeout a`` or ``deliver NAME``."""

    verb: str
    whom: str = ""

    @property
    def is_delivery(self) -> bool:
        """Whether something comes from outside: a kill, a time limit, what is declared."""
        return self.verb in DELIVERIES

    def __str__(self) -> str:
        return f"{self.verb} {self.whom}".rstrip()


@dataclass(frozen=True)
class Schedule:
    """Decisions by the number of their step; all others are the default's.

    The default runs who was ready first, and lets time pass where nobody is.
    """

    decisions: Mapping[int, Action] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """From ``"3 kill a; 5 run b"``, as a failure prints it."""
        decisions: dict[int, Action] = {}
        for entry in filter(None, (part.strip() for part in text.split(";"))):
            found = _ENTRY.fullmatch(entry)
            if found is None:
                raise ValueError(f"no step of a schedule: {entry!r}")
            decisions[int(found[1])] = Action(found[2], found[3] or "")
        return cls(decisions)

    def __str__(self) -> str:
        return "; ".join(
            f"{step} {action}" for step, action in sorted(self.decisions.items())
        )

    @property
    def last(self) -> int:
        """The number of the last decision; -1 where there is none."""
        return max(self.decisions, default=-1)

    @property
    def deliveries(self) -> int:
        return sum(action.is_delivery for action in self.decisions.values())

    @property
    def orders(self) -> int:
        """How many decisions are only about who comes first."""
        return len(self.decisions) - self.deliveries

    def plus(self, step: int, action: Action) -> Schedule:
        return Schedule({**self.decisions, step: action})

    def without(self, step: int) -> Schedule:
        return Schedule({at: a for at, a in self.decisions.items() if at != step})


def deviations(taken: Iterable[tuple[Action, Action | None]]) -> Schedule:
    """What has to be decided for these steps, each with what the default was."""
    return Schedule({i: a for i, (a, usual) in enumerate(taken) if a != usual})
