"""What a pool does with its connections: how they come back, go, and grow more."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from celadon._core import green as _green
from celadon.logging import logger
from celadon.pools import lending
from celadon.pools.background import bounded, start
from celadon.pools.hint import Hint
from celadon.pools.measures import Measures
from celadon.pools.member import Member
from celadon.pools.roster import Roster
from celadon.pools.statistics import Counters, PoolStats

C = TypeVar("C")


class Keeping(Generic[C]):
    """A pool below its users: limits and hooks as `ConnectionPool` has them."""

    name: str
    min_size: int
    max_size: int
    max_connecting: int
    max_lifetime: float
    max_idle: float
    max_uses: int
    keepalive: float
    connect_timeout: float
    reconnect_timeout: float
    leak_threshold: float
    _most: int  # there ever might have been
    _factory: Callable[[], C]
    _configure: Callable[[C], Any] | None
    _check: Callable[[C], Any] | None
    _reset: Callable[[C], Any] | None
    _close: Callable[[C], Any]

    def __init__(self) -> None:
        self._roster = Roster()
        self._counters = Counters()
        self._measures = Measures(self.name)
        self._hint = Hint(self.name)
        self._last_error: BaseException | None = None
        self._server: str | None = (
            None  # of the budget of connections, once it is known
        )

    # --- for who is above ---

    def _open_another(self) -> None:
        """Begins to open one, which is counted as connecting already."""
        raise NotImplementedError

    def _tend(self) -> None:
        """Begins to look after those that nobody uses."""
        raise NotImplementedError

    def _say_it_failed(self) -> None:
        """Opening failed for good."""
        raise NotImplementedError

    def stats(self) -> PoolStats:
        """Figures of this moment, and counters."""
        raise NotImplementedError

    # --- a connection is looked at ---

    def _reason_to_go(self, member: Member, now: float) -> str | None:
        roster = self._roster
        if roster.closed:
            return "close"
        if member.era != roster.era:
            return "drain"
        if now >= member.expires_at:
            return "lifetime"
        if self.max_uses and member.uses >= self.max_uses and not member.is_lent:
            return "uses"
        return "resize" if roster.size() > self.max_size else None

    def _passes(self, member: Member) -> bool:
        return self._check is None or self._survives(self._check, member, "check")

    def _check_all(self, members: Iterable[Member]) -> None:
        """Those that were not looked at when it is stopped go back as they are."""
        left = deque(members)
        try:
            while left:
                member = left.popleft()
                if self._passes(member):
                    self._put(member)
        finally:
            for member in left:
                self._put(member)

    def _survives(self, hook: Callable[[C], Any], member: Member, reason: str) -> bool:
        """Whether it gets through `hook`; else it is discarded, for `reason`."""
        try:
            bounded(hook, member.conn)
        except BaseException as error:
            is_end = not isinstance(error, Exception)
            if is_end or isinstance(error, _green.RequestTimeout):
                self._discard(member, "interrupted")
                raise
            # Before it is told: a handler of the log may wait, and be stopped there.
            self._discard(member, reason)
            logger.info("pool %s: a connection goes: %r", self.name, error)
            return False
        return True

    # --- a connection comes back ---

    def _put(self, member: Member) -> None:
        """To the first who waits, or among the idle; `member` is out."""
        with self._roster.lock:
            # Looked at in here: a pool that is closed meanwhile would keep it for ever.
            reason = self._reason_to_go(member, time.monotonic())
            if reason is None:
                self._hand_on(member)
                return
        self._discard(member, reason)

    def _hand_on(self, member: Member) -> None:
        if (waiter := self._roster.next_waiter()) is not None:
            waiter.member = member
            waiter.done.set()
        else:
            self._roster.lay_idle(member)
            lending.note_idle(member.conn)
        self._roster.note_filled(self.min_size)
        self._assert_counts()
        self._measure()

    def _assert_counts(self) -> None:
        assert self._roster.connecting >= 0
        assert self._roster.size() <= self._most, self.stats()

    # --- connections go ---

    def _discard(self, member: Member, reason: str) -> None:
        with self._roster.lock:
            self._roster.lent.pop(id(member.conn), None)
            self._counters.discarded[reason] += 1
            self._grow()
            self._roster.note_empty()
            self._measure()
        start(self._dispose, member.conn)

    def _dispose(self, conn: C) -> None:
        try:
            bounded(self._close, conn)
        except Exception as error:
            logger.info("pool %s: closing a connection: %r", self.name, error)

    def _discard_all(self, members: tuple[Member, ...], reason: str) -> None:
        for member in members:
            self._discard(member, reason)

    def close_idle_one(self, is_one: Callable[[C], bool]) -> bool:
        """Closes one that nobody uses and that `is_one` of those wanted, if there is one."""
        roster = self._roster
        with roster.lock:
            found = next((each for each in roster.idle if is_one(each.conn)), None)
            if found is None:
                return False
            roster.take_idle(found)
        self._discard(found, "budget")
        return True

    # --- connections are opened ---

    def _grow(self) -> None:
        roster = self._roster
        if roster.closed:
            return
        while (
            roster.connecting < self.max_connecting
            and roster.size() < self.max_size
            and (
                len(roster.waiters) > roster.connecting
                or (roster.size() < self.min_size and self._may_fill())
            )
        ):
            roster.connecting += 1
            self._open_another()
        if not roster.tended and roster.size() > 0:
            roster.tended = True
            self._tend()

    def _may_fill(self) -> bool:
        return not self._roster.gave_up and lending.has_room(self._server)

    # --- figures ---

    def _measure(self) -> None:
        roster = self._roster
        self._measures.note(
            len(roster.lent), len(roster.idle), len(roster.waiters), self.max_size
        )
