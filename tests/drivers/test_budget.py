"""The budget of connections: more greenlets than connections, and none fails."""

from __future__ import annotations

import pytest

from tests.drivers.test_drivers import prelude
from tests.support.green import run_green
from tests.support.services import Services

BUDGET = """
from celadon.drivers import budget
def raises(kind, fn, *args, **kwargs):
    try: fn(*args, **kwargs)
    except kind as error: return error
    raise AssertionError(f"no {kind}")
def opened(): return sum(figures["open"] for figures in budget.stats().values())
def waiting(): return sum(figures["waiting"] for figures in budget.stats().values())
"""

ERRORS = {
    "psycopg2": "psycopg2.OperationalError",
    "psycopg": "psycopg.OperationalError",
    "pymysql": "pymysql.err.OperationalError",
    "mysqlclient": "MySQLdb.OperationalError",
    "pg8000": "pg8000.dbapi.InterfaceError",
}


@pytest.mark.slow("the first of each database starts it")
@pytest.mark.parametrize("driver", ERRORS)
def test_who_wants_more_waits(driver: str, services: Services) -> None:
    run_green(
        f"""
        import contextlib
        budget.configure(3)
        most = 0
        def one(n):
            global most
            with contextlib.closing(connect()) as conn:
                most = max(most, opened())
                green.sleep(0.001)
                return ask(conn, f"SELECT {{n}}")
        tasks = [green.spawn(one, n) for n in range(30)]
        assert [task.get() for task in tasks] == list(range(30))
        assert most == 3 and opened() == 0, (most, opened())
        # Too long: the driver's own error says what to set.
        holders = [connect() for _ in range(3)]
        budget.configure(3, 0.05)
        error = raises({ERRORS[driver]}, connect)
        assert "db_connections" in str(error), error
        # Killed while it waits; closed, dropped and broken ones make room.
        budget.configure(3, TIMEOUT)
        late = [green.spawn(connect) for _ in range(4)]
        while waiting() < 4: green.sleep(0.001)
        late[0].kill()
        holders.pop().close()
        assert ask(late[1].get(), "SELECT 7") == 7
        holders.clear(); gc.collect()
        assert [ask(task.get(), "SELECT 8") for task in late[2:]] == [8, 8]
        late.clear(); task = None; gc.collect()
        assert opened() == 0, budget.stats()
        """,
        prelude=prelude(services, driver) + BUDGET,
        malloc="default",
    )


def test_an_attempt_that_fails_keeps_no_place(services: Services) -> None:
    run_green(
        """
        import psycopg2, psycopg, pymysql
        budget.configure(2)
        for _ in range(5):
            raises(psycopg2.OperationalError, psycopg2.connect, host="127.0.0.1", port=1)
            raises(psycopg.OperationalError, psycopg.connect, "host=127.0.0.1 port=1")
            raises(pymysql.err.OperationalError, pymysql.connect, host="127.0.0.1", port=1)
            raises(psycopg2.OperationalError, psycopg2.connect, host="127.0.0.1",
                   port=postgres_port, user="celadon", dbname="nothing")
        assert opened() == 0
        """,
        prelude=prelude(services, "psycopg2") + BUDGET,
        malloc="default",
    )


def test_a_connection_the_server_ended_makes_room(services: Services) -> None:
    run_green(
        """
        conn = connect()
        task = green.spawn(ask, conn, "SELECT pg_sleep(30)")
        running(1, connect)
        budget.configure(1)
        task.kill()
        assert conn.closed
        assert ask(connect(), "SELECT 7") == 7
        """,
        prelude=prelude(services, "psycopg2") + BUDGET,
        malloc="default",
    )


def test_a_forked_child_has_a_budget_of_its_own(services: Services) -> None:
    run_green(
        """
        import warnings
        warnings.simplefilter("ignore")
        budget.configure(1)
        conn = connect()
        pid = os.fork()
        if pid == 0:
            os._exit(7 if ask(connect(), "SELECT 7") == 7 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert ask(conn, "SELECT 8") == 8 and opened() == 1
        """,
        prelude=prelude(services, "psycopg") + BUDGET,
        malloc="default",
    )


ASYNC = {
    "asyncpg": """
        import asyncpg
        refused = asyncpg.TooManyConnectionsError
        def connect():
            return asyncpg.connect(f"postgresql://celadon@127.0.0.1:{postgres_port}/celadon")
        async def ask(conn, n): return await conn.fetchval(f"SELECT {n}")
        """,
    "psycopg": """
        import psycopg
        refused = psycopg.OperationalError
        def connect():
            return psycopg.AsyncConnection.connect(
                f"host=127.0.0.1 port={postgres_port} user=celadon dbname=celadon")
        async def ask(conn, n):
            return (await (await conn.execute(f"SELECT {n}")).fetchone())[0]
        """,
}


@pytest.mark.parametrize("driver", ASYNC)
def test_who_wants_more_in_asyncio_waits(driver: str, services: Services) -> None:
    run_green(
        ASYNC[driver]
        + """
        import asyncio
        budget.configure(3)
        most = 0
        async def one(n):
            global most
            conn = await connect()
            most = max(most, opened())
            await asyncio.sleep(0.001)
            got = await ask(conn, n)
            await conn.close()
            return got
        # Many loops, each in a greenlet of its own, and many tasks of one loop.
        tasks = [green.spawn(asyncio.run, one(n)) for n in range(12)]
        assert [task.get() for task in tasks] == list(range(12))
        async def all_of_them(): return await asyncio.gather(*[one(n) for n in range(12)])
        assert asyncio.run(all_of_them()) == list(range(12))
        assert most == 3, most
        async def too_many():
            held = [await connect() for _ in range(3)]
            budget.configure(3, 0.05)
            try: await connect()
            except refused as error: assert "db_connections" in str(error), error
            else: raise AssertionError("not refused")
            budget.configure(3, TIMEOUT)
            late = asyncio.ensure_future(connect())
            while not waiting(): await asyncio.sleep(0.001)
            await held.pop().close()
            held.append(await late)
            for conn in held: await conn.close()
        asyncio.run(too_many())
        while opened(): green.sleep(0.001)
        assert waiting() == 0, budget.stats()
        """,
        prelude=prelude(services, "psycopg2") + BUDGET,
        malloc="default",
    )
