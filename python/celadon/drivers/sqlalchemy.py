"""SQLAlchemy: its pool serves first who came first, what lies idle there makes room for
who needs a connection (`drivers/budget.py`), and a time limit that ended a statement ends
its connection, too.

`celadon.RequestTimeout` is an `Exception`, so that applications can answer it; to
SQLAlchemy it would look like an error after which the connection is fine.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from celadon._core.green import RequestTimeout
from celadon.base.weakly import Weakly
from celadon.drivers import budget
from celadon.patch.queue import adapt_class
from celadon.patch.registry import replace

_pools: Weakly[Any] = Weakly()


def adapt(sqlalchemy: ModuleType) -> None:
    # The queue of its pool is a copy of the standard library's.
    copy = sqlalchemy.util.queue
    adapt_class(copy.Queue, copy.Empty)
    _lend_to_the_budget(sqlalchemy.pool.QueuePool)

    @sqlalchemy.event.listens_for(sqlalchemy.engine.Engine, "handle_error")  # type: ignore[untyped-decorator]
    def handle_error(context: Any) -> None:
        if isinstance(context.original_exception, RequestTimeout):
            context.is_disconnect = True
            context.invalidate_pool_on_disconnect = False


def _lend_to_the_budget(cls: Any) -> None:
    native_get, native_return = cls._do_get, cls._do_return_conn

    # SQLAlchemy reads the signature of `__init__`, which so stays as it is.
    def __new__(
        cls: Any, creator: Any, pool_size: int = 5, max_overflow: int = 10, **kw: Any
    ) -> Any:
        name = kw.get("logging_name")
        budget.compare(
            _most(pool_size, max_overflow),
            f"SQLAlchemy's pool {name}" if name else "SQLAlchemy's pool",
            "the sum of pool_size and max_overflow",
        )
        pool = object.__new__(cls)
        _pools.add(pool)
        return pool

    @functools.wraps(native_get)
    def _do_get(self: Any) -> Any:
        record = native_get(self)
        budget.claim(_server(record), _most(self.size(), self._max_overflow))
        return record

    @functools.wraps(native_return)
    def _do_return_conn(self: Any, record: Any) -> None:
        server = _server(record)
        native_return(self, record)
        budget.came_back(server)

    cls.__new__ = __new__
    replace(cls, "_do_get", _do_get)
    replace(cls, "_do_return_conn", _do_return_conn)
    budget.add_reclaimer(_close_idle_one)


def _most(size: int, overflow: int) -> int:
    """Connections that a pool may have; 0 for no limit."""
    return size + overflow if size > 0 and overflow >= 0 else 0


def _server(record: Any) -> str | None:
    return budget.server_of(getattr(record, "dbapi_connection", None))


def _close_idle_one(server: str) -> bool:
    for pool in _pools.all():
        found = _take_idle_one(pool, server)
        if found is not None:
            conn, record = found
            if pool.dispatch.close:
                pool.dispatch.close(conn, record)
            pool._close_connection(conn)
            return True
    return False


def _take_idle_one(pool: Any, server: str) -> tuple[Any, Any] | None:
    """A connection, the last one that would be used. Its record stays in the pool, which
    connects it again for whoever gets it."""
    queue = pool._pool
    if not hasattr(queue, "mutex"):
        return None  # of asyncio: its connections are its loop's to close
    with queue.mutex:
        for record in queue.queue if queue.use_lifo else reversed(queue.queue):
            if _server(record) == server:
                conn, record.dbapi_connection = record.dbapi_connection, None
                return conn, record
    return None
