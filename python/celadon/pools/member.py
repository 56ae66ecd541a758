"""One connection of a pool, and one who waits for one."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from celadon._core import green as _green

# Connections that were open when this process was forked: the parent's. To drop one would
# end it on the server, so none is.
_abandoned: list[Any] = []


def is_abandoned(conn: Any) -> bool:
    """Whether it was the parent's when this process was forked."""
    return any(one is conn for one in _abandoned)


class Member:
    """A connection, and what its pool knows of it. Times are of the monotonic clock."""

    __slots__ = (
        "conn",
        "era",
        "expires_at",
        "is_lent",
        "leak_known",
        "leftovers",
        "lent_at",
        "slot",
        "stack",
        "used_at",
        "uses",
    )

    def __init__(self, conn: Any, era: int, now: float, expires_at: float) -> None:
        self.conn = conn
        self.era = era
        self.expires_at = expires_at
        self.used_at = now
        self.lent_at = now
        self.is_lent = False  # to a user, not to the pool's own work
        self.leak_known = False
        self.uses = 0
        self.slot: int | None = None
        self.stack: traceback.StackSummary | None = None
        self.leftovers: dict[Any, Callable[[], Any]] | None = None

    def lend(self, now: float, on_job_end: Callable[[], Any], keep_stack: bool) -> None:
        """Notes who has it; `on_job_end` is called if that one ends and has it still."""
        self.lent_at = now
        self.uses += 1
        self.slot = _green.current_slot()
        self.is_lent, self.leak_known = True, False
        if keep_stack:
            frames = traceback.walk_stack(sys._getframe(3))  # of `acquire`
            self.stack = traceback.StackSummary.extract(frames, lookup_lines=False)
            self.stack.reverse()
        self.leftovers = _green.job_leftovers()
        if self.leftovers is not None:
            self.leftovers[id(self)] = on_job_end

    def take_back(self) -> None:
        """Nobody has it any more."""
        self.is_lent = False
        self.stack = None
        leftovers, self.leftovers = self.leftovers, None
        if leftovers is not None:
            leftovers.pop(id(self), None)

    def where(self) -> str:
        """The stack of who has it, where that was to be kept."""
        return "".join(self.stack.format()) if self.stack else ""

    def abandon(self) -> None:
        """In a forked child: it is the parent's, so what the driver may still say at the
        end of this process goes nowhere."""
        _abandoned.append(self.conn)
        with suppress(Exception):
            number = self.conn.fileno()
            null = os.open(os.devnull, os.O_RDWR)
            try:
                os.dup2(null, number)
            finally:
                os.close(null)


class Waiter:
    """A place in the queue for a connection."""

    __slots__ = ("done", "error", "member")

    def __init__(self) -> None:
        self.done = _green.Event()
        self.member: Member | None = None
        self.error: Exception | None = None
