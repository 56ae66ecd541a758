"""SQLAlchemy's pools, and ours for it: whoever is stopped, each place is free again, and a
connection is in the pool or closed."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy.exc
import sqlalchemy.pool
from celadon.pools.sqlalchemy import Pool
from celadon.testing import Stage

from tests.explorer.catalogue import scenario
from tests.explorer.scenarios.pools import Server


def use(pool: Any) -> None:
    conn = pool.connect()
    try:
        own = conn.dbapi_connection
        assert not own.closed
        own.users += 1
        assert own.users == 1, "two have it"
        try:
            time.sleep(0)
        finally:
            own.users -= 1
    finally:
        conn.close()


def explored(stage: Stage, pool: Any, server: Server) -> Any:
    """As many as have been opened are in it, or closed: a place may be there without."""
    late = (sqlalchemy.exc.TimeoutError, TimeoutError)
    for name in "abc":
        stage.spawn(name, use, pool, expected=late)

    def check() -> None:
        time.sleep(60)
        use(pool)
        time.sleep(60)
        if isinstance(pool, Pool):
            stats = pool.stats()
            assert stats.in_use == stats.waiting == stats.connecting == 0, stats
            assert server.open() <= stats.idle <= 1
        else:
            assert pool.checkedout() == 0
            assert server.open() <= pool.checkedin() <= 1
        pool.dispose()
        time.sleep(60)
        assert server.open() == 0

    return check


@scenario()
def pool_of_sqlalchemy(stage: Stage) -> Any:
    server = Server(slow=1)
    pool = sqlalchemy.pool.QueuePool(
        server.connect, pool_size=1, max_overflow=0, timeout=10.0
    )
    return explored(stage, pool, server)


@scenario()
def pool_of_sqlalchemy_that_overflows(stage: Stage) -> Any:
    server = Server()
    pool = sqlalchemy.pool.QueuePool(
        server.connect, pool_size=1, max_overflow=1, timeout=10.0
    )
    return explored(stage, pool, server)


@scenario()
def pool_of_ours_for_sqlalchemy(stage: Stage) -> Any:
    server = Server(slow=1)
    return explored(stage, Pool(server.connect, pool_size=1, timeout=10.0), server)
