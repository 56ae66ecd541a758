"""psycopg_pool: a client that is killed while it waits leaves the queue, and what lies
idle makes room for who needs a connection (`drivers/budget.py`)."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from greenlet import GreenletExit

from celadon._core.green import RequestKilled
from celadon.base.weakly import Weakly
from celadon.drivers import budget
from celadon.green.timeout import Timeout
from celadon.patch.registry import replace

_pools: Weakly[Any] = Weakly()


def adapt(psycopg_pool: ModuleType) -> None:
    pool: Any = psycopg_pool.pool
    _lend_to_the_budget(pool.ConnectionPool)
    _leave_the_queue(pool.WaitingClient)
    # Since 3.2, for what a client raises in other places.
    if hasattr(pool, "CLIENT_EXCEPTIONS"):
        errors = (Exception, GreenletExit, Timeout, RequestKilled)
        replace(pool, "CLIENT_EXCEPTIONS", errors)


def _leave_the_queue(cls: Any) -> None:
    native = cls.wait

    @functools.wraps(native)
    def wait(self: Any, timeout: float) -> Any:
        try:
            return native(self, timeout)
        except BaseException as error:
            # Who has an error is given no connection.
            with self._cond:
                if self.conn is None and self.error is None:
                    self.error = error
            raise

    replace(cls, "wait", wait)


def _lend_to_the_budget(cls: Any) -> None:
    native, native_add = cls.__init__, cls._add_to_pool

    @functools.wraps(native)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        native(self, *args, **kwargs)
        budget.compare(self.max_size, f"psycopg_pool's {self.name}", "max_size")
        _pools.add(self)

    @functools.wraps(native_add)
    def _add_to_pool(self: Any, conn: Any, *args: Any) -> None:
        server = budget.server_of(conn)
        budget.claim(server, self.max_size)
        native_add(self, conn, *args)
        budget.came_back(server)

    replace(cls, "__init__", __init__)
    replace(cls, "_add_to_pool", _add_to_pool)
    budget.add_reclaimer(_close_idle_one)


def _close_idle_one(server: str) -> bool:
    for pool in _pools.all():
        conn = _take_idle_one(pool, server)
        if conn is not None:
            conn.close()
            return True
    return False


def _take_idle_one(pool: Any, server: str) -> Any:
    """Which the pool has forgotten; it opens another when somebody wants one."""
    with pool._lock:
        for conn in pool._pool:
            if budget.server_of(conn) == server:
                break
        else:
            return None
        pool._pool.remove(conn)
        pool._nconns -= 1
        pool._nconns_min = min(pool._nconns_min, len(pool._pool))
    return conn
