"""What lies idle in a pool is nobody's: the budget of connections takes it back."""

from __future__ import annotations

import pytest

from tests.drivers.test_budget import BUDGET
from tests.drivers.test_drivers import prelude
from tests.support.green import run_green
from tests.support.services import Services

# Pools of at most `size` connections, and how one is borrowed.
POOLS = {
    "sqlalchemy": """
import sqlalchemy
def make(size):
    return sqlalchemy.create_engine(
        f"postgresql+psycopg2://celadon@localhost:{postgres_port}/celadon", pool_size=size, max_overflow=0)
def borrow(pool): return contextlib.closing(pool.raw_connection())
""",
    "sqlalchemy_lifo": """
import sqlalchemy
def make(size):
    return sqlalchemy.create_engine(
        f"postgresql+psycopg2://celadon@localhost:{postgres_port}/celadon", pool_size=1,
        max_overflow=size - 1, pool_use_lifo=True)
def borrow(pool): return contextlib.closing(pool.raw_connection())
""",
    "sqlalchemy_ours": """
import sqlalchemy
import celadon.pools.sqlalchemy
def make(size):
    return sqlalchemy.create_engine(
        f"postgresql+psycopg2://celadon@localhost:{postgres_port}/celadon", pool_size=size,
        poolclass=celadon.pools.sqlalchemy.Pool)
def borrow(pool): return contextlib.closing(pool.raw_connection())
""",
    "psycopg_pool": """
import psycopg_pool
def make(size):
    return psycopg_pool.ConnectionPool(
        f"host=localhost port={postgres_port} user=celadon dbname=celadon", min_size=1, max_size=size, open=True)
def borrow(pool): return pool.connection(timeout=TIMEOUT)
""",
    "ours": """
from celadon.pools import ConnectionPool
def make(size):
    return ConnectionPool(
        lambda: psycopg2.connect(host="localhost", port=postgres_port, user="celadon", dbname="celadon"),
        min_size=1, max_size=size, timeout=TIMEOUT, connect_timeout=TIMEOUT)
def borrow(pool): return pool.connection()
""",
}
TOGETHER = """
import contextlib, logging
said = []
class Said(logging.Handler):
    def emit(self, record): said.append(record.getMessage())
logging.getLogger().addHandler(Said()); logging.getLogger("celadon").addHandler(Said())
def use(pool, n, together=lambda: None):
    with borrow(pool) as conn:
        got = ask(conn, f"SELECT {n}")
        together()
    return got
"""


def run_with(pools: str, services: Services, source: str) -> None:
    """`source`, with pools of that kind."""
    run_green(
        source,
        prelude=prelude(services, "psycopg2")
        + services.names("postgres_port")
        + BUDGET
        + TOGETHER
        + POOLS[pools],
        malloc="default",
    )


@pytest.mark.row("R02")
@pytest.mark.parametrize("kind", POOLS)
def test_a_pool_that_is_larger_than_the_budget_has_its_size(
    kind: str, services: Services
) -> None:
    run_with(
        kind,
        services,
        """
        budget.configure(3, TIMEOUT)
        pool = make(5)
        assert any("db_connections=5" in line for line in said), said
        meet = threading.Barrier(5)
        tasks = [green.spawn(use, pool, n, meet.wait) for n in range(5)]
        assert [task.get() for task in tasks] == [*range(5)], "all five are in use at once"
        assert opened() <= 5 and waiting() == 0, budget.stats()
        said.clear(); make(3)
        assert not said, said
        """,
    )


@pytest.mark.row("R02")
@pytest.mark.parametrize("kind", POOLS)
def test_idle_connections_of_other_pools_make_room(
    kind: str, services: Services
) -> None:
    run_with(
        kind,
        services,
        """
        budget.configure(3, TIMEOUT)
        pools = [make(3) for _ in range(3)]
        # One after the other: each finds the budget used up by what lies idle.
        for _ in range(2):
            for pool in pools:
                meet = threading.Barrier(3)
                tasks = [green.spawn(use, pool, n, meet.wait) for n in range(3)]
                assert [task.get() for task in tasks] == [0, 1, 2]
        # All at once: who waits is woken by what comes back.
        tasks = [green.spawn(use, pools[n % 3], n) for n in range(60)]
        assert [task.get() for task in tasks] == [*range(60)]
        # A connection that no pool has.
        conn = connect()
        assert ask(conn, "SELECT 7") == 7 and opened() <= 3, budget.stats()
        # From a native thread.
        conn.close()
        with contextlib.ExitStack() as stack:
            held = [stack.enter_context(borrow(pools[0])) for _ in range(3)]
        thread = threading.Thread(target=lambda: held.append(use(pools[1], 8)))
        thread.start(); thread.join()
        assert held[-1] == 8
        """,
    )


@pytest.mark.row("R02")
def test_pools_of_asyncio_are_left_alone(services: Services) -> None:
    run_with(
        "sqlalchemy",
        services,
        """
        import asyncio
        from sqlalchemy.ext.asyncio import create_async_engine
        engine = create_async_engine(f"postgresql+asyncpg://celadon@localhost:{postgres_port}/celadon")
        async def ask_there():
            async with engine.connect() as conn:
                return (await conn.execute(sqlalchemy.text("SELECT 7"))).scalar()
        assert asyncio.run(ask_there()) == 7
        budget.configure(2, TIMEOUT)
        pools = [make(1) for _ in range(3)]
        assert [use(pool, n) for n, pool in enumerate(pools)] == [0, 1, 2]
        """,
    )


@pytest.mark.row("R02")
def test_a_forked_child_leaves_the_idle_ones_of_its_parent_alone(
    services: Services,
) -> None:
    run_with(
        "sqlalchemy",
        services,
        """
        import warnings
        warnings.simplefilter("ignore")
        budget.configure(1, TIMEOUT)
        pool = make(1)
        assert use(pool, 7) == 7
        pid = os.fork()
        if pid == 0:
            first = connect()
            budget.configure(1, 0.05)
            raises(psycopg2.OperationalError, connect)
            os._exit(7 if ask(first, "SELECT 7") == 7 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert use(pool, 8) == 8 and opened() == 1
        """,
    )
