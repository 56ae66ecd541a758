"""mysqlclient on native threads."""

from __future__ import annotations

from tests.drivers.test_drivers import prelude
from tests.support.green import run_green
from tests.support.services import Services


def run_mysql(source: str, services: Services) -> None:
    run_green(source, prelude=prelude(services, "mysqlclient"), malloc="default")


def test_everything_still_works(services: Services) -> None:
    run_mysql(
        """
        import MySQLdb.cursors
        conn = connect(); cursor = conn.cursor()
        cursor.execute("CREATE TEMPORARY TABLE numbers (n int, t text)")
        cursor.executemany("INSERT INTO numbers VALUES (%s, %s)", [(n, f"t{n}") for n in range(1000)])
        conn.commit()
        cursor.execute("SELECT * FROM numbers ORDER BY n")
        assert cursor.rowcount == 1000 and cursor.fetchone() == (0, "t0")
        assert len(cursor.fetchall()) == 999
        with conn.cursor(MySQLdb.cursors.SSDictCursor) as cursor:
            cursor.execute("SELECT * FROM numbers ORDER BY n")
            assert cursor.fetchone()["t"] == "t0"
            assert [row["n"] for row in cursor.fetchmany(150)] == list(range(1, 151))
            assert [row["n"] for row in cursor] == list(range(151, 1000))
            cursor.execute("SELECT n FROM numbers ORDER BY n")
            assert cursor.fetchone() == {"n": 0}
            assert len(cursor.fetchall()) == 999
            cursor.execute("SELECT n FROM numbers")  # left unread
        cursor = conn.cursor(); cursor.execute("SELECT 5"); assert cursor.fetchone() == (5,)
        cursor.execute("INSERT INTO numbers VALUES (1, 'x')"); conn.rollback()
        conn.ping(); conn.select_db("celadon"); conn.autocommit(True)
        assert conn.get_autocommit() and conn.stat()
        try: cursor.execute("SELECT nothing"); raise AssertionError
        except MySQLdb.OperationalError as error: assert error.args[0] == 1054
        conn.close()
        try: conn.close(); raise AssertionError
        except MySQLdb.Error: pass
        """,
        services,
    )


def test_one_call_at_a_time_and_a_killed_one_ends_the_connection(
    services: Services,
) -> None:
    run_mysql(
        """
        conn = connect()
        tasks = [green.spawn(ask, conn, f"SELECT SLEEP(0.002), {n}") for n in range(3)]
        for task in tasks: task.join()
        task = green.spawn(ask, conn := connect(), "SELECT SLEEP(600), 1")
        watcher = connect()
        def which():
            return ask(watcher, "SELECT max(id) FROM information_schema.processlist"
                                " WHERE info LIKE 'SELECT SLEEP(600%'"
                                " AND id <> connection_id()")
        while not which(): green.sleep(0.001)
        task.kill()
        assert which(), "it left at once"
        late = green.spawn(ask, conn, "SELECT 1")
        assert ask(connect(), "SELECT 7") == 7
        assert not late.ready(), "the call goes on"
        watcher.query(f"KILL QUERY {which()}")
        late.join()
        assert isinstance(late.exception, MySQLdb.Error), late.exception
        """,
        services,
    )
