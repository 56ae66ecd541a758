"""The time that code sees while it is explored: the hub's, which passes when it is told to."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celadon._core import green as _green
from celadon.testing.native import native

_START = 1_000 * 10**9
_TICK = 1_000_000  # of the hub's timers


class Clock:
    """Each trial begins at the same time, so that its arithmetic gives the same, too."""

    def __init__(self) -> None:
        self.threads: set[int] = set()  # that are explored; others see the real time
        self._origin = 0
        self._wall = time.time_ns()
        self._real = time.time_ns
        self._ident = native("get_ident")

    def begin_trial(self) -> None:
        _green.explore_pass(-_green.monotonic_ns() % _TICK)
        self._origin = _green.monotonic_ns() - _START

    def monotonic_ns(self) -> int:
        now = _green.monotonic_ns()
        return now - self._origin if self._ident() in self.threads else now

    def monotonic(self) -> float:
        return self.monotonic_ns() / 1e9

    def time_ns(self) -> int:
        if self._ident() not in self.threads:
            return self._real()
        return self._wall + self.monotonic_ns() - _START

    def time(self) -> float:
        return self.time_ns() / 1e9


def _places(replaced: dict[Any, Any]) -> Iterator[tuple[dict[str, Any], str, Any]]:
    """Also names like ``from time import monotonic``."""
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", None)
        if type(names) is not dict or module.__name__.startswith(__package__):
            continue
        for name, value in list(names.items()):
            if type(value) is type(time.monotonic) and value in replaced:
                yield names, name, value


@contextmanager
def virtual_time() -> Iterator[Clock]:
    """The clocks of `time` are the hub's in threads it explores.

    Each trial begins at the same time of the day, too.
    """
    clock = Clock()
    replaced: dict[Any, Any] = {
        time.monotonic: clock.monotonic,
        time.monotonic_ns: clock.monotonic_ns,
        time.perf_counter: clock.monotonic,
        time.perf_counter_ns: clock.monotonic_ns,
        time.time: clock.time,
        time.time_ns: clock.time_ns,
    }
    places = list(_places(replaced))
    for names, name, value in places:
        names[name] = replaced[value]
    clock.threads.add(native("get_ident")())
    try:
        yield clock
    finally:
        for names, name, value in places:
            names[name] = value
