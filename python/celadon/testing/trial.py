"""One run of a scenario, step by step, along a schedule.

    setup ─► step, step, ... until all on the stage have ended ─► check ─► end

At a step somebody goes on to his next wait, time passes, or something is delivered; which
of these, the explorer says. Setup, check and end take the default at each step.
"""

from __future__ import annotations

import functools
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from celadon._core import green as _green
from celadon.green import Greenlet, spawn
from celadon.testing.clock import Clock
from celadon.testing.names import Names
from celadon.testing.schedule import Action, Schedule
from celadon.testing.stage import Stage
from celadon.testing.turns import StuckThread, Turns, threads_take_turns

Check = Callable[[], Any]
Scenario = Callable[[Stage], Check | None]
# Which of the possible actions is taken at a step; the first one is the default.
Choose = Callable[[int, list[Action]], Action]

MOST_STEPS = 5000
LONGEST = 24 * 3600 * 10**9  # nanoseconds of the time that passes in a trial
PATIENCE = 10 * 10**9  # real ones for the kernel, where the scenario has an outside
_LOOK = 20 * 10**6  # of these, between two looks at what else came


class Fault(Exception):
    """What went wrong in a trial."""


class Trial:
    """Runs a scenario once.

    `taken`: the steps, each with what the default was; `offered`: what was possible.
    """

    def __init__(
        self,
        scenario: Scenario,
        number: int,
        kinds: frozenset[str],
        outside: bool,
        clock: Clock,
    ) -> None:
        self.taken: list[tuple[Action, Action]] = []
        self.offered: list[list[Action]] = []
        self._scenario = scenario
        self._outside = outside
        self._clock = clock
        self._turns = Turns(clock)
        self._stage = Stage(number, kinds, self._turns)
        self._names = Names()
        self._began = 0
        self._stray: list[str] = []

    def run(self, choose: Choose) -> None:
        """Raises `Fault`."""
        self._clock.begin_trial()
        self._began = _green.monotonic_ns()
        with threads_take_turns(self._turns), self._errors_are_noted(), _same_chance():
            try:
                self._act(choose)
            except BaseException as error:
                with suppress(Fault):  # what follows from it
                    self._end()
                if isinstance(error, StuckThread):
                    raise Fault(str(error)) from error
                raise
            self._end()

    def followed(self, schedule: Schedule) -> bool:
        """Whether it came to all that the schedule decides."""
        return schedule.last < len(self.taken)

    def _act(self, choose: Choose) -> None:
        check = self._call("setup", functools.partial(self._scenario, self._stage))
        self._stage.begin()
        while not self._stage.is_over():
            self._step(choose)
        if fault := self._stage.fault():
            raise Fault(fault)
        if check is not None:
            self._call("check", check)
        if self._stray:
            raise Fault(self._stray[0])

    # --- one step ---

    def _step(self, choose: Choose) -> None:
        options = self._options()
        actions = list(options)
        action = choose(len(self.taken), actions)
        self.taken.append((action, actions[0]))
        self.offered.append(actions)
        if len(self.taken) > MOST_STEPS:
            raise self._stalled(f"no end after {MOST_STEPS} steps")
        options[action]()

    def _options(self) -> dict[Action, Callable[[], Any]]:
        """All that may happen now, the default first."""
        options: dict[Action, Callable[[], Any]] = self._runnable()
        if self._time_left() is not None:
            options[Action("time")] = self._pass_time
        if not options:
            raise self._stalled("nobody can go on")
        for actor in self._stage.actors:
            for kind in ("kill", "timeout"):
                if actor.may_get(kind):
                    send = functools.partial(actor.send, kind)
                    options[Action(kind, actor.name)] = send
        for delivery in self._stage.deliveries:
            if not delivery.done:
                options[Action("deliver", delivery.name)] = delivery.happen
        return options

    def _runnable(self) -> dict[Action, Callable[[], Any]]:
        """Who is ready, in this order; the kernel has been asked."""
        if not self._outside:
            _green.explore_poll(0)
            return self._ready()
        left = PATIENCE
        while not (ready := self._ready()) and left > 0:
            _green.explore_poll(_LOOK)
            left -= _LOOK
        return ready

    def _ready(self) -> dict[Action, Callable[[], Any]]:
        ready: dict[Action, Callable[[], Any]] = {}
        for index, key in enumerate(_green.explore_ready()):
            action = Action("run", self._names.of(key))
            ready.setdefault(action, functools.partial(_green.explore_run, index))
        for turn in self._turns.ready():
            ready.setdefault(Action("run", turn.name), turn.go)
        return ready

    # --- time ---

    def _time_left(self) -> int | None:
        """Nanoseconds until a timer has to be looked at."""
        thread = self._turns.next_end()
        left = None if thread is None else max(0, thread - _green.monotonic_ns())
        timer = _green.explore_next()
        return min((n for n in (left, timer) if n is not None), default=None)

    def _pass_time(self) -> None:
        """Until something comes of it."""
        while (left := self._time_left()) is not None:
            fired = _green.explore_pass(left)
            if fired or any(not turn.at_point for turn in self._turns.ready()):
                break
        if _green.monotonic_ns() - self._began > LONGEST:
            raise self._stalled("no end after a day")

    # --- by the default ---

    def _call(self, name: str, fn: Callable[[], Any]) -> Any:
        """``fn()`` on a greenlet of its own."""
        task = spawn(fn)
        task.name, task._waited = name, True  # its error is raised, not logged
        self._run_to_end(task)
        if task.exception is not None:
            raise Fault(f"{name}: {task.exception!r}") from task.exception
        return task.value

    def _run_to_end(self, task: Greenlet) -> None:
        for _ in range(MOST_STEPS):
            if task.ready():
                return
            next(iter(self._options().values()))()
        raise self._stalled(f"{task.name} does not end")

    def _end(self) -> None:
        """Nothing of this trial runs in the next one."""
        actors = [actor.task for actor in self._stage.actors]
        for task in (*actors, *self._names.greenlets):
            if not task.ready():
                task.kill(block=False)
        try:
            for ending in reversed(self._stage.endings):
                self._call("end", ending)
        finally:
            self._turns.end()
            for _ in range(MOST_STEPS):
                if not (ready := self._ready()):
                    break
                next(iter(ready.values()))()

    # --- what went wrong ---

    def _stalled(self, what: str) -> Fault:
        threads = [
            f"\n  {turn.name}: a native thread" for turn in self._turns.waiting()
        ]
        return Fault(f"{what}\n{self._names.report()}{''.join(threads)}")

    @contextmanager
    def _errors_are_noted(self) -> Iterator[None]:
        """Those that nobody would see: of finalizers, and of threads."""
        before = sys.unraisablehook, threading.excepthook

        def unraisable(args: Any) -> None:
            self._stray.append(f"ignored in {args.object!r}: {args.exc_value!r}")

        def of_thread(args: Any) -> None:
            self._stray.append(f"{args.thread} ended by {args.exc_value!r}")

        sys.unraisablehook, threading.excepthook = unraisable, of_thread
        try:
            yield
        finally:
            sys.unraisablehook, threading.excepthook = before


@contextmanager
def _same_chance() -> Iterator[None]:
    """What code draws by `random` is the same in each trial."""
    before = random.getstate()
    random.seed(1)
    try:
        yield
    finally:
        random.setstate(before)
