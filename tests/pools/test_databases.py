"""Pools over real databases."""

from __future__ import annotations

import pytest

from tests.drivers.test_drivers import DRIVERS, prelude
from tests.support.green import run_green
from tests.support.services import Services

POOLED = """
from celadon.pools import *
def until(probe):
    end = time.monotonic() + TIMEOUT
    while not probe():
        assert time.monotonic() < end, "did not happen"
        green.sleep(0.001)
"""


@pytest.mark.parametrize(
    "driver", ["psycopg2", "psycopg", "pymysql", "mysqlclient", "pg8000"]
)
def test_pool_of(driver: str, services: Services) -> None:
    _, query = DRIVERS[driver]
    long = query.replace("(0.2)", "(60)")
    run_green(
        """
        pool = ConnectionPool(connect, max_size=3, check=check_connection, check_bypass=0)
        def use(n):
            with pool.connection() as conn: return ask(conn, f"SELECT {n}")
        tasks = [green.spawn(use, n) for n in range(30)]
        assert [task.get() for task in tasks] == list(range(30))
        # Nothing that one has begun is left for the next.
        with pool.connection() as conn:
            cursor = conn.cursor(); cursor.execute("CREATE TEMPORARY TABLE left_over (n int)")
            conn.commit()
            cursor.execute("INSERT INTO left_over VALUES (1)")
        with pool.connection() as again:
            if again is conn: assert ask(conn, "SELECT count(*) FROM left_over") == 0
        # Killed in the middle of a query: that connection goes, the pool is whole.
        killed = [green.spawn(use, "7 + %s" % n) for n in range(10)]
        begun = []
        def use_slowly():
            with pool.connection() as conn: begun.append(conn); return ask(conn, LONG)
        slow = [green.spawn(use_slowly) for _ in range(3)]
        until(lambda: len(begun) == 3)
        for task in slow: task.kill(block=False)
        for task in [*killed, *slow]: task.join()
        tasks = [green.spawn(use, n) for n in range(30)]
        assert [task.get() for task in tasks] == list(range(30))
        until(lambda: pool.stats().in_use == 0)
        pool.close()
        assert pool.stats().size == 0
        """,
        prelude=prelude(services, driver) + POOLED + f"LONG = {long!r}\n",
        malloc="default",
    )


def test_pool_for_sqlalchemy(services: Services) -> None:
    run_green(
        """
        import logging
        import celadon.pools.sqlalchemy
        from sqlalchemy import create_engine, exc, text
        url = f"postgresql+psycopg2://celadon@localhost:{postgres_port}/celadon"
        engine = create_engine(url, poolclass=celadon.pools.sqlalchemy.Pool, pool_size=2,
                               pool_timeout=5, max_waiting=20, pool_pre_ping=True)
        def use(n):
            with engine.begin() as conn:
                return conn.execute(text("SELECT :n + 0 * length(pg_sleep(0.002)::text)"), {"n": n}).scalar_one()
        tasks = [green.spawn(use, n) for n in range(20)]
        assert [task.get() for task in tasks] == list(range(20))
        stats = engine.pool.stats()
        assert stats.size == 2 and stats.acquired >= 20, stats
        assert "2 at most" in engine.pool.status()
        # A time limit that ends a statement ends its connection, and nothing else.
        def too_long():
            with celadon.deadline(0.02), engine.connect() as conn:
                conn.execute(text("SELECT pg_sleep(30)"))
        for _ in range(4):
            task = green.spawn(too_long); task.join()
            assert isinstance(task.exception, celadon.RequestTimeout), task.exception
        assert green.spawn(use, 7).get() == 7
        # Full, and late.
        holders = [engine.connect() for _ in range(2)]
        tasks = [green.spawn(use, n) for n in range(20)]
        until(lambda: engine.pool.stats().waiting == 20)
        try: use(1); raise AssertionError
        except exc.TimeoutError as error: assert "wait" in str(error)
        for holder in holders: holder.close()
        assert [task.get() for task in tasks] == list(range(20))
        engine.dispose()
        assert use(8) == 8
        engine.dispose()
        # What the driver says of a server that is not there.
        logging.disable()
        nowhere = create_engine("postgresql+psycopg2://celadon@127.0.0.1:1/x",
                                poolclass=celadon.pools.sqlalchemy.Pool)
        try: nowhere.connect(); raise AssertionError
        except exc.OperationalError as error: assert "refused" in str(error)
        """,
        prelude=prelude(services, "psycopg2") + POOLED,
        malloc="default",
    )


def test_queue_pool_of_sqlalchemy(services: Services) -> None:
    run_green(
        """
        from sqlalchemy import create_engine, text
        url = f"mysql+pymysql://celadon@127.0.0.1:{mariadb_port}/celadon"
        engine = create_engine(url, pool_size=2, max_overflow=0)
        def use(n):
            with engine.begin() as conn:
                return conn.execute(text("SELECT :n + SLEEP(0.002)"), {"n": n}).scalar_one()
        tasks = [green.spawn(use, n) for n in range(20)]
        assert [task.get() for task in tasks] == list(range(20))
        tasks = [green.spawn(use, n) for n in range(20)]
        for task in tasks[::2]: task.kill(block=False)
        assert [task.get() for task in tasks[1::2]] == list(range(20))[1::2]
        assert engine.pool.checkedout() == 0
        """,
        prelude=prelude(services, "pymysql") + POOLED,
        malloc="default",
    )
