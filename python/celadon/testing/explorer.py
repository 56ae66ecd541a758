"""The search: which schedules are tried, in which order, and what is said of a fault.

First all schedules with one decision beside the default, then with two, then with three, as
far as the bounds allow; so the first one that fails has the fewest decisions. Then, where
seconds are left, random ones, which are shrunk when they fail.
"""

from __future__ import annotations

import gc
import random
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from celadon._core import green as _green
from celadon.testing.clock import Clock, virtual_time
from celadon.testing.schedule import Action, Schedule, deviations
from celadon.testing.trial import Fault, Scenario, Trial

_COLLECT_EVERY = 200  # trials; in between the collector runs only where a scenario asks
_now = time.monotonic  # real, also where the scenario's is not


class Found(AssertionError):
    """A schedule under which the scenario does not hold.

    `schedule` is what `replay` takes; `cause` what went wrong.
    """

    def __init__(self, schedule: Schedule, cause: str, trial: Trial) -> None:
        self.schedule = str(schedule)
        self.cause = cause
        self.steps = [str(action) for action, _ in trial.taken]
        marked = [
            f"  {'>' if i in schedule.decisions else ' '} {i:3} {step}"
            for i, step in enumerate(self.steps)
        ]
        text = f"{cause}\nschedule {self.schedule!r}, of these steps:\n"
        super().__init__(text + "\n".join(marked))


class Irreproducible(Exception):
    """The same decisions led elsewhere: the scenario depends on what is not explored."""


@dataclass
class Explored:
    """What was tried."""

    trials: int = 0
    steps: int = 0
    complete: bool = False  # all within the bounds
    diverged: int = 0  # schedules that could not be followed, of one with an outside
    longest: int = 0  # steps of one trial
    deliveries: set[str] = field(default_factory=set)


class Explorer:
    """Tries one scenario."""

    def __init__(
        self, scenario: Scenario, kinds: frozenset[str], outside: bool, clock: Clock
    ) -> None:
        self.explored = Explored()
        self._scenario = scenario
        self._kinds = kinds
        self._outside = outside
        self._clock = clock

    # --- one schedule ---

    def follow(self, schedule: Schedule) -> Trial | None:
        """Raises `Found`; None where the steps are not there any more."""
        __tracebackhide__ = True
        for _ in range(2):
            trial = self._new_trial()
            try:
                trial.run(lambda step, actions: _decided(schedule, step, actions))
            except _Diverged:
                continue
            except Fault as fault:
                if trial.followed(schedule):
                    raise Found(schedule, str(fault), trial) from fault.__cause__
                continue
            finally:
                self._count(trial)
            if trial.followed(schedule):
                return trial
        self.explored.diverged += 1
        if self._outside:
            return None
        raise Irreproducible(
            f"the scenario does not come to {schedule} again: does it depend on the wall "
            "clock, on chance, on the order of a set, or on what an earlier trial left?"
        )

    def _new_trial(self) -> Trial:
        if self.explored.trials % _COLLECT_EVERY == 0:
            gc.collect()
        number = self.explored.trials
        return Trial(self._scenario, number, self._kinds, self._outside, self._clock)

    def _count(self, trial: Trial) -> None:
        self.explored.trials += 1
        self.explored.steps += len(trial.taken)
        self.explored.longest = max(self.explored.longest, len(trial.taken))
        self.explored.deliveries |= {
            str(action) for action, _ in trial.taken if action.is_delivery
        }

    # --- all within bounds ---

    def search(self, deliveries: int, orders: int, most: int, until: float) -> None:
        """Breadth first: by how many decisions."""
        __tracebackhide__ = True
        waiting = deque([Schedule()])
        while waiting:
            if self.explored.trials >= most or _now() > until:
                return
            schedule = waiting.popleft()
            trial = self.follow(schedule)
            if trial is not None:
                waiting += self._more(schedule, trial, deliveries, orders)
        self.explored.complete = True

    def _more(
        self, schedule: Schedule, trial: Trial, deliveries: int, orders: int
    ) -> Iterator[Schedule]:
        may_deliver = schedule.deliveries < deliveries
        may_order = schedule.orders < orders
        for step in range(schedule.last + 1, len(trial.taken)):
            for action in trial.offered[step][1:]:
                if may_deliver if action.is_delivery else may_order:
                    yield schedule.plus(step, action)

    # --- by chance ---

    def wander(self, until: float, seed: int) -> None:
        """Random schedules, as long as there is time."""
        __tracebackhide__ = True
        chance = random.Random(seed)
        while _now() < until:
            trial = self._new_trial()
            try:
                trial.run(_Chance(chance))
            except Fault as fault:
                decided = deviations(trial.taken)
                self._shrink(decided)
                raise Found(decided, str(fault), trial) from fault.__cause__
            finally:
                self._count(trial)

    def _shrink(self, schedule: Schedule) -> None:
        """Raises `Found` for one with as few decisions as can be, if it fails again."""
        best: Found | None = None
        again = True
        while again:
            again = False
            for step in sorted(schedule.decisions, reverse=True):
                fewer = schedule.without(step)
                try:
                    self.follow(fewer)
                except Found as found:
                    schedule, best, again = fewer, found, True
                    break
                except Irreproducible:
                    continue
        if best is not None:
            raise best


class _Diverged(Exception):
    pass


def _decided(schedule: Schedule, step: int, actions: list[Action]) -> Action:
    action = schedule.decisions.get(step, actions[0])
    if action not in actions:
        raise _Diverged
    return action


class _Chance:
    """Mostly the default, in each trial to another degree."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._share = chance.choice((0.05, 0.15, 0.4))

    def __call__(self, _: int, actions: list[Action]) -> Action:
        if len(actions) == 1 or self._chance.random() > self._share:
            return actions[0]
        return self._chance.choice(actions[1:])


@contextmanager
def _exploring() -> Iterator[Clock]:
    collecting = gc.isenabled()
    with virtual_time() as clock:
        _green.explore_begin()
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            yield clock
        finally:
            _green.explore_end()
            gc.unfreeze()
            if collecting:
                gc.enable()


def explore(
    scenario: Scenario,
    *,
    deliver: tuple[str, ...] = ("kill", "timeout"),
    deliveries: int = 1,
    orders: int = 2,
    trials: int = 20_000,
    seconds: float = 60.0,
    wander: float = 0.0,
    seed: int = 0,
    outside: bool = False,
) -> Explored:
    """Runs `scenario` under every schedule within the bounds; raises `Found` for a fault.

    scenario: takes a `Stage`, puts greenlets on it, and returns a function that checks what
        must hold whatever came, or None. It is called for each trial.
    deliver: what may come to each greenlet at each step: ``"kill"``, ``"timeout"``.
    deliveries, orders: how many of these there are in one trial, and how often another
        than the first one that is ready goes on.
    trials, seconds: the end of the search, also where schedules are left.
    wander: for so many seconds more, schedules by chance, from `seed`.
    outside: whether it waits for what no greenlet and no thread of its own brings, such as
        a child process: the kernel is then waited for, and asked only when all wait.

    Raises `Irreproducible` where the same decisions lead to something else.
    """
    __tracebackhide__ = True
    with _exploring() as clock:
        explorer = Explorer(scenario, frozenset(deliver), outside, clock)
        explorer.search(deliveries, orders, trials, _now() + seconds)
        if wander > 0:
            explorer.wander(_now() + wander, seed)
    return explorer.explored


def replay(
    scenario: Scenario,
    schedule: str,
    *,
    deliver: tuple[str, ...] = ("kill", "timeout"),
    outside: bool = False,
) -> list[str]:
    """Runs `scenario` once, along a schedule that `Found` has printed; returns the steps.

    Raises `Found` if it still fails, and `Irreproducible` if the code has changed so that it
    does not come to these steps.
    """
    __tracebackhide__ = True
    with _exploring() as clock:
        explorer = Explorer(scenario, frozenset(deliver), outside, clock)
        trial = explorer.follow(Schedule.parse(schedule))
    return [str(action) for action, _ in trial.taken] if trial else []
