"""A pool of connections (green.md §6).

             open_one (background)                   give_back (background)
    factory ─────────► put ─► first waiter, or idle ◄──────────── reset ◄─┐
                              │ acquire: check                            │
                              └────────► lent ─────────► release ─────────┘
                                          │ broken, old, drained, killed
                                          └─► discard ─► close, and another is opened

At any moment size = idle + in use + connecting <= max_size. A connection on its way from
or to a user counts as in use. What opens, resets and closes runs on greenlets of the
pool's own (native threads, where there is no hub), so that killing a user aborts none of
it. `release` takes no lock and never waits: it may be called by a finalizer.
"""

from __future__ import annotations

import functools
import itertools
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from celadon._core import green as _green
from celadon.errors import brief
from celadon.logging import logger
from celadon.pools import hooks, lending, opening, upkeep
from celadon.pools.background import bounded, start, start_for_long
from celadon.pools.errors import PoolClosed, PoolFull, PoolTimeout
from celadon.pools.hint import Hint
from celadon.pools.measures import Measures
from celadon.pools.member import Member, Waiter, is_abandoned
from celadon.pools.statistics import Counters, PoolStats

C = TypeVar("C")

_names = itertools.count(1)


class ConnectionPool(Generic[C]):
    """At most `max_size` connections made by `factory`, shared by all who `acquire` one.

    Times are in seconds; 0 turns a limit off where nothing else is said.

    factory: opens one connection. name: of the pool, in logs and statistics.
    min_size, max_size: kept open; open at the most.
    timeout: how long `acquire` waits, opening included; then `PoolTimeout`.
    max_waiting: how many may wait; more get `PoolFull` at once.
    max_connecting: how many are being opened at a time.
    max_lifetime: age at which one is replaced, less up to 5 % by chance.
    max_idle: after which unused ones above `min_size` are closed.
    max_uses: checkouts after which one is replaced.
    check, check_bypass: ``check(conn)`` raises if it is broken; called at checkout unless
        it was used within `check_bypass`.
    keepalive: how often idle ones are checked in the background.
    configure: called once with a new one. reset: called with each that comes back, by
        default a rollback; None for nothing. close: called with each that goes.
    connect_timeout: for opening one. reconnect_timeout, reconnect_failed: how long opening
        is tried again, at growing intervals; then ``reconnect_failed(pool)`` is called.
    leak_threshold: one that is kept longer is reported with the stack of its checkout.
    affinity: whether a greenlet gets the connection it had last, if that is free.
    on_request_end: ``"warn"`` or ``"reclaim"`` one that its request still has at its end.
    """

    _idle: list[Member]  # the one used last comes last
    _lent: dict[int, Member]  # by id() of the connection
    _waiters: deque[Waiter]
    _connecting: int
    _era: int  # those of an earlier one were drained
    _tended: bool
    _server: str | None  # of the budget of connections, once it is known
    _gave_up: bool  # opening failed for good: only users have it tried again
    _news: _green.Event  # the pool was closed
    _filled: _green.Event
    _empty: _green.Event

    def __init__(
        self,
        factory: Callable[[], C],
        *,
        name: str | None = None,
        min_size: int = 1,
        max_size: int = 10,
        timeout: float = 30.0,
        max_waiting: int = 0,
        max_connecting: int = 2,
        max_lifetime: float = 1800.0,
        max_idle: float = 600.0,
        max_uses: int = 0,
        check: Callable[[C], Any] | None = None,
        check_bypass: float = 0.5,
        keepalive: float = 120.0,
        configure: Callable[[C], Any] | None = None,
        reset: Callable[[C], Any] | None = hooks.rollback,
        close: Callable[[C], Any] = hooks.close,
        connect_timeout: float = 5.0,
        reconnect_timeout: float = 300.0,
        reconnect_failed: Callable[[ConnectionPool[C]], Any] | None = None,
        leak_threshold: float = 0.0,
        affinity: bool = True,
        on_request_end: str = "warn",
    ) -> None:
        _check_sizes(min_size, max_size)
        if max_connecting < 1:
            raise ValueError("max_connecting must be at least 1")
        if on_request_end not in ("warn", "reclaim"):
            raise ValueError("on_request_end must be 'warn' or 'reclaim'")
        self.name = name or f"pool-{next(_names)}"
        self.min_size, self.max_size = min_size, max_size
        self._most = max_size  # there ever might have been
        self.timeout = timeout
        self.max_waiting = max_waiting
        self.max_connecting = max_connecting
        self.max_lifetime, self.max_idle = max_lifetime, max_idle
        self.max_uses = max_uses
        self.check_bypass, self.keepalive = check_bypass, keepalive
        self.connect_timeout = connect_timeout
        self.reconnect_timeout = reconnect_timeout
        self.leak_threshold = leak_threshold
        self.affinity = affinity
        self.on_request_end = on_request_end
        self._factory, self._configure = factory, configure
        self._check, self._reset, self._close = check, reset, close
        self._reconnect_failed = reconnect_failed
        self._counters = Counters()
        self._measures = Measures(self.name)
        self._hint = Hint()
        self._last_error: BaseException | None = None
        self._closed = False
        self._forget_all()
        lending.note_pool(self)

    # --- users ---

    def acquire(self, timeout: float | None = None) -> C:
        """A connection, for the caller alone until `release`.

        Raises `PoolTimeout`, `PoolFull` or `PoolClosed`.
        """
        began = time.monotonic()
        end = began + (self.timeout if timeout is None else timeout)
        self._look_at_process()
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

    def release(self, conn: C, discard: bool = False) -> None:
        """Gives `conn` back, or with `discard` away. Never waits.

        Raises `ValueError` for one that is not out.
        """
        self._look_at_process()
        member = self._lent.get(id(conn))
        if member is None or not member.is_lent:
            if is_abandoned(conn):
                return
            raise ValueError(f"{brief(conn)} was not acquired from pool {self.name}")
        self._come_back(member, "released" if discard else None)

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

    @contextmanager
    def connection(self, timeout: float | None = None) -> Iterator[C]:
        """A connection for the block, which commits what it wants to keep.

        One whose block was ended by a kill or a time limit is discarded: nobody knows
        where its protocol stands.
        """
        conn = self.acquire(timeout)
        try:
            yield conn
        except BaseException as error:
            timed_out = isinstance(error, _green.RequestTimeout)
            self.release(conn, timed_out or not isinstance(error, Exception))
            raise
        self.release(conn)

    # --- the whole pool ---

    def open(self, wait: bool = False, timeout: float | None = None) -> None:
        """Opens `min_size` connections, or begins to; also after `close`.

        Without it the first `acquire` does. With `wait` raises `PoolTimeout` when they
        are not there in time.
        """
        self._look_at_process()
        with self._lock:
            self._closed = self._gave_up = False
            self._news.clear()
            self._grow()
        if not wait:
            return
        limit = self.timeout if timeout is None else timeout
        if not self._filled.wait(limit):
            raise self._timeout(limit)

    def resize(self, min_size: int, max_size: int | None = None) -> None:
        """Changes how many there are; those in use above `max_size` go when released."""
        _check_sizes(min_size, max_size or self.max_size)
        with self._lock:
            self.min_size, self.max_size = min_size, max_size or self.max_size
            self._most = max(self._most, self.max_size)
            excess = max(0, self._size() - self.max_size)
            members = self._take_idle(*self._idle[:excess])
            self._grow()
        self._discard_all(members, "resize")

    def drain(self) -> None:
        """Replaces all connections, those in use when they are released."""
        with self._lock:
            self._era += 1
            members = self._take_idle(*self._idle)
        self._discard_all(members, "drain")

    def check(self) -> None:
        """Checks all idle connections now, and replaces the broken ones."""
        with self._lock:
            members = self._take_idle(*self._idle)
        self._check_all(members)

    def close(self, timeout: float = 5.0) -> None:
        """Closes idle connections at once, the others when they are released.

        Waits for those up to `timeout`. Who waits for one gets `PoolClosed`, and so does
        whoever acquires from now on.
        """
        self._look_at_process()
        with self._lock:
            self._closed = True
            self._news.set()
            waiters, self._waiters = self._waiters, deque()
            members = self._take_idle(*self._idle)
            self._note_empty()
        for waiter in waiters:
            waiter.error = PoolClosed(f"pool {self.name} was closed")
            waiter.done.set()
        self._discard_all(members, "close")
        self._empty.wait(timeout)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def stats(self) -> PoolStats:
        """Figures of this moment, and counters."""
        counters = dict(
            vars(self._counters), discarded=Counter(self._counters.discarded)
        )
        return PoolStats(
            name=self.name,
            min_size=self.min_size,
            max_size=self.max_size,
            size=self._size(),
            idle=len(self._idle),
            in_use=len(self._lent),
            connecting=self._connecting,
            waiting=len(self._waiters),
            **counters,
        )

    def __enter__(self) -> ConnectionPool[C]:
        self.open()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"<ConnectionPool {self.name}: {len(self._idle)} idle, {len(self._lent)} in "
            f"use, {self.max_size} at most>"
        )

    # --- a connection for somebody ---

    def _lend(self, member: Member, began: float) -> None:
        now = time.monotonic()
        self._counters.acquired += 1
        self._counters.wait_seconds += now - began
        self._measures.wait_time.observe(now - began)
        self._hint.note(self)
        on_job_end = functools.partial(self._on_job_end, member)
        member.lend(now, on_job_end, self.leak_threshold > 0)

    def _take_back(self, member: Member) -> None:
        """From who was stopped on the way to it, unless it was discarded."""
        member.take_back()
        if self._lent.get(id(member.conn)) is member:
            self._put(member)

    def _take(self, began: float, end: float, first: bool) -> Member:
        """A member of `_lent`; `first` for who had one already that was of no use."""
        with self._lock:
            if self._closed:
                raise PoolClosed(f"pool {self.name} is closed")
            self._grow()
            member = self._pop_idle() if first or not self._waiters else None
            if member is not None:
                self._lent[id(member.conn)] = member
                self._measures.note(self)
                return member
            if first and time.monotonic() >= end:
                raise self._timed_out(began)  # each is as bad as the one before
            waiter = self._queue(first)
            self._grow()
            self._measures.note(self)
        return self._wait(waiter, began, end)

    def _queue(self, first: bool) -> Waiter:
        if not first and self.max_waiting and len(self._waiters) >= self.max_waiting:
            self._counters.shed += 1
            raise PoolFull(
                f"{self.max_waiting} wait for a connection of pool {self.name} already"
            )
        waiter = Waiter()
        if first:
            self._waiters.appendleft(waiter)
        else:
            self._waiters.append(waiter)
        return waiter

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
        with self._lock:
            if waiter not in self._waiters:
                return True
            self._waiters.remove(waiter)
            self._measures.note(self)
            return False

    def _timed_out(self, began: float) -> PoolTimeout:
        self._counters.timeouts += 1
        self._measures.note_timeout()
        return self._timeout(time.monotonic() - began)

    def _timeout(self, seconds: float) -> PoolTimeout:
        text = (
            f"no connection of pool {self.name} in {seconds:.3g} s: {len(self._lent)} of "
            f"{self.max_size} in use, {self._connecting} being opened, "
            f"{len(self._waiters)} waiting"
        )
        if self._last_error is not None:
            text += f"; the last attempt to open one: {self._last_error!r}"
        error = PoolTimeout(text)
        error.__cause__ = self._last_error
        return error

    def _pop_idle(self) -> Member | None:
        if not self._idle:
            return None
        if self.affinity and len(self._idle) > 1:
            slot = _green.current_slot()
            for i in range(len(self._idle) - 1, -1, -1) if slot else ():
                if self._idle[i].slot == slot:
                    return self._idle.pop(i)
        return self._idle.pop()

    def _is_usable(self, member: Member) -> bool:
        now = time.monotonic()
        reason = self._reason_to_go(member, now)
        if reason is not None:
            self._discard(member, reason)
            return False
        return now - member.used_at < self.check_bypass or self._passes(member)

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

    def _reason_to_go(self, member: Member, now: float) -> str | None:
        if self._closed:
            return "close"
        if member.era != self._era:
            return "drain"
        if now >= member.expires_at:
            return "lifetime"
        if self.max_uses and member.uses >= self.max_uses and not member.is_lent:
            return "uses"
        return "resize" if self._size() > self.max_size else None

    # --- a connection comes back ---

    def _needs_no_work(self, member: Member) -> bool:
        if self._reset is None:
            return True
        return self._reset is hooks.rollback and hooks.is_clean(member.conn)

    def _give_back(self, member: Member) -> None:
        if self._reset is None or self._survives(self._reset, member, "reset"):
            self._put(member)

    def _put(self, member: Member) -> None:
        """To the first who waits, or among the idle; `member` is one of `_lent`."""
        with self._lock:
            # Looked at in here: a pool that is closed meanwhile would keep it for ever.
            reason = self._reason_to_go(member, time.monotonic())
            if reason is None:
                self._hand_on(member)
                return
        self._discard(member, reason)

    def _hand_on(self, member: Member) -> None:
        if self._waiters:
            waiter = self._waiters.popleft()
            waiter.member = member
            waiter.done.set()
        else:
            self._lent.pop(id(member.conn), None)
            self._idle.append(member)
            lending.note_idle(member)
        self._note_filled()
        self._assert_counts()
        self._measures.note(self)

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

    # --- connections go ---

    def _discard(self, member: Member, reason: str) -> None:
        with self._lock:
            self._lent.pop(id(member.conn), None)
            self._counters.discarded[reason] += 1
            self._grow()
            self._note_empty()
            self._measures.note(self)
        start(self._dispose, member.conn)

    def _dispose(self, conn: C) -> None:
        try:
            bounded(self._close, conn)
        except Exception as error:
            logger.info("pool %s: closing a connection: %r", self.name, error)

    def _discard_all(self, members: tuple[Member, ...], reason: str) -> None:
        for member in members:
            self._discard(member, reason)

    def _take_idle(self, *members: Member) -> tuple[Member, ...]:
        """Makes idle ones members of `_lent`, to be worked on. With the lock held."""
        for member in members:
            self._idle.remove(member)
            self._lent[id(member.conn)] = member
        return members

    # --- connections are opened ---

    def _grow(self) -> None:
        if self._closed:
            return
        while (
            self._connecting < self.max_connecting
            and self._size() < self.max_size
            and (
                len(self._waiters) > self._connecting
                or (self._size() < self.min_size and self._may_fill())
            )
        ):
            self._connecting += 1
            start(opening.open_one, self, self._era)
        if not self._tended and self._size() > 0:
            self._tended = True
            start_for_long(upkeep.tend, self)

    def _may_fill(self) -> bool:
        return not self._gave_up and lending.has_room(self)

    # --- counts ---

    def _size(self) -> int:
        return len(self._idle) + len(self._lent) + self._connecting

    def _note_filled(self) -> None:
        if len(self._idle) + len(self._lent) >= self.min_size:
            self._filled.set()

    def _note_empty(self) -> None:
        if self._closed and not self._lent and not self._connecting:
            self._empty.set()
        else:
            self._empty.clear()

    def _assert_counts(self) -> None:
        assert self._connecting >= 0
        assert self._size() <= self._most, self.stats()

    def _forget_all(self) -> None:
        self._lock = _green.Lock()._brief()
        self._idle = []
        self._lent = {}
        self._waiters = deque()
        self._connecting = 0
        self._era = 0
        self._tended = False
        self._gave_up = False
        self._server = None
        self._news = _green.Event()
        self._filled = _green.Event()
        self._empty = _green.Event()
        self._process = os.getpid()

    def _look_at_process(self) -> None:
        """In a forked child the connections are the parent's."""
        if self._process == os.getpid():
            return
        for member in [*self._idle, *self._lent.values()]:
            member.abandon()
        self._forget_all()


def _check_sizes(min_size: int, max_size: int) -> None:
    if min_size < 0 or max_size < max(1, min_size):
        raise ValueError("a pool needs 0 <= min_size <= max_size and max_size >= 1")
