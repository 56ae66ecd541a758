"""The connections of a pool by where they are, and who waits for one."""

from __future__ import annotations

import os
from collections import deque

from celadon._core import green as _green
from celadon.pools.member import Member, Waiter


class Roster:
    """Who is idle, who is out, who is on the way, who waits: of one pool, in one process.

    Decides nothing and starts nothing. `lock` is held by who changes it.

    idle: the one used last comes last. lent: by id() of the connection; also those that
    the pool itself works on. connecting: how many are being opened. era: those of an
    earlier one were drained. tended: somebody looks after those that nobody uses.
    gave_up: opening failed for good, so that only users have it tried again.
    news: is set when the pool is closed, filled: when it has its least number, empty: when
    it is closed and nothing is out or on its way.
    """

    def __init__(self) -> None:
        self.closed = False
        self.forget()

    def forget(self) -> None:
        """As in a new process, where none is known."""
        self.lock = _green.Lock()._brief()
        self.idle: list[Member] = []
        self.lent: dict[int, Member] = {}
        self.waiters: deque[Waiter] = deque()
        self.connecting = 0
        self.era = 0
        self.tended = False
        self.gave_up = False
        self.news = _green.Event()
        self.filled = _green.Event()
        self.empty = _green.Event()
        self._process = os.getpid()

    def look_at_process(self) -> bool:
        """False in a forked child: the connections were the parent's, and are forgotten."""
        if self._process == os.getpid():
            return True
        for member in [*self.idle, *self.lent.values()]:
            member.abandon()
        self.forget()
        return False

    def size(self) -> int:
        """All that there are, and those on their way."""
        return len(self.idle) + len(self.lent) + self.connecting

    # --- members ---

    def lend(self, member: Member) -> None:
        """It is out from now on."""
        self.lent[id(member.conn)] = member

    def take_idle(self, *members: Member) -> tuple[Member, ...]:
        """Makes idle ones members of `lent`, to be worked on."""
        for member in members:
            self.idle.remove(member)
            self.lend(member)
        return members

    def pop_idle(self, affinity: bool) -> Member | None:
        """The one that was used last, or with `affinity` the one that the caller had."""
        if not self.idle:
            return None
        if affinity and len(self.idle) > 1:
            slot = _green.current_slot()
            for i in range(len(self.idle) - 1, -1, -1) if slot else ():
                if self.idle[i].slot == slot:
                    return self.idle.pop(i)
        return self.idle.pop()

    def lay_idle(self, member: Member) -> None:
        """Nobody has it any more, and nobody waits for it."""
        self.lent.pop(id(member.conn), None)
        self.idle.append(member)

    def has(self, member: Member) -> bool:
        """Whether it is out still."""
        return self.lent.get(id(member.conn)) is member

    # --- waiters ---

    def queue(self, first: bool) -> Waiter:
        """A place at the end, or before all others."""
        waiter = Waiter()
        if first:
            self.waiters.appendleft(waiter)
        else:
            self.waiters.append(waiter)
        return waiter

    def leave(self, waiter: Waiter) -> bool:
        """Out of the queue. False if its turn had come already."""
        if waiter not in self.waiters:
            return False
        self.waiters.remove(waiter)
        return True

    def next_waiter(self) -> Waiter | None:
        """Whose turn it is; no longer in the queue."""
        return self.waiters.popleft() if self.waiters else None

    def all_waiters(self) -> deque[Waiter]:
        """Who waited; nobody does any more."""
        waiters, self.waiters = self.waiters, deque()
        return waiters

    # --- events ---

    def note_filled(self, least: int) -> None:
        """Tells who waits for `least` connections that they are there, if they are."""
        if len(self.idle) + len(self.lent) >= least:
            self.filled.set()

    def note_empty(self) -> None:
        """Likewise who waits for the last one of a closed pool."""
        if self.closed and not self.lent and not self.connecting:
            self.empty.set()
        else:
            self.empty.clear()
