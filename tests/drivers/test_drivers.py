"""Against real databases: one greenlet waits for an answer, the others go on."""

from __future__ import annotations

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green
from tests.support.libraries import shown
from tests.support.machine import module
from tests.support.services import RUNNING, Services

# How each driver connects, and what makes the server take its time.
DRIVERS = {
    "psycopg2": (
        "import psycopg2\n"
        "def connect(): return psycopg2.connect(host='localhost', port=postgres_port,"
        " user='celadon', dbname='celadon')\n",
        "SELECT pg_sleep(0.2), 42",
    ),
    "psycopg2_tls": (
        "import psycopg2\n"
        "def connect(): return psycopg2.connect(f'host=127.0.0.1 port={postgres_port}"
        " user=celadon dbname=celadon sslmode=require')\n",
        "SELECT pg_sleep(0.2), 42",
    ),
    "psycopg2_unix": (
        "import psycopg2\n"
        "def connect(): return psycopg2.connect(host=postgres_folder, port=postgres_port,"
        " user='celadon', dbname='celadon')\n",
        "SELECT pg_sleep(0.2), 42",
    ),
    "psycopg": (
        "import psycopg\n"
        "def connect(): return psycopg.connect(host='localhost', port=postgres_port,"
        " user='celadon', dbname='celadon')\n",
        "SELECT pg_sleep(0.2), 42",
    ),
    "psycopg_tls": (
        "import psycopg\n"
        "def connect(): return psycopg.connect(host='127.0.0.1', port=postgres_port,"
        " user='celadon', dbname='celadon', sslmode='require')\n",
        "SELECT pg_sleep(0.2), 42",
    ),
    "pymysql": (
        "import pymysql\n"
        "def connect(): return pymysql.connect(host='localhost', port=mariadb_port,"
        " user='celadon', database='celadon')\n",
        "SELECT SLEEP(0.2), 42",
    ),
    "pymysql_unix": (
        "import pymysql\n"
        "def connect(): return pymysql.connect(unix_socket=mariadb_socket,"
        " user='celadon', database='celadon')\n",
        "SELECT SLEEP(0.2), 42",
    ),
    "mysqlclient": (
        "import MySQLdb\n"
        "def connect(): return MySQLdb.connect(host='127.0.0.1', port=mariadb_port,"
        " user='celadon', database='celadon')\n",
        "SELECT SLEEP(0.2), 42",
    ),
    "mysqlclient_unix": (
        "import MySQLdb, MySQLdb.cursors\n"
        "def connect(): return MySQLdb.connect(unix_socket=mariadb_socket,"
        " user='celadon', database='celadon', cursorclass=MySQLdb.cursors.SSCursor)\n",
        "SELECT SLEEP(0.2), 42",
    ),
    "pg8000": (
        "import pg8000.dbapi\n"
        "def connect(): return pg8000.dbapi.connect('celadon', 'localhost', 'celadon',"
        " postgres_port)\n",
        "SELECT pg_sleep(0.2), 42",
    ),
    "pg8000_unix": (
        "import pg8000.dbapi\n"
        "def connect(): return pg8000.dbapi.connect('celadon', database='celadon',"
        " unix_sock=f'{postgres_folder}/.s.PGSQL.{postgres_port}')\n",
        "SELECT pg_sleep(0.2), 42",
    ),
    "sqlalchemy": (
        "import sqlalchemy\n"
        "engine = sqlalchemy.create_engine(f'postgresql+psycopg2://celadon@localhost:"
        "{postgres_port}/celadon', pool_size=20)\n"
        "def connect(): return engine.raw_connection()\n",
        "SELECT pg_sleep(0.2), 42",
    ),
}


def prelude(services: Services, driver: str) -> str:
    connect, query = DRIVERS[driver]
    if driver == "mysqlclient":
        module("MySQLdb", "libmariadb-dev")
    return (
        SOCKETS
        + services.names(connect)
        + connect
        + f"""
def ask(conn, sql={query!r}):
    cursor = conn.cursor()
    cursor.execute(sql)
    return cursor.fetchall()[0][-1]
"""
        + RUNNING
    )


@pytest.mark.parametrize("driver", shown(DRIVERS, mysqlclient="MySQLdb"))
def test_others_run_while_one_waits(driver: str, services: Services) -> None:
    run_green(
        """
        conn, _ = ticks(connect)
        got, count = ticks(ask, conn)
        assert got == 42 and count >= 3, (got, count)
        # Side by side, each on its own connection.
        inside = most = 0
        barrier = threading.Barrier(10)
        def one():
            global inside, most
            conn = connect(); barrier.wait()
            inside += 1; most = max(most, inside)
            try: return ask(conn)
            finally: inside -= 1
        tasks = [green.spawn(one) for _ in range(10)]
        assert [task.get() for task in tasks] == [42] * 10
        assert most > 5, most
        conn.close()
        """,
        prelude=prelude(services, driver),
        malloc="default",
    )


@pytest.mark.parametrize(
    "driver", ["psycopg2", "psycopg", "pymysql", "mysqlclient", "pg8000"]
)
def test_native_threads_still_work(driver: str, services: Services) -> None:
    run_green(
        """
        results = []
        def work(): results.append(ask(connect()))
        threads = [threading.Thread(target=work) for _ in range(5)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert results == [42] * 5
        """,
        prelude=prelude(services, driver),
        malloc="default",
    )


def test_psycopg_survives_a_timeout_and_a_kill(services: Services) -> None:
    run_green(
        """
        conn = connect()
        with green.Timeout(0.02, False): ask(conn, "SELECT pg_sleep(30)")
        conn.rollback()
        assert ask(conn, "SELECT 7") == 7, "the query was cancelled, the connection stays"
        task = green.spawn(ask, conn, "SELECT pg_sleep(30)")
        running(1, connect); task.kill()
        conn.rollback()
        assert ask(conn, "SELECT 8") == 8
        """,
        prelude=prelude(services, "psycopg"),
        malloc="default",
    )


@pytest.mark.row("R05")
def test_psycopg_cancels_what_its_server_has_not_read_yet(services: Services) -> None:
    run_green(
        """
        import signal
        conn = connect()
        conn.autocommit = True
        server = ask(conn, "SELECT pg_backend_pid()")
        native, cancels = psycopg.Connection._try_cancel, []
        def cancel(self, **kwargs):
            native(self, **kwargs)
            cancels.append(self)
            os.kill(server, signal.SIGCONT)
        psycopg.Connection._try_cancel = cancel
        os.kill(server, signal.SIGSTOP)
        with green.Timeout(0.05, False): ask(conn, "SELECT pg_sleep(600)")
        assert len(cancels) > 1, "the first meets a server that waits for a query"
        assert not conn.closed and ask(conn, "SELECT pg_backend_pid()") == server
        """,
        prelude=prelude(services, "psycopg"),
        malloc="default",
    )


@pytest.mark.row("R05")
def test_psycopg_keeps_its_connection_whatever_ends_a_wait(services: Services) -> None:
    run_green(
        """
        class Own(Exception): pass
        def end(bound):
            with bound: ask(conn, "SELECT pg_sleep(600)")
        conn = connect()
        for kind, make in ((green.Timeout, lambda: green.Timeout(0.05)),
                           (Own, lambda: green.Timeout(0.05, Own())),
                           (TimeoutError, lambda: green.Timeout(0.05, TimeoutError("mine"))),
                           (celadon.RequestTimeout, lambda: celadon.deadline(0.05))):
            raises(kind, end, make())
            conn.rollback()
            assert ask(conn, "SELECT 7") == 7 and not conn.closed, kind
        """,
        prelude=prelude(services, "psycopg"),
        malloc="default",
    )


@pytest.mark.row("R05")
def test_psycopg_keeps_its_own_time_limits(services: Services) -> None:
    run_green(
        """
        hole = socket.create_server(("127.0.0.1", 0))
        def silent():
            raises(psycopg.OperationalError, lambda: psycopg.connect(
                host="127.0.0.1", port=hole.getsockname()[1], user="celadon", connect_timeout=2))
        _, count = ticks(silent)
        assert count >= 3, count
        conn, other = connect(), connect()
        conn.autocommit = other.autocommit = True
        conn.execute("LISTEN news")
        soon(other.execute, "NOTIFY news, 'hello'")
        got, count = ticks(lambda: next(conn.notifies()))
        assert got.payload == "hello" and count >= 3
        """,
        prelude=prelude(services, "psycopg"),
        malloc="default",
    )


@pytest.mark.row("R09")
def test_psycopg_closed_by_another_greenlet(services: Services) -> None:
    run_green(
        """
        conn = connect()
        task = green.spawn(ask, conn, "SELECT pg_sleep(600)")
        running(1, connect)
        conn.close()
        raises(psycopg.OperationalError, task.get)
        assert conn.closed
        """,
        prelude=prelude(services, "psycopg"),
        malloc="default",
    )


def test_psycopg2_connection_ends_with_a_killed_query(services: Services) -> None:
    run_green(
        """
        conn = connect()
        task = green.spawn(ask, conn, "SELECT pg_sleep(30)")
        running(1, connect); task.kill()
        assert conn.closed
        assert ask(connect(), "SELECT 7") == 7
        """,
        prelude=prelude(services, "psycopg2"),
        malloc="default",
    )


def test_psycopg2_copies_on_a_native_thread(services: Services) -> None:
    run_green(
        """
        import io
        conn = connect(); cursor = conn.cursor()
        cursor.execute("CREATE TEMP TABLE numbers (n int)")
        rows = "".join(f"{n}\\n" for n in range(200_000))
        cursor.copy_expert("COPY numbers FROM STDIN", io.StringIO(rows))
        out = io.StringIO()
        cursor.copy_expert("COPY numbers TO STDOUT", out)
        assert out.getvalue() == rows
        raises(psycopg2.Error, cursor.copy_expert, "COPY nothing FROM STDIN", io.StringIO(rows))
        conn.rollback()
        # The callback is back; on a busy machine one query may be over before others had a turn.
        assert any(ticks(ask, conn)[1] >= 3 for _ in range(50))
        large = conn.lobject(0, "wb"); large.write(b"large"); large.close()
        """,
        prelude=prelude(services, "psycopg2"),
        malloc="default",
    )


def test_psycopg2_connection_is_used_by_one_greenlet_at_a_time(
    services: Services,
) -> None:
    run_green(
        """
        conn = connect()
        tasks = [green.spawn(ask, conn, f"SELECT pg_sleep(0.002), {n}") for n in range(10)]
        assert [task.get() for task in tasks] == list(range(10))
        from psycopg2.extras import DictCursor
        cursor = conn.cursor(cursor_factory=DictCursor)
        cursor.execute("SELECT 1 AS one")
        assert cursor.fetchone()["one"] == 1 and isinstance(cursor, DictCursor)
        assert isinstance(conn, psycopg2.extensions.connection)
        with conn, conn.cursor() as cursor: cursor.execute("SELECT 1")
        named = conn.cursor("named"); named.execute("SELECT generate_series(1, 5000)")
        assert sum(row[0] for row in named) == 5000 * 5001 // 2
        """,
        prelude=prelude(services, "psycopg2"),
        malloc="default",
    )


@pytest.mark.library("psycopg_pool")
def test_psycopg_pool(services: Services) -> None:
    run_green(
        """
        import psycopg_pool
        pool = psycopg_pool.ConnectionPool(
            f"host=127.0.0.1 port={postgres_port} user=celadon dbname=celadon",
            min_size=2, max_size=2, open=True)
        def use(n):
            with pool.connection() as conn: return ask(conn, f"SELECT pg_sleep(0.005), {n}")
        tasks = [green.spawn(use, n) for n in range(20)]
        for task in tasks[5:10]: task.kill(block=False)
        assert [task.get() for task in tasks[:5] + tasks[10:]] == [*range(5), *range(10, 20)]
        assert use(99) == 99
        # None was lost to those that were killed.
        holders = [pool.getconn(timeout=TIMEOUT) for _ in range(2)]
        for conn in holders: pool.putconn(conn)
        pool.close()
        """,
        prelude=prelude(services, "psycopg"),
        malloc="default",
    )


@pytest.mark.library("redis")
def test_redis(services: Services) -> None:
    run_green(
        """
        import redis
        client = redis.Redis(port=redis_port)
        client.set("a", "1")
        soon(lambda: client.rpush("list", "x"))
        got, count = ticks(lambda: client.blpop("list", 5))
        assert got == (b"list", b"x") and count >= 3, (got, count)
        tasks = [green.spawn(client.get, "a") for _ in range(50)]
        assert [task.get() for task in tasks] == [b"1"] * 50
        listener = client.pubsub(); listener.subscribe("news")
        assert listener.get_message(timeout=TIMEOUT)["type"] == "subscribe"
        soon(client.publish, "news", "hello")
        got, count = ticks(lambda: listener.get_message(timeout=TIMEOUT))
        assert got["data"] == b"hello" and count >= 3
        client.close()
        """,
        prelude=SOCKETS + services.names("redis_port"),
        malloc="default",
    )
