"""How a pool opens a connection: again and again, at growing intervals."""

from __future__ import annotations

import random
import time
from typing import TypeVar

from greenlet import GreenletExit

from celadon.logging import logger
from celadon.pools import lending
from celadon.pools.background import bounded
from celadon.pools.errors import PoolError
from celadon.pools.keeping import Keeping
from celadon.pools.member import Member

C = TypeVar("C")

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 10.0  # seconds between attempts


def open_one(pool: Keeping[C], era: int) -> None:
    roster = pool._roster
    conn = error = None
    try:
        conn = _connect_patiently(pool)
    except BaseException as last:
        error = last
    finally:
        with roster.lock:
            roster.connecting -= 1
            if conn is not None:
                member = _new_member(pool, conn, era)
                roster.lend(member)
                pool._counters.opened += 1
            roster.gave_up = error is not None and not _ends_the_greenlet(error)
            roster.note_empty()
    if conn is not None:
        try:
            pool._server = lending.note_first(conn, pool.max_size)
        finally:
            pool._put(member)
    was_stopped = error is not None and _ends_the_greenlet(error)
    if error is not None and not was_stopped:
        _give_up(pool, error)
    with roster.lock:
        pool._grow()
    if error is not None and was_stopped:
        raise error


def _ends_the_greenlet(error: BaseException) -> bool:
    return isinstance(error, GreenletExit | KeyboardInterrupt | SystemExit)


def _give_up(pool: Keeping[C], error: BaseException) -> None:
    with pool._roster.lock:
        waiter = pool._roster.next_waiter()
    if waiter is not None:
        waiter.error = PoolError(f"pool {pool.name} cannot connect: {error!r}")
        waiter.error.__cause__ = error
        waiter.done.set()
    pool._say_it_failed()


def _new_member(pool: Keeping[C], conn: C, era: int) -> Member:
    now = time.monotonic()
    life = pool.max_lifetime * random.uniform(0.95, 1.0)
    return Member(conn, era, now, now + life if life else float("inf"))


def _connect_patiently(pool: Keeping[C]) -> C | None:
    """A connection; None when nobody wants one any more.

    Raises what the last attempt raised once `reconnect_timeout` has passed.
    """
    end = time.monotonic() + pool.reconnect_timeout
    pause = _FIRST_PAUSE
    while True:
        began = time.monotonic()
        try:
            conn: C = bounded(_connect, pool, bound=pool.connect_timeout)
        except BaseException as error:  # a driver's own time limit may be none of them
            if _ends_the_greenlet(error):
                raise
            pool._counters.open_errors += 1
            pool._last_error = error
            logger.warning("pool %s cannot connect: %r", pool.name, error)
            wait = pause * random.uniform(0.9, 1.1)
            if time.monotonic() + wait > end:
                raise
        else:
            pool._last_error = None
            took = time.monotonic() - began
            pool._counters.create_seconds += took
            pool._measures.create_time.observe(took)
            return conn
        if pool._roster.news.wait(wait):
            return None
        pause = min(2 * pause, _LONGEST_PAUSE)
        if not pool._roster.waiters and pool._roster.size() > pool.min_size:
            return None


def _connect(pool: Keeping[C]) -> C:
    conn = pool._factory()
    if pool._configure is None:
        return conn
    try:
        pool._configure(conn)
    except BaseException:
        pool._dispose(conn)
        raise
    return conn
