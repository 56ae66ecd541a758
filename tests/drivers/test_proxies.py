"""Libraries that wait in C: who calls waits, and nobody else."""

from __future__ import annotations

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green
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
@pytest.mark.parametrize("library", CALLS)
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


def test_mysql_connector_is_pure_unless_asked_otherwise(services: Services) -> None:
    run_green(
        """
        import mysql.connector
        def connect(): return mysql.connector.connect(
            host="127.0.0.1", port=mariadb_port, user="celadon", database="celadon")
        def ask():
            conn = connect(); cursor = conn.cursor()
            cursor.execute("SELECT SLEEP(0.2), 42")
            try: return type(conn), cursor.fetchall()
            finally: conn.close()
        got, count = ticks(ask)
        assert got == (mysql.connector.MySQLConnection, [(0, 42)]) and count >= 3, (got, count)
        tasks = [green.spawn(ask) for _ in range(10)]
        assert [task.get()[1] for task in tasks] == [[(0, 42)]] * 10
        """,
        prelude=SOCKETS + services.names("mariadb_port"),
        malloc="default",
    )


@pytest.mark.row("G22")
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
