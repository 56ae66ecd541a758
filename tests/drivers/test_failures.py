"""A database that dies mid-query: an error at once, and all is well once it is back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green
from tests.support.services import RUNNING, postgres


@pytest.fixture(scope="module")
def fragile() -> Iterator[str]:
    with postgres() as (port, _):
        yield (
            SOCKETS
            + f"""
import signal
DSN = "host=127.0.0.1 port={port} user=celadon dbname=celadon"
def ask(conn, sql="SELECT pg_sleep(60)"):
    cursor = conn.cursor(); cursor.execute(sql)
    return cursor.fetchone()[0]
def murder(conn):
    # One server process that dies by force takes all connections with it.
    os.kill(ask(conn, "SELECT pg_backend_pid()"), signal.SIGKILL)
{RUNNING}
def patiently(connect):
    end = time.monotonic() + TIMEOUT
    while True:
        try: return connect()
        except Exception:
            if time.monotonic() > end: raise
            green.sleep(0.01)
"""
        )


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_killed_mid_query(driver: str, fragile: str) -> None:
    run_green(
        f"""
        import {driver} as driver
        connect = lambda: driver.connect(DSN)
        conns = [patiently(connect) for _ in range(8)]
        tasks = [green.spawn(ask, conn) for conn in conns[1:]]
        running(7, connect)
        murder(conns[0])
        for task in tasks: task.join(TIMEOUT)
        assert all(isinstance(task.exception, driver.Error) for task in tasks), tasks
        assert all(conn.closed for conn in conns[1:])
        assert ask(patiently(connect), "SELECT 7") == 7
        """,
        prelude=fragile,
        malloc="default",
    )


def test_a_pool_heals_itself(fragile: str) -> None:
    run_green(
        """
        import logging, psycopg, psycopg_pool
        logging.disable()
        pool = psycopg_pool.ConnectionPool(
            DSN, min_size=4, max_size=4, open=True, reconnect_timeout=30,
            check=psycopg_pool.ConnectionPool.check_connection)
        pool.wait(TIMEOUT)
        def use(sql):
            with pool.connection(timeout=TIMEOUT) as conn: return ask(conn, sql)
        tasks = [green.spawn(use, "SELECT pg_sleep(60)") for _ in range(4)]
        running(4, lambda: psycopg.connect(DSN))
        other = psycopg.connect(DSN)
        murder(other)
        for task in tasks: task.join(TIMEOUT)
        assert all(isinstance(task.exception, psycopg.Error) for task in tasks)
        # All places are there again, side by side.
        def hold():
            with pool.connection(timeout=TIMEOUT) as conn:
                assert ask(conn, "SELECT 1") == 1
                arrived.release(); go.wait(TIMEOUT)
        arrived, go = threading.Semaphore(0), threading.Event()
        holders = [green.spawn(lambda: patiently(hold)) for _ in range(4)]
        for _ in range(4): assert arrived.acquire(timeout=TIMEOUT)
        go.set()
        for task in holders: task.get(timeout=TIMEOUT)
        pool.close()
        """,
        prelude=fragile,
        malloc="default",
    )


def test_our_pool_heals_itself(fragile: str) -> None:
    run_green(
        """
        import logging, psycopg2
        logging.disable()
        import celadon.pools.opening as opening
        opening._FIRST_PAUSE = 0.02
        from celadon.pools import ConnectionPool, PoolError, check_connection
        pool = ConnectionPool(lambda: psycopg2.connect(DSN), min_size=4, max_size=4, timeout=TIMEOUT,
                              check=check_connection, check_bypass=0)
        def use(sql):
            with pool.connection() as conn: return ask(conn, sql)
        tasks = [green.spawn(use, "SELECT pg_sleep(60)") for _ in range(4)]
        running(4, lambda: psycopg2.connect(DSN))
        other = psycopg2.connect(DSN)
        murder(other)
        for task in tasks: task.join(TIMEOUT)
        assert all(isinstance(task.exception, psycopg2.Error) for task in tasks)
        tasks = [green.spawn(use, f"SELECT {n}") for n in range(20)]
        assert [task.get(timeout=TIMEOUT) for task in tasks] == list(range(20))
        pool.close()
        assert pool.stats().size == 0 and pool.stats().discarded["released"] == 0
        """,
        prelude=fragile,
        malloc="default",
    )


def test_a_server_that_stalls(fragile: str) -> None:
    """Stopped as a whole, as behind a broken network: time limits hold, and nothing is
    lost for good."""
    run_green(
        """
        import logging, psycopg, psycopg2
        logging.disable()
        from celadon.pools import ConnectionPool
        def group(number):
            # All processes of the server, the youngest ones of its clients too.
            for pid in pids:
                try: os.kill(pid, number)
                except ProcessLookupError: pass
        for driver in (psycopg2, psycopg):
            pool = ConnectionPool(lambda: driver.connect(DSN), min_size=3, max_size=3, timeout=TIMEOUT)
            pool.open(wait=True)
            watcher = driver.connect(DSN)
            cursor = watcher.cursor()
            cursor.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'")
            pids = [row[0] for row in cursor.fetchall()]
            def use():
                with celadon.deadline(0.1), pool.connection() as conn: return ask(conn, "SELECT 7")
            group(signal.SIGSTOP)
            try:
                tasks = [green.spawn(use) for _ in range(6)]
                for task in tasks: task.join(TIMEOUT)
            finally: group(signal.SIGCONT)
            assert all(task.exception is not None for task in tasks)
            tasks = [green.spawn(patiently, use) for _ in range(10)]
            assert [task.get(timeout=TIMEOUT) for task in tasks] == [7] * 10
            pool.close(); watcher.close()
        """,
        prelude=fragile,
        malloc="default",
    )
