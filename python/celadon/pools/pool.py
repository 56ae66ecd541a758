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

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from celadon._core import green as _green
from celadon.errors import brief
from celadon.pools import hooks, lending, opening, upkeep
from celadon.pools.background import start, start_for_long
from celadon.pools.checkout import Checkout
from celadon.pools.errors import PoolClosed
from celadon.pools.member import is_abandoned
from celadon.pools.statistics import PoolStats

C = TypeVar("C")

_names = itertools.count(1)


class ConnectionPool(Checkout[C]):
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
        super().__init__()
        lending.note_pool(self)

    # --- users ---

    def acquire(self, timeout: float | None = None) -> C:
        """A connection, for the caller alone until `release`.

        Raises `PoolTimeout`, `PoolFull` or `PoolClosed`.
        """
        self._look_at_process()
        return self._get(self.timeout if timeout is None else timeout)

    def release(self, conn: C, discard: bool = False) -> None:
        """Gives `conn` back, or with `discard` away. Never waits.

        Raises `ValueError` for one that is not out.
        """
        self._look_at_process()
        member = self._roster.lent.get(id(conn))
        if member is None or not member.is_lent:
            if is_abandoned(conn):
                return
            raise ValueError(f"{brief(conn)} was not acquired from pool {self.name}")
        self._come_back(member, "released" if discard else None)

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
        with self._roster.lock:
            self._roster.closed = self._roster.gave_up = False
            self._roster.news.clear()
            self._grow()
        if not wait:
            return
        limit = self.timeout if timeout is None else timeout
        if not self._roster.filled.wait(limit):
            raise self._timeout(limit)

    def resize(self, min_size: int, max_size: int | None = None) -> None:
        """Changes how many there are; those in use above `max_size` go when released."""
        _check_sizes(min_size, max_size or self.max_size)
        with self._roster.lock:
            self.min_size, self.max_size = min_size, max_size or self.max_size
            self._most = max(self._most, self.max_size)
            excess = max(0, self._roster.size() - self.max_size)
            members = self._roster.take_idle(*self._roster.idle[:excess])
            self._grow()
        self._discard_all(members, "resize")

    def drain(self) -> None:
        """Replaces all connections, those in use when they are released."""
        with self._roster.lock:
            self._roster.era += 1
            members = self._roster.take_idle(*self._roster.idle)
        self._discard_all(members, "drain")

    def check(self) -> None:
        """Checks all idle connections now, and replaces the broken ones."""
        with self._roster.lock:
            members = self._roster.take_idle(*self._roster.idle)
        self._check_all(members)

    def close(self, timeout: float = 5.0) -> None:
        """Closes idle connections at once, the others when they are released.

        Waits for those up to `timeout`. Who waits for one gets `PoolClosed`, and so does
        whoever acquires from now on.
        """
        self._look_at_process()
        with self._roster.lock:
            self._roster.closed = True
            self._roster.news.set()
            waiters = self._roster.all_waiters()
            members = self._roster.take_idle(*self._roster.idle)
            self._roster.note_empty()
        for waiter in waiters:
            waiter.error = PoolClosed(f"pool {self.name} was closed")
            waiter.done.set()
        self._discard_all(members, "close")
        self._roster.empty.wait(timeout)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._roster.closed

    def stats(self) -> PoolStats:
        """Figures of this moment, and counters."""
        counters = dict(
            vars(self._counters), discarded=Counter(self._counters.discarded)
        )
        return PoolStats(
            name=self.name,
            min_size=self.min_size,
            max_size=self.max_size,
            size=self._roster.size(),
            idle=len(self._roster.idle),
            in_use=len(self._roster.lent),
            connecting=self._roster.connecting,
            waiting=len(self._roster.waiters),
            **counters,
        )

    # --- for what is below ---

    def _open_another(self) -> None:
        start(opening.open_one, self, self._roster.era)

    def _tend(self) -> None:
        start_for_long(upkeep.tend, self)

    def _say_it_failed(self) -> None:
        if self._reconnect_failed is not None:
            self._reconnect_failed(self)

    def __enter__(self) -> ConnectionPool[C]:
        self.open()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        idle, used = len(self._roster.idle), len(self._roster.lent)
        return (
            f"<ConnectionPool {self.name}: {idle} idle, {used} in use, {self.max_size} "
            "at most>"
        )


def _check_sizes(min_size: int, max_size: int) -> None:
    if min_size < 0 or max_size < max(1, min_size):
        raise ValueError("a pool needs 0 <= min_size <= max_size and max_size >= 1")
