"""Buffered files over what parks: one greenlet at a time is at work in one.

CPython's own lock in them knows threads, and takes the second greenlet of one for a call
out of the first: it raises, and what was to be written is lost.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from types import ModuleType
from typing import Any

from celadon._core import green

_READING = ["peek", "read", "read1", "readinto", "readinto1", "readline", "readlines"]
_READING += ["__next__"]
_WRITING = ("write", "writelines", "flush")
_BOTH = ("close", "detach", "reconfigure", "seek", "tell", "truncate")


def _in_turn(native: Callable[..., Any], turns: tuple[str, ...]) -> Callable[..., Any]:
    first, *others = turns

    @functools.wraps(native)
    def one_at_a_time(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        with getattr(self, first):
            return native(self, *args, **kwargs)

    @functools.wraps(native)
    def alone(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        with getattr(self, first), getattr(self, others[0]):
            return native(self, *args, **kwargs)

    return alone if others else one_at_a_time


def _cooperative(base: Any, reading: str = "_turn", writing: str = "_turn") -> Any:
    """A subclass of `base` whose calls that read, and that write, each take their turn."""
    both: tuple[str, ...] = (reading,) if reading == writing else (reading, writing)
    turns: dict[str, tuple[str, ...]] = dict.fromkeys(_READING, (reading,))
    turns |= dict.fromkeys(_WRITING, (writing,))
    turns |= dict.fromkeys(_BOTH, both)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        for name in both:
            setattr(self, name, green.RLock())
        base.__init__(self, *args, **kwargs)

    members: dict[str, Any] = {
        name: _in_turn(getattr(base, name), turn)
        for name, turn in turns.items()
        if hasattr(base, name)
    }
    # As they are called by `repr` and in tracebacks.
    return type(base.__name__, (base,), {**members, "__init__": __init__})


class CooperativeIO(ModuleType):
    """`io`, as a module sees it whose raw files park."""

    BufferedReader = _cooperative(io.BufferedReader)
    BufferedWriter = _cooperative(io.BufferedWriter)
    # Two files, or text over two: who reads does not hold up who writes.
    BufferedRWPair = _cooperative(io.BufferedRWPair, "_reading", "_writing")
    TextIOWrapper = _cooperative(io.TextIOWrapper, "_reading", "_writing")

    def __getattr__(self, name: str) -> Any:
        return getattr(io, name)
