"""sqlite3: who waits for a locked database lets the others run."""

from __future__ import annotations

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
        assert conn.execute("PRAGMA busy_timeout").fetchone()[0] == 0
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
