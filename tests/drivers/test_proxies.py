"""Libraries that wait in C: who calls waits, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green
from tests.support.libraries import shown
from tests.support.machine import missing
from tests.support.services import Services

# A listener that takes a connection, says nothing, and closes it after a while.
HOLE = """
hole = socket.create_server(("127.0.0.1", 0)); port = hole.getsockname()[1]
def swallow():
    conn, _ = hole.accept()
    for _ in range(10): green.sleep(0.001)
    conn.close(); hole.close()
def fails(kind, call):
    task = green.spawn(swallow)
    raises(kind, call)
    return "failed"
"""
CALLS = {
    "duckdb": (
        "import duckdb\nconn = duckdb.connect()",
        "conn.execute('SELECT count(*) FROM range(20000000) t WHERE hash(t.range) % 7 = 1').fetchone()[0] > 0",
        "True",
    ),
    # What the module does, by a connection that all share.
    "duckdb_module": (
        "import duckdb",
        "duckdb.execute('SELECT count(*) FROM range(20000000) t WHERE hash(t.range) % 7 = 1') is None",
        "False",
    ),
    "duckdb_relation": (
        "import duckdb",
        "len(duckdb.sql('SELECT hash(range) h FROM range(9000000) ORDER BY h LIMIT 3').fetchall())",
        "3",
    ),
    "confluent_kafka_consumer": (
        "import confluent_kafka\n"
        "kafka = confluent_kafka.Consumer({'bootstrap.servers': '127.0.0.1:1', 'group.id': 'x', 'log_level': 0})",
        "kafka.poll(1.0)",
        "None",
    ),
    "confluent_kafka_producer": (
        "import confluent_kafka\n"
        "kafka = confluent_kafka.Producer({'bootstrap.servers': '127.0.0.1:1', 'log_level': 0})\n"
        "kafka.produce('news', b'hello')",
        "kafka.flush(1.0)",
        "1",
    ),
    # Its library brings a broker of its own.
    "confluent_kafka_broker": (
        "import confluent_kafka\n"
        "producer = confluent_kafka.Producer({'test.mock.num.brokers': 1, 'bootstrap.servers': 'mock', 'log_level': 0})\n"
        "broker, = producer.list_topics(timeout=TIMEOUT).brokers.values()\n"
        "consumer = confluent_kafka.Consumer({'bootstrap.servers': f'{broker.host}:{broker.port}', 'group.id': 'x',"
        " 'auto.offset.reset': 'earliest', 'log_level': 0})\n"
        "consumer.subscribe(['news'])\n"
        "def send(): producer.produce('news', b'hello'); producer.flush(TIMEOUT)\n"
        "def receive():\n"
        "    while not (news := consumer.poll(TIMEOUT)) or news.error(): pass\n"
        "    return news.value()",
        "(soon(send), receive())[1]",
        "b'hello'",
    ),
    "pymssql": (
        "import pymssql\n" + HOLE,
        "fails(pymssql.Error, lambda: pymssql.connect(server='127.0.0.1', port=str(port), user='a', password='b'))",
        "'failed'",
    ),
    "oracledb_thin": (
        "import oracledb\n" + HOLE,
        "fails(oracledb.Error, lambda: oracledb.connect(user='a', password='b', dsn=f'127.0.0.1:{port}/x'))",
        "'failed'",
    ),
    "zmq_recv": (
        "import zmq\ncontext = zmq.Context()\n"
        "ours, theirs = context.socket(zmq.PAIR), context.socket(zmq.PAIR)\n"
        "ours.bind('inproc://pair'); theirs.connect('inproc://pair')\n",
        "(soon(theirs.send_multipart, [b'hello', b'you']), ours.recv_multipart())[1]",
        "[b'hello', b'you']",
    ),
    "zmq_time_limit": (
        "import zmq\ncontext = zmq.Context()\n"
        "ours = context.socket(zmq.PULL); ours.bind_to_random_port('tcp://127.0.0.1')\n"
        "ours.setsockopt(zmq.RCVTIMEO, 1000)",
        "(raises(zmq.Again, ours.recv), 'late')[1]",
        "'late'",
    ),
    "zmq_send": (
        "import zmq\ncontext = zmq.Context()\n"
        "ours = context.socket(zmq.PUSH); ours.bind_to_random_port('tcp://127.0.0.1')\n"
        "ours.setsockopt(zmq.SNDTIMEO, 1000); ours.setsockopt(zmq.LINGER, 0)",
        "(raises(zmq.Again, ours.send, b'nobody'), 'late')[1]",
        "'late'",
    ),
    "zmq_poller": (
        "import zmq\ncontext = zmq.Context()\n"
        "ours, theirs = context.socket(zmq.PAIR), context.socket(zmq.PAIR)\n"
        "ours.bind('inproc://pair'); theirs.connect('inproc://pair')\n"
        "poller = zmq.Poller(); poller.register(ours, zmq.POLLIN); poller.register(a, zmq.POLLIN)\n",
        "(soon(theirs.send, b'hello'), dict(poller.poll()) == {ours: zmq.POLLIN})[1]",
        "True",
    ),
}


@pytest.mark.row("G22")
@pytest.mark.parametrize("library", shown(CALLS, confluent="confluent_kafka"))
def test_others_run_while_one_waits(library: str) -> None:
    setup, call, result = CALLS[library]
    run_green(
        f"""
got, count = ticks(lambda: {call})
assert got == {result} and count >= 3, (got, count)
from celadon import drivers
assert not drivers.problems(), drivers.problems()
os._exit(0)
        """,
        prelude=SOCKETS + setup + "\n",
        malloc="default",
    )


@pytest.mark.row("G22")
def test_zmq_is_told_of_a_time_limit_that_is_the_caller_s() -> None:
    run_green(
        """
        import zmq
        context = zmq.Context()
        ours = context.socket(zmq.PULL); ours.bind_to_random_port("tcp://127.0.0.1")
        def wait(limit):
            with limit: ours.recv()
        for kind in (TimeoutError, OSError):
            error = raises(kind, wait, green.Timeout(0.02, kind("mine")))
            assert error.args == ("mine",), error
        raises(green.Timeout, wait, green.Timeout(0.02))
        os._exit(0)
        """,
        prelude=SOCKETS,
        malloc="default",
    )


# Its wheel brings a library for TLS of its own, which it finds no more once Python has another.
MYSQL_CONNECTOR = (
    "import _mysql_connector\n"
    + SOCKETS
    + """
import mysql.connector
from mysql.connector.connection_cext import CMySQLConnection
def connect(**options): return mysql.connector.connect(
    host="127.0.0.1", port=mariadb_port, user="celadon", database="celadon", **options)
def ask(**options):
    conn = connect(**options); cursor = conn.cursor()
    cursor.execute("SELECT SLEEP(0.2), 42")
    try: return type(conn), cursor.fetchall()
    finally: conn.close()
"""
)


@pytest.mark.row("G21")
@pytest.mark.library("mysql.connector")
@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ("{}", "mysql.connector.MySQLConnection"),
        ("dict(use_pure=False)", "CMySQLConnection"),
    ],
)
def test_mysql_connector(options: str, kind: str, services: Services) -> None:
    run_green(
        f"""
        got, count = ticks(lambda: ask(**{options}))
        assert got == ({kind}, [(0, 42)]) and count >= 3, (got, count)
        tasks = [green.spawn(lambda: ask(**{options})) for _ in range(10)]
        assert [task.get()[1] for task in tasks] == [[(0, 42)]] * 10
        """,
        prelude=MYSQL_CONNECTOR + services.names(MYSQL_CONNECTOR),
        malloc="default",
    )


@pytest.mark.row("G21")
def test_mysql_connector_s_form_in_c_is_whole(services: Services) -> None:
    run_green(
        """
        conn = connect(use_pure=False)
        cursor = conn.cursor()
        cursor.execute("CREATE TEMPORARY TABLE numbers (n int, t text)")
        cursor.executemany("INSERT INTO numbers VALUES (%s, %s)", [(n, f"t{n}") for n in range(500)])
        conn.commit()
        cursor.execute("SELECT * FROM numbers ORDER BY n")
        assert cursor.fetchone() == (0, "t0") and len(cursor.fetchall()) == 499
        with conn.cursor(buffered=True, dictionary=True) as rows:
            rows.execute("SELECT n FROM numbers WHERE n < %s", (3,))
            assert [row["n"] for row in rows] == [0, 1, 2]
        with conn.cursor(prepared=True) as prepared:
            for n in (7, 8):
                prepared.execute("SELECT t FROM numbers WHERE n = %s", (n,))
                assert prepared.fetchall() == [(f"t{n}",)]
        raises(mysql.connector.ProgrammingError, cursor.execute, "SELECT nothing FROM nowhere")
        cursor.execute("INSERT INTO numbers VALUES (1, 'x')"); conn.rollback()
        conn.autocommit = True; conn.ping(); conn.database = "celadon"
        assert conn.is_connected() and conn.autocommit
        conn.close()
        assert not conn.is_connected()
        # One that is killed leaves at once.
        conn = connect(use_pure=False)
        task = green.spawn(conn.cmd_query, "SELECT SLEEP(1)")
        for _ in range(10): green.sleep(0.001)
        task.kill()
        results = []
        def work(): results.append(ask(use_pure=False)[1])
        thread = threading.Thread(target=work); thread.start(); thread.join()
        assert results == [[(0, 42)]]
        """,
        prelude=MYSQL_CONNECTOR + services.names(MYSQL_CONNECTOR),
        malloc="default",
    )


PYMSSQL = (
    SOCKETS
    + """
import pymssql
from tests.support import sql_server
listener = socket.create_server(("127.0.0.1", 0))
asked, may_end = green.Queue(), green.Event()
def answers(batch):
    # It is a greenlet of the process whose other greenlets ask.
    asked.put(batch)
    if "slow" in batch: may_end.wait()
    if "wrong" in batch: return "no such thing"
    return [1, 2, 3] if batch.startswith("SELECT") else []
def accept():
    while True:
        conn, _ = listener.accept()
        green.spawn(sql_server.serve, conn, answers)
green.spawn(accept)
def connect(**options):
    port = str(listener.getsockname()[1])
    return pymssql.connect(server="127.0.0.1", port=port, user="a", password="b", **options)
def until_asked(batch):
    while asked.get(timeout=TIMEOUT) != batch: pass
def all_of(cursor, batch):
    cursor.execute(batch)
    return cursor.fetchall()
"""
)


@pytest.mark.row("G22")
@pytest.mark.library("pymssql")
def test_pymssql() -> None:
    run_green(
        """
        conn = connect()
        cursor = conn.cursor()
        task = green.spawn(all_of, cursor, "SELECT slow")
        until_asked("SELECT slow")
        with connect() as other, other.cursor() as rows:  # both of which ask meanwhile
            assert all_of(rows, "SELECT a") == [(1,), (2,), (3,)]
        assert not task.ready()
        may_end.set()
        assert task.get() == [(1,), (2,), (3,)]
        for ask, given in ((cursor.execute, (1,)), (cursor.executemany, [(1,)])):
            error = raises(pymssql.OperationalError, ask, "wrong %s", given)
            assert error.args[0] == 50_000 and b"no such thing" in error.args[1]
        cursor.execute("SELECT a")
        assert cursor.description[0][0] == "number"
        assert cursor.fetchone() == (1,) and cursor.fetchmany(1) == [(2,)] and [*cursor] == [(3,)]
        assert cursor.nextset() is None
        assert all_of(conn.cursor(as_dict=True), "SELECT a")[0] == {"number": 1}
        conn.commit(); conn.rollback(); conn.autocommit(True)
        for batch in ("COMMIT TRAN", "ROLLBACK TRAN"): until_asked(batch)
        cursor.close(); conn.close()
        from celadon import drivers
        assert not drivers.problems(), drivers.problems()
        os._exit(0)
        """,
        prelude=PYMSSQL,
        malloc="default",
    )


@pytest.mark.row("G22")
def test_pymssql_whose_query_is_killed() -> None:
    """It leaves at once; who uses its connection next waits for the end of its call."""
    run_green(
        """
        conn = connect()
        first, second = conn.cursor(), conn.cursor()
        task = green.spawn(all_of, first, "SELECT slow")
        until_asked("SELECT slow")
        task.kill()
        assert task.ready() and not may_end.is_set()
        task = green.spawn(all_of, second, "SELECT next")
        with connect() as other, other.cursor() as rows:  # as long as all this takes
            all_of(rows, "SELECT other")
        until_asked("SELECT other")
        assert asked.empty() and not task.ready()
        may_end.set()
        assert task.get(timeout=TIMEOUT) == [(1,), (2,), (3,)]
        os._exit(0)
        """,
        prelude=PYMSSQL,
        malloc="default",
    )


PYODBC = """
import pyodbc
def connect(**options): return pyodbc.connect(
    f"Driver={odbc_driver};Server=127.0.0.1;Port={postgres_port};Database=celadon;Uid=celadon", **options)
def ask(sql="SELECT pg_sleep(0.2), 42"):
    with connect() as conn: return conn.execute(sql).fetchone()[-1]
"""


def pyodbc(services: Services) -> str:
    folder = Path("/usr/lib")
    driver = next(folder.glob("*/odbc/psqlodbcw.so"), None) or missing(
        "odbc-postgresql"
    )
    return f"{SOCKETS}odbc_driver = {str(driver)!r}\n{services.names(PYODBC)}{PYODBC}"


@pytest.mark.row("G22")
@pytest.mark.library("pyodbc")
def test_pyodbc(services: Services) -> None:
    run_green(
        """
        got, count = ticks(ask)
        assert got == 42 and count >= 3, (got, count)
        tasks = [green.spawn(ask) for _ in range(10)]
        assert [task.get() for task in tasks] == [42] * 10
        conn = connect()
        assert isinstance(conn, pyodbc.Connection) and isinstance(conn.cursor(), pyodbc.Cursor)
        cursor = conn.cursor()
        assert cursor.execute("CREATE TEMPORARY TABLE numbers (n int)") is cursor
        cursor.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(100)])
        conn.commit()
        assert [row.n for row in cursor.execute("SELECT n FROM numbers ORDER BY n")] == list(range(100))
        assert cursor.connection is conn and cursor.description[0][0] == "n"
        assert cursor.execute("SELECT count(*) FROM numbers").fetchval() == 100
        assert cursor.tables(tableType="SYSTEM TABLE").fetchone().table_type == "SYSTEM TABLE"
        raises(pyodbc.Error, cursor.execute, "SELECT nothing")
        conn.rollback()
        cursor.execute("INSERT INTO numbers VALUES (7)"); conn.rollback()
        conn.autocommit = True
        assert conn.autocommit and cursor.execute("SELECT max(n) FROM numbers").fetchone()[0] == 99
        # One that is killed leaves at once, and who comes next waits for the end of its call.
        holder = connect(autocommit=True); holder.execute("SELECT pg_advisory_lock(7)")
        task = green.spawn(conn.execute, "SELECT pg_advisory_lock(7)")
        for _ in range(10): green.sleep(0.001)
        task.kill()
        soon(holder.execute, "SELECT pg_advisory_unlock(7)")
        got, count = ticks(lambda: conn.execute("SELECT 7").fetchone()[0])
        assert got == 7 and count >= 3
        conn.close()
        raises(pyodbc.ProgrammingError, conn.cursor)
        """,
        prelude=pyodbc(services),
        malloc="default",
    )


# What a loop of its own does to others, and what helps.
LOOPS = {
    "uvloop": "import asyncio, uvloop\ndef wait(): return uvloop.run(asyncio.sleep(0.2, 42))",
    "eventlet": "import eventlet\ndef wait(): return eventlet.sleep(0.2) or 42",
}


@pytest.mark.parametrize("library", shown(LOOPS))
def test_what_has_a_loop_of_its_own_holds_the_others(library: str) -> None:
    run_green(
        """
        got, count = ticks(wait)
        assert got == 42 and count <= 1, (got, count)
        results = []
        def work(): results.append(wait())
        _, count = ticks(green.native_thread(work).join)
        assert results == [42] and count >= 3, (results, count)
        """,
        prelude=SOCKETS + LOOPS[library] + "\n",
        malloc="default",
    )


@pytest.mark.row("G22")
def test_duckdb_finds_variables_of_who_calls() -> None:
    run_green(
        """
        import duckdb
        numbers = duckdb.sql("SELECT 42 AS n")
        of_conn = duckdb.connect()
        def look(ask, made_by):
            here = made_by.sql("SELECT 7 AS n")
            return ask("SELECT n FROM here").fetchall()
        def look_all():
            for made_by in (duckdb, of_conn):
                for ask in (made_by.sql, made_by.execute):
                    assert look(ask, made_by) == [(7,)]
            assert duckdb.sql("SELECT n FROM numbers").fetchall() == [(42,)]
        look_all()
        green.spawn(look_all).get()
        found = []
        thread = threading.Thread(target=lambda: (look_all(), found.append(1)))
        thread.start(); thread.join()
        assert found
        os._exit(0)
        """,
        prelude=SOCKETS,
        malloc="default",
    )


def test_objects_are_what_they_were() -> None:
    run_green(
        """
        import confluent_kafka, duckdb
        class Own(confluent_kafka.Consumer):
            def poll(self, *args): return super().poll(*args)
        consumer = Own({"bootstrap.servers": "127.0.0.1:1", "group.id": "x", "log_level": 0})
        assert isinstance(consumer, confluent_kafka.Consumer)
        # One call at a time uses it, and one that is killed gives it back at its end.
        first, second = green.spawn(consumer.poll, 0.2), green.spawn(consumer.poll, 0.01)
        green.sleep(0)
        first.kill()
        assert second.get() is None
        consumer.close()
        with duckdb.connect() as conn:
            conn.execute("CREATE TABLE numbers AS SELECT range AS n FROM range(10)")
            raises(duckdb.Error, conn.execute, "SELECT nothing")
            assert conn.sql("SELECT sum(n) FROM numbers").fetchall() == [(45,)]
        results = []
        thread = threading.Thread(target=lambda: results.append(duckdb.connect().execute("SELECT 7").fetchall()))
        thread.start(); thread.join()
        assert results == [[(7,)]]
        os._exit(0)
        """,
        prelude=SOCKETS,
        malloc="default",
    )
