"""SQLite: whoever is stopped while it waits for the database leaves nothing half done, no
transaction open and no lock behind."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from celadon import green
from celadon.testing import Stage

from tests.explorer.catalogue import scenario

_LONG = 3600.0  # seconds that one waits for the database


class Database:
    """A file, and connections to it that are kept, as those of a pool are."""

    def __init__(self, stage: Stage, names: Iterable[str]) -> None:
        folder = tempfile.mkdtemp()
        stage.at_end(lambda: shutil.rmtree(folder))
        self.path = f"{folder}/database"
        with closing(sqlite3.connect(self.path)) as conn, conn:
            conn.execute("CREATE TABLE lines (writer, number)")
            conn.execute("INSERT INTO lines VALUES ('', 0)")
        self.conns = {name: sqlite3.connect(self.path, timeout=_LONG) for name in names}
        for conn in self.conns.values():
            stage.at_end(conn.close)

    def write(self, name: str) -> None:
        conn = self.conns[name]
        with conn:
            conn.execute("INSERT INTO lines VALUES (?, 1)", (name,))
            green.sleep(1)
            more = [(name, 2), (name, 3)]
            conn.executemany("INSERT INTO lines VALUES (?, ?)", more)

    def check(self, stage: Stage, *writers: str) -> None:
        for name, conn in self.conns.items():
            assert not conn.in_transaction, f"{name} has left a transaction open"
        # For who does not wait at all.
        with closing(sqlite3.connect(self.path, timeout=0)) as conn, conn:
            conn.execute("UPDATE lines SET number = number")
            for name in writers:
                found = conn.execute("SELECT * FROM lines WHERE writer = ?", (name,))
                wanted = 3 if stage.ended_by(name) == "value" else 0
                assert len(found.fetchall()) == wanted, f"{name}'s are not whole"


@scenario()
def sqlite_writers(stage: Stage) -> Any:
    """Each holds the database while it waits; the others wait for it."""
    names = "a", "b"
    database = Database(stage, names)
    for name in names:
        stage.spawn(name, database.write, name)
    return lambda: database.check(stage, *names)


@scenario()
def sqlite_commit_behind_a_reader(stage: Stage) -> Any:
    """It is the end of the transaction that waits."""
    database = Database(stage, ("writer", "reader"))

    def read() -> None:
        conn = database.conns["reader"]
        with closing(conn.cursor()) as rows:
            rows.execute("SELECT * FROM lines")
            green.sleep(1)
            assert ("", 0) in rows.fetchall()

    stage.spawn("reader", read)
    stage.spawn("writer", database.write, "writer")
    return lambda: database.check(stage, "writer")


@scenario()
def sqlite_begin_immediate(stage: Stage) -> Any:
    """Without a `with`: the application ends its transactions itself."""
    names = "a", "b"
    database = Database(stage, names)

    def work(name: str) -> None:
        conn = database.conns[name]
        conn.isolation_level = None
        conn.execute("BEGIN IMMEDIATE")
        try:
            conn.execute("INSERT INTO lines VALUES (?, 1)", (name,))
            green.sleep(1)
            conn.execute("INSERT INTO lines VALUES (?, 2)", (name,))
            conn.execute("INSERT INTO lines VALUES (?, 3)", (name,))
        except BaseException:
            conn.execute("ROLLBACK")
            raise
        conn.execute("COMMIT")

    for name in names:
        stage.spawn(name, work, name)
    return lambda: database.check(stage, *names)
