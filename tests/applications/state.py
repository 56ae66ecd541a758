"""What a process has, and whether it has more than before."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

MEGABYTE = 1 << 20
_GROWTH = 2 * MEGABYTE  # of a round; more than the noise of malloc, less than any leak


@dataclass(frozen=True)
class State:
    """What a process has."""

    descriptors: int
    threads: int
    memory: int

    @classmethod
    def of(cls, pid: int) -> State:
        status = Path(f"/proc/{pid}/status").read_text()
        number = {key: int(re.search(rf"{key}:\s+(\d+)", status)[1])  # type: ignore[index]
                  for key in ("Threads", "RssAnon")}  # fmt: skip
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        return cls(descriptors, number["Threads"], number["RssAnon"] * 1024)

    def __str__(self) -> str:
        memory = self.memory / MEGABYTE
        return (
            f"{self.descriptors} descriptors, {self.threads} threads, {memory:.0f} MB"
        )


def is_flat(before: State, now: State, grows: bool) -> bool:
    return (
        now.descriptors <= before.descriptors
        and now.threads <= before.threads
        and (grows or now.memory <= before.memory + _GROWTH)
    )
