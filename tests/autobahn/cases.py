"""Which cases Autobahn has, and what may come of one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

# Patterns that no case is in twice, and how many are in each: 517 in all. Those of 11 are about
# an extension that never was, 8 has none.
FAMILIES = {
    "1.*": 16,
    "2.*": 11,
    "3.*": 7,
    "4.*": 10,
    "5.*": 20,
    "6.*": 145,
    "7.*": 37,
    "9.1.*": 6,
    "9.2.*": 6,
    "9.3.*": 9,
    "9.4.*": 9,
    "9.5.*": 6,
    "9.6.*": 6,
    "9.7.*": 6,
    "9.8.*": 6,
    "10.*": 1,
    **{f"12.{number}.*": 18 for number in range(1, 6)},
    **{f"13.{number}.*": 18 for number in range(1, 8)},
}
# Of those that take long a few: the least, one of a middle size, one in fragments.
QUICK = (
    *("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"),
    *(f"9.{number}.1" for number in range(1, 9)),
    *(f"12.{number}.{size}" for number in range(1, 6) for size in (1, 4, 11)),
    *(f"13.{number}.{size}" for number in range(1, 8) for size in (1, 4, 11)),
)
COMPRESSED = ("12.", "13.")  # nothing of them runs where compression is not agreed on

_WELL = ("OK",)
# Where RFC 6455 leaves a choice, or SHOULD is not done.
_NOTED = ("INFORMATIONAL", "NON-STRICT")


@dataclass(frozen=True)
class Result:
    case: str
    behavior: str  # in Autobahn's words
    close: str  # likewise, of how the connection ended
    why: str
    took: float = 0.0  # seconds
    expected: str = ""
    wire: list[str] = field(default_factory=list)  # the last that happened

    @staticmethod
    def of(line: str) -> Result:
        return Result(**json.loads(line))

    @property
    def well(self) -> bool:
        return {self.behavior, self.close} <= {*_WELL}

    @property
    def wrong(self) -> bool:
        return not {self.behavior, self.close} <= {*_WELL, *_NOTED}

    def __str__(self) -> str:
        return f"{self.case} {self.behavior}, its end {self.close}: {self.why}"


def how_many(patterns: tuple[str, ...]) -> int:
    """Cases of these, each a family or one case."""
    return sum(FAMILIES.get(each, 1) for each in patterns)


def uncompressed(patterns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each for each in patterns if not each.startswith(COMPRESSED))
