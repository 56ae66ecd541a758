"""How a connection of a pool gets to its user, and back."""

from __future__ import annotations

import functools
import time
from typing import TypeVar

from celadon._core import green as _green
from celadon.logging import logger
from celadon.pools import hooks
from celadon.pools.background import start
from celadon.pools.errors import PoolClosed, PoolFull, PoolTimeout
from celadon.pools.keeping import Keeping
from celadon.pools.member import Member, Waiter

C = TypeVar("C")


class Checkout(Keeping[C]):
    """A pool with its users: limits as `ConnectionPool` has them."""

    max_waiting: int
    check_bypass: float
    affinity: bool
    on_request_end: str

    def _look_at_process(self) -> None:
        """In a forked child the connections are the parent's."""
        if not self._roster.look_at_process():
            self._server = None

    # --- to its user ---

    def _get(self, timeout: float) -> C:
        began = time.monotonic()
        end = began + timeout
        first = False
        while True:
            member = self._take(began, end, first)
            try:
                if self._is_usable(member):
                    self._lend(member, began)
                    return member.conn  # type: ignore[no-any-return]
            except BaseException:
                self._take_back(member)
                raise
            first = True

    def _lend(self, member: Member, began: float) -> None:
        now = time.monotonic()
        self._counters.acquired += 1
        self._counters.wait_seconds += now - began
        self._measures.wait_time.observe(now - began)
        roster = self._roster
        self._hint.note(
            self._counters, len(roster.lent), self.max_size, len(roster.waiters)
        )
        on_job_end = functools.partial(self._on_job_end, member)
        member.lend(now, on_job_end, self.leak_threshold > 0)

    def _take_back(self, member: Member) -> None:
        """From who was stopped on the way to it, unless it was discarded."""
        member.take_back()
        if self._roster.has(member):
            self._put(member)

    def _take(self, began: float, end: float, first: bool) -> Member:
        """One that is out; `first` for who had one already that was of no use."""
        with self._roster.lock:
            if self._roster.closed:
                raise PoolClosed(f"pool {self.name} is closed")
            self._grow()
            member = None
            if first or not self._roster.waiters:
                member = self._roster.pop_idle(self.affinity)
            if member is not None:
                self._roster.lend(member)
                self._measure()
                return member
            if first and time.monotonic() >= end:
                raise self._timed_out(began)  # each is as bad as the one before
            waiter = self._queue(first)
            self._grow()
            self._measure()
        return self._wait(waiter, began, end)

    def _queue(self, first: bool) -> Waiter:
        waiting = len(self._roster.waiters)
        if not first and self.max_waiting and waiting >= self.max_waiting:
            self._counters.shed += 1
            raise PoolFull(
                f"{self.max_waiting} wait for a connection of pool {self.name} already"
            )
        return self._roster.queue(first)

    def _wait(self, waiter: Waiter, began: float, end: float) -> Member:
        try:
            waiter.done.wait(max(0.0, end - time.monotonic()))
        except BaseException:
            if self._give_up(waiter) and waiter.member is not None:
                self._put(waiter.member)
            raise
        if not waiter.done.is_set():
            self._give_up(waiter)
        if waiter.error is not None:
            raise waiter.error
        if waiter.member is None:
            raise self._timed_out(began)
        return waiter.member

    def _give_up(self, waiter: Waiter) -> bool:
        """Leaves the queue. True if its turn had come already."""
        with self._roster.lock:
            if not self._roster.leave(waiter):
                return True
            self._measure()
            return False

    def _timed_out(self, began: float) -> PoolTimeout:
        self._counters.timeouts += 1
        self._measures.note_timeout()
        return self._timeout(time.monotonic() - began)

    def _timeout(self, seconds: float) -> PoolTimeout:
        roster = self._roster
        text = (
            f"no connection of pool {self.name} in {seconds:.3g} s: {len(roster.lent)} of "
            f"{self.max_size} in use, {roster.connecting} being opened, "
            f"{len(roster.waiters)} waiting"
        )
        if self._last_error is not None:
            text += f"; the last attempt to open one: {self._last_error!r}"
        error = PoolTimeout(text)
        error.__cause__ = self._last_error
        return error

    def _is_usable(self, member: Member) -> bool:
        now = time.monotonic()
        reason = self._reason_to_go(member, now)
        if reason is not None:
            self._discard(member, reason)
            return False
        return now - member.used_at < self.check_bypass or self._passes(member)

    # --- back ---

    def _come_back(self, member: Member, reason_to_go: str | None) -> None:
        member.take_back()
        member.used_at = time.monotonic()
        self._counters.use_seconds += member.used_at - member.lent_at
        self._measures.use_time.observe(member.used_at - member.lent_at)
        if reason_to_go is not None:
            start(self._discard, member, reason_to_go)
        elif self._needs_no_work(member) and _green.can_park():
            self._put(member)
        else:
            start(self._give_back, member)

    def _needs_no_work(self, member: Member) -> bool:
        if self._reset is None:
            return True
        return self._reset is hooks.rollback and hooks.is_clean(member.conn)

    def _give_back(self, member: Member) -> None:
        if self._reset is None or self._survives(self._reset, member, "reset"):
            self._put(member)

    def _on_job_end(self, member: Member) -> None:
        if not member.is_lent:
            return
        if self.on_request_end == "reclaim":
            # Nobody knows where the protocol of one stands whose user was stopped.
            was_stopped = _green.job_was_stopped()
            self._come_back(member, "interrupted" if was_stopped else None)
            return
        where = member.where() or "(leak_threshold tells where)"
        logger.warning(
            "a request ended and did not give back a connection of pool %s, acquired at\n%s",
            self.name,
            where,
        )
