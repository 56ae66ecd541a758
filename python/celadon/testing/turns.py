"""Native threads take turns with the greenlets: one goes on only when it is chosen.

A thread hands over where it waits for one of celadon's locks, events or queues, at
`Stage.point`, at each line of code that the stage names, and when it ends. Where it waits
for the kernel its turn lasts so long.
"""

from __future__ import annotations

import _thread
import functools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from celadon._core import green as _green
from celadon.green.native_pool import forget_threads
from celadon.patch.registry import patched
from celadon.testing.clock import Clock
from celadon.testing.native import native

LONGEST_TURN = 60.0  # seconds of real time


class StuckThread(Exception):
    """A native thread has not handed over: it waits for what only greenlets could bring."""


class Turn:
    """One native thread, as the conductor sees it."""

    def __init__(self, turns: Turns, name: str) -> None:
        self.name = name
        self.ident = 0
        self.ended = False
        self.is_stuck = False
        self.is_waited_for = False  # the trial is not over before it has ended
        self.at_point = True  # it goes on whenever it is chosen, as one that is new
        self._turns = turns
        self._go = native("allocate_lock")()
        self._go.acquire()

    def go(self) -> None:
        """Lets it run until it hands over. By the conductor."""
        self.at_point = False
        self._go.release()
        if not self._turns.back.acquire(True, LONGEST_TURN):
            self.is_stuck = True
            raise StuckThread(f"{self.name}, a native thread, does not hand over")

    def hand_over(self) -> None:
        """By the thread itself; returns when it is chosen again."""
        self._turns.back.release()
        self.wait()

    def wait(self) -> None:
        self._go.acquire()
        if self._turns.over:
            raise SystemExit

    def point(self) -> None:
        self.at_point = True
        self.hand_over()

    def run(
        self, function: Callable[..., Any], args: Any = (), kwargs: Any = None
    ) -> None:
        """The whole life of the thread."""
        self.ident = native("get_ident")()
        try:
            self.wait()
            self._turns.clock.threads.add(self.ident)
            _green.explore_thread(self.hand_over)
            if self._turns.files:
                sys.settrace(self._trace)
            function(*args, **(kwargs or {}))
        finally:
            sys.settrace(None)
            _green.explore_thread(None)
            self._turns.clock.threads.discard(self.ident)
            self.ended = True
            self._turns.back.release()

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            self.point()
        return self._trace if frame.f_code.co_filename in self._turns.files else None


class Turns:
    """The native threads of one trial."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.back = native("allocate_lock")()
        self.back.acquire()
        self.over = False
        self.files: set[str] = set()  # whose lines are points, too
        self.all: list[Turn] = []
        self._conductor = native("get_ident")()
        self.next_name = ""

    def is_ours(self) -> bool:
        """Whether what runs here is part of the trial."""
        return self.here() is not None or native("get_ident")() == self._conductor

    def here(self) -> Turn | None:
        ident = native("get_ident")()
        return next((t for t in self.all if t.ident == ident and not t.ended), None)

    def new(self) -> Turn:
        name = self.next_name or f"thread {len(self.all) + 1}"
        self.next_name = ""
        self.all.append(Turn(self, name))
        return self.all[-1]

    def ready(self) -> list[Turn]:
        """Those that could go on."""
        now = _green.monotonic_ns()
        waits = {ident: (granted, end) for ident, granted, end in self._waits()}
        found = []
        for turn in self.all:
            granted, end = waits.get(turn.ident, (turn.at_point, None))
            if not turn.ended and (granted or (end is not None and end <= now)):
                found.append(turn)
        return found

    def next_end(self) -> int | None:
        """When the first wait of them ends by itself, in nanoseconds."""
        ends = [end for _, granted, end in self._waits() if end and not granted]
        return min(ends, default=None)

    def waiting(self) -> list[Turn]:
        return [turn for turn in self.all if not turn.ended]

    def _waits(self) -> list[tuple[int, bool, int | None]]:
        mine = {turn.ident for turn in self.all if turn.ident and not turn.ended}
        return [each for each in _green.explore_threads() if each[0] in mine]

    def end(self) -> None:
        """Whoever waits is unwound by `SystemExit`."""
        self.over = True
        for turn in self.all:
            while not (turn.ended or turn.is_stuck):
                turn.go()


@contextmanager
def threads_take_turns(turns: Turns) -> Iterator[None]:
    """Threads that the trial starts are `turns`'s.

    Those of `threading` only where it is patched: its own locks know no turns. Pools of
    threads, as drivers have them, begin without any: those of another trial ended with it.
    """
    places: list[tuple[Any, str, Any]] = [
        (module, name, getattr(module, name))
        for module in (
            (_thread, threading) if patched("_thread", "RLock") else (_thread,)
        )
        for name in _STARTERS
        if hasattr(module, name)
    ]
    for module, name, start in places:
        setattr(module, name, _taking_turns(turns, start))
    forget_threads()
    try:
        yield
    finally:
        forget_threads()
        for module, name, start in places:
            setattr(module, name, start)


_STARTERS = (
    "start_new_thread",
    "start_joinable_thread",
    "_start_new_thread",
    "_start_joinable_thread",
)


def _taking_turns(turns: Turns, start: Callable[..., Any]) -> Callable[..., Any]:
    """For ``(function, args, kwargs)``, and from 3.13 ``(function, handle=, daemon=)``."""

    @functools.wraps(start)
    def start_thread(function: Any, *args: Any, **kwargs: Any) -> Any:
        if not turns.is_ours():
            return start(function, *args, **kwargs)
        turn = turns.new()
        if not args or not isinstance(args[0], tuple):
            return start(functools.partial(turn.run, function), *args, **kwargs)
        return start(turn.run, (function, args[0], *args[1:]))

    return start_thread
