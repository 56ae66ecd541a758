"""Many clients at once, in a process of their own: `python -m tests.clients.crowd JOB`.

The job is JSON: where, for how long, from which seed. A line of JSON for each that is wrong,
and one at the end with what was done.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field

from tests.clients import kinds
from tests.clients.client import Lag
from tests.clients.judge import Rules, Wrong
from tests.clients.kinds import AnyPlan
from tests.clients.plan import Habits
from tests.support.raw import TIMEOUT

# Seconds that a client is given.
LIMIT = float(os.environ.get("CLIENTS_LIMIT", TIMEOUT))


@dataclass(frozen=True)
class Job:
    address: str | tuple[str, int]
    rules: Rules = field(default_factory=Rules)
    habits: Habits = field(default_factory=Habits)
    seconds: float = 1.0
    most: int = 10**9  # clients
    at_once: int = 24
    seed: int = 0
    step: int = 1  # from one seed to the next
    ends: bool = False  # the server does: who is not let in is no fault

    def text(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def of(text: str) -> Job:
        read = json.loads(text)
        address = read.pop("address")
        return Job(
            address if isinstance(address, str) else tuple(address),
            Rules(**read.pop("rules")),
            Habits(**read.pop("habits")),
            **read,
        )


async def visit(plan: AnyPlan, job: Job, lag: Lag) -> tuple[str, Counter[str]]:
    """What is wrong, and what was seen."""
    late = lag.begin()
    seen: Counter[str] = Counter(connections=1)
    try:
        trace = await kinds.visit(plan, job.address, lag, LIMIT)
    except OSError as error:
        return f"cannot connect: {error!r}", seen
    finally:
        was_late = lag.end(late)
    seen["answers"] += trace.complete
    seen["bytes"] += trace.taken
    seen[trace.end] += 1
    try:
        kinds.judge(plan, trace, job.rules)
    except Wrong as wrong:
        limit = job.rules.small_limits
        if limit and max(was_late, trace.late) > limit / 4:
            seen["late themselves, not judged"] += 1
            return "", seen
        return str(wrong), seen
    return "", seen


class Crowd:
    def __init__(self, job: Job) -> None:
        self.job = job
        self.seen: Counter[str] = Counter()
        self._seed = job.seed
        self._end = time.monotonic() + job.seconds
        self._over = False

    def _next_seed(self) -> int | None:
        done = (self._seed - self.job.seed) // self.job.step
        if self._over or done >= self.job.most or time.monotonic() >= self._end:
            return None
        self._seed += self.job.step
        return self._seed - self.job.step

    async def run(self) -> None:
        lag = Lag()
        watch = asyncio.create_task(lag.watch())
        await asyncio.gather(*(self._one(lag) for _ in range(self.job.at_once)))
        watch.cancel()
        print(json.dumps({"seen": self.seen}), flush=True)

    async def _one(self, lag: Lag) -> None:
        while (seed := self._next_seed()) is not None:
            wrong, seen = await visit(kinds.make(seed, self.job.habits), self.job, lag)
            if wrong and self.job.ends and wrong.startswith("cannot connect"):
                self._over = True
                return
            self.seen += seen
            if wrong:
                print(json.dumps({"seed": seed, "wrong": wrong}), flush=True)


if __name__ == "__main__":
    asyncio.run(Crowd(Job.of(sys.argv[1])).run())
