"""sqlite3: who waits for a locked database lets the others run."""

from __future__ import annotations

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green

PRELUDE = (
    SOCKETS
    + """
import sqlite3, tempfile
folder = tempfile.TemporaryDirectory()
path = folder.name + "/base"
def connect(**options): return sqlite3.connect(path, **options)
base = connect(); base.execute("CREATE TABLE t (n int)"); base.commit()
def count(): return base.execute("SELECT count(*) FROM t").fetchone()[0]
def hold(seconds, conn=None):
    conn = conn or connect()
    conn.execute("INSERT INTO t VALUES (1)"); held.set()
    # By turns of the loop, in which others could run, however long they last.
    for _ in range(int(seconds * 1000)): green.sleep(0.001)
    conn.commit()
held = green.Event()
def held_by(*args):
    held.clear(); task = green.spawn(hold, *args); held.wait(); return task
"""
)


def run_sqlite(source: str) -> None:
    run_green(source, prelude=PRELUDE)


@pytest.mark.library("sqlite3")
def test_a_writer_waits_for_another() -> None:
    run_sqlite(
        """
        other = connect()
        def write(): other.execute("INSERT INTO t VALUES (2)"); other.commit()
        holder = held_by(0.05)
        _, ticked = ticks(write)
        assert ticked >= 3, ticked
        holder.get(); assert count() == 2
        # After BEGIN, for BEGIN IMMEDIATE, for many rows, in a block, in a script.
        for begin in ["BEGIN", "BEGIN IMMEDIATE"]:
            other = connect(isolation_level=None); holder = held_by(0.02)
            other.execute(begin); other.execute("INSERT INTO t VALUES (3)"); other.execute("COMMIT")
            holder.get()
        other = connect(); holder = held_by(0.02)
        with other: other.executemany("INSERT INTO t VALUES (?)", ((n,) for n in range(5)))
        holder.get(); assert count() == 2 + 4 + 1 + 5
        other.executescript("INSERT INTO t VALUES (4); INSERT INTO t VALUES (5);")
        assert count() == 14
        """
    )


def test_a_commit_waits_for_readers() -> None:
    run_sqlite(
        """
        for n in range(10): base.execute("INSERT INTO t VALUES (1)")
        base.commit()
        reader, writer = connect(), connect()
        rows = reader.execute("SELECT * FROM t")
        next(rows)
        writer.execute("INSERT INTO t VALUES (2)")
        soon(rows.fetchall)
        _, ticked = ticks(writer.commit)
        assert ticked >= 1 and count() == 11
        """
    )


def test_the_time_is_the_users() -> None:
    run_sqlite(
        """
        def keep(conn): conn.execute("INSERT INTO t VALUES (1)"); held.set(); done.wait(); conn.commit()
        done = green.Event(); holder = green.spawn(keep, connect()); held.wait()
        began = time.monotonic()
        error = raises(sqlite3.OperationalError, connect(timeout=0.05).execute, "INSERT INTO t VALUES (2)")
        assert time.monotonic() - began > 0.04 and "locked" in str(error)
        raises(sqlite3.OperationalError, connect(timeout=0).execute, "INSERT INTO t VALUES (2)")
        assert not holder.ready()
        done.set(); holder.get()
        """
    )


def test_the_time_is_said_by_its_name() -> None:
    """From CPython 3.13 on another way is deprecated, from 3.15 on it is an error."""
    run_sqlite(
        """
        from celadon.drivers import sqlite3 as adapter
        class Native(sqlite3.Connection.__mro__[1]):
            def __init__(self, database, *, timeout=5.0): super().__init__(database, timeout=timeout)
        ours = adapter._connection_class(Native, adapter._cursor_class(sqlite3.Cursor.__mro__[1]))
        def timeout(*args, **words):
            with_it = ours(":memory:", *args, **words)
            return with_it.execute("PRAGMA busy_timeout").fetchone()[0]
        assert (timeout(), timeout(timeout=2)) == (5000, 2000)
        raises(TypeError, ours, ":memory:", 3)
        """
    )


def test_two_that_would_wait_for_each_other_do_not() -> None:
    run_sqlite(
        """
        base.execute("INSERT INTO t VALUES (1)"); base.commit()
        a, b = (connect(isolation_level=None, timeout=3600) for _ in "ab")
        for conn in a, b:
            conn.execute("BEGIN"); conn.execute("SELECT * FROM t").fetchall()
        a.execute("INSERT INTO t VALUES (2)")
        raises(sqlite3.OperationalError, b.execute, "INSERT INTO t VALUES (3)")
        b.execute("ROLLBACK"); a.execute("COMMIT")
        assert count() == 2
        """
    )


def test_types_and_factories() -> None:
    run_sqlite(
        """
        class Mine(sqlite3.Connection): pass
        class Cursor(sqlite3.Cursor): pass
        conn = connect(factory=Mine)
        assert isinstance(conn, Mine) and isinstance(conn.cursor(Cursor), Cursor)
        assert isinstance(conn.execute("SELECT 1"), sqlite3.Cursor)
        conn.row_factory = sqlite3.Row
        assert conn.execute("SELECT 1 AS one").fetchone()["one"] == 1
        raises(sqlite3.OperationalError, conn.execute, "SELECT nothing")
        raises(sqlite3.ProgrammingError, conn.execute, "SELECT ?", ())
        for no_text in (5, b"SELECT 1"):
            raises(TypeError, conn.execute, no_text)
            raises(TypeError, conn.executescript, no_text)
        assert conn.execute("PRAGMA busy_timeout").fetchone()[0] == 5000
        results = []
        thread = threading.Thread(target=lambda: results.append(connect().execute("SELECT 1").fetchone()))
        thread.start(); thread.join()
        assert results == [(1,)]
        try:
            with conn: conn.execute("INSERT INTO t VALUES (9)"); raise KeyError
        except KeyError: pass
        else: raise AssertionError
        assert count() == 0
        """
    )


def test_r04_nothing_is_tried_again_in_front_of_the_applications_class() -> None:
    """Its cursor ends the transaction: a repeated statement would stand outside of it."""
    run_sqlite(
        """
        class Careful(sqlite3.Cursor):
            def execute(self, *args):
                calls.append(args)
                try: return sqlite3.Cursor.execute(self, *args)
                except sqlite3.DatabaseError:
                    self.connection.rollback(); raise
        calls = []
        base.execute("INSERT INTO t VALUES (0)"); base.commit()
        ours = connect(isolation_level=None, timeout=3600).cursor(Careful)
        ours.execute("BEGIN"); (n,), = ours.execute("SELECT n FROM t").fetchall()
        other = connect(isolation_level=None)
        other.execute("BEGIN IMMEDIATE"); other.execute("UPDATE t SET n = n + 10")
        raises(sqlite3.OperationalError, ours.execute, "UPDATE t SET n = ?", (n + 1,))
        assert len(calls) == 3 and not ours.connection.in_transaction
        other.execute("COMMIT")
        assert base.execute("SELECT n FROM t").fetchall() == [(10,)]
        # Where waiting helps it is done below of that class, which hears nothing of it.
        holder = held_by(0.02)
        ours.execute("INSERT INTO t VALUES (3)")
        holder.get(); assert len(calls) == 4
        """
    )


def test_r04_rows_reach_the_applications_class_as_they_are() -> None:
    run_sqlite(
        """
        class Formatting(sqlite3.Cursor):
            def executemany(self, sql, rows):
                return sqlite3.Cursor.executemany(self, sql % (("?",) * len(rows[0])), rows)
        cursor = connect().cursor(Formatting)
        cursor.executemany("INSERT INTO t VALUES (%s)", [(1,), (2,)])
        assert cursor.rowcount == 2
        """
    )


def test_r04_no_row_is_lost_or_doubled_where_one_finds_a_lock() -> None:
    run_sqlite(
        """
        conn = connect(isolation_level=None); holders = []
        def rows():
            for n in range(4):
                if n in (0, 2): holders.append(held_by(0.02))
                yield (100 + n,)
        cursor = conn.executemany("INSERT INTO t VALUES (?)", rows())
        assert cursor.rowcount == 4, cursor.rowcount
        for each in holders: each.get()
        found = base.execute("SELECT n FROM t WHERE n >= 100 ORDER BY rowid").fetchall()
        assert found == [(100 + n,) for n in range(4)], found
        assert cursor.execute("UPDATE t SET n = 0 WHERE n = 100").rowcount == 1
        """
    )


def test_r04_a_write_in_a_transaction_waits_by_turns_of_the_loop() -> None:
    """Where SQLite would sleep in C: for another database that is attached."""
    run_sqlite(
        """
        second = folder.name + "/second"
        conn = connect(isolation_level=None); conn.execute(f"ATTACH {second!r} AS second")
        conn.execute("CREATE TABLE second.u (n int)")
        conn.execute("BEGIN"); conn.execute("INSERT INTO t VALUES (1)")
        holder = sqlite3.connect(second); holder.execute("INSERT INTO u VALUES (1)")
        soon(holder.commit)
        _, ticked = ticks(lambda: conn.execute("INSERT INTO second.u VALUES (2)"))
        assert ticked >= 1
        conn.execute("COMMIT")
        assert holder.execute("SELECT count(*) FROM u").fetchone() == (2,)
        """
    )


def test_classes_are_below_those_of_the_application() -> None:
    run_sqlite(
        """
        import inspect, pickle
        assert sqlite3.connect is sqlite3.dbapi2.connect
        assert isinstance(connect(), sqlite3.Connection)
        assert isinstance(connect().cursor(), sqlite3.Cursor)
        assert repr(sqlite3.Cursor) == "<class 'sqlite3.Cursor'>"
        class Own(sqlite3.Connection):
            def __init__(self, *args, **options): super().__init__(*args, **options)
        def positional():  # by names alone since 3.15
            try: return [sqlite3.connect(path, 7, 0, None, True, Own)]
            except TypeError as error: assert "positional argument" in str(error), error
            return []
        named = sqlite3.connect(path, timeout=7, factory=Own)
        for conn in Own(path, timeout=7), named, *positional():
            assert type(conn) is Own and conn._celadon_timeout == 7
            holder = held_by(0.02)
            conn.execute("INSERT INTO t VALUES (5)"); conn.commit(); holder.get()
        made = sqlite3.connect(path, factory=lambda *a, **k: Own(*a, **k))
        assert type(made) is Own
        # Opened where nothing can wait, used where it can.
        made = []
        thread = threading.Thread(target=lambda: made.append(connect(check_same_thread=False)))
        thread.start(); thread.join()
        holder = held_by(0.02)
        _, ticked = ticks(lambda: made[0].execute("INSERT INTO t VALUES (6)"))
        assert ticked >= 1; holder.get(); made[0].commit()
        """
    )


@pytest.mark.parametrize(
    "pragma",
    ["PRAGMA busy_timeout = 2000", "pragma main.busy_timeout(2000);", "script"],
)
def test_a_busy_timeout_in_sql_is_waited_for_by_the_greenlet(pragma: str) -> None:
    run_sqlite(
        f"""
        other = connect(timeout=0, isolation_level=None)
        if {pragma!r} == "script": other.executescript("SELECT 1; PRAGMA busy_timeout = 2000;")
        else: assert other.execute({pragma!r}).fetchall() == [(2000,)]
        asked = other.execute("PRAGMA busy_timeout")
        assert asked.description[0][0] == "timeout" and asked.fetchone() == (2000,)
        def write(): other.execute("INSERT INTO t VALUES (2)")
        holder = held_by(0.05)
        _, ticked = ticks(write)
        assert ticked >= 3, ticked
        holder.get(); assert count() == 2
        other.executescript("INSERT INTO t VALUES (3); PRAGMA busy_timeout = 0")
        holder = held_by(0.05)
        try: write()
        except sqlite3.OperationalError: pass
        else: raise AssertionError
        holder.get()
        other.execute("INSERT INTO t VALUES ('; PRAGMA busy_timeout=7')")
        """
    )
