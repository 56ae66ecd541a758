"""sqlite3: a locked database is waited for by the greenlet, not by the worker.

SQLite sleeps in C while another connection holds its lock; if that one belongs to a
greenlet that is parked, it sleeps in vain. So connections are opened without that busy
timeout, and what found the database locked is tried again, at SQLite's own intervals and
for as long as `timeout` says.

SQLite waits only where that can help: not for a write after a read in the same
transaction, when both might wait for each other. There its own answer is asked for, by
turning its timeout on for the statement.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, TypeVar

from celadon._core.green import Event, can_park
from celadon.patch.registry import replace

T = TypeVar("T")

_BUSY = 5  # SQLITE_BUSY
_DEFAULT = object()
_DELAYS = (0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.025, 0.025, 0.025, 0.05, 0.05, 0.1)


def adapt(sqlite3: ModuleType) -> None:
    native = sqlite3.connect

    @functools.wraps(native)
    def connect(database: Any, timeout: float = 5.0, *args: Any, **kwargs: Any) -> Any:
        factory = kwargs.get("factory", sqlite3.Connection)
        if len(args) > 3 or not isinstance(factory, type) or not can_park():
            return native(database, timeout, *args, **kwargs)
        kwargs["factory"] = _connection_class(factory, sqlite3.Cursor)
        conn = native(database, 0, *args, **kwargs)
        conn._celadon_timeout = timeout
        return conn

    replace(sqlite3, "connect", connect)
    replace(sqlite3.dbapi2, "connect", connect)


def _is_busy(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == _BUSY


def _until_free(conn: Any, call: Callable[[], T]) -> T:
    end = time.monotonic() + conn._celadon_timeout
    never = Event("database")  # a wait for the database, where the time is accounted
    attempt = 0
    while True:
        try:
            return call()
        except Exception as error:
            left = end - time.monotonic()
            if not _is_busy(error) or left <= 0:
                raise
        never.wait(min(left, _DELAYS[min(attempt, len(_DELAYS) - 1)]))
        attempt += 1


def _as_sqlite_waits(conn: Any, call: Callable[[], T]) -> T:
    _set_timeout(conn, conn._celadon_timeout)
    try:
        return call()
    finally:
        _set_timeout(conn, 0)


def _set_timeout(conn: Any, seconds: float) -> None:
    pragma = f"PRAGMA busy_timeout = {int(seconds * 1000)}"
    conn._celadon_cursor(conn).execute(pragma).close()


class _Connection:
    _celadon_timeout = 0.0
    _celadon_fresh = False  # a transaction was begun, and has done nothing yet
    _celadon_cursor: Any

    def cursor(self, factory: Any = _DEFAULT) -> Any:
        if factory is _DEFAULT:
            factory = self._celadon_cursor
        if isinstance(factory, type):
            factory = _cursor_class(factory)
        native: Any = super()
        return native.cursor(factory)

    # CPython's own make a cursor past the method above.
    def execute(self, *args: Any) -> Any:
        return self.cursor().execute(*args)

    def executemany(self, *args: Any) -> Any:
        return self.cursor().executemany(*args)

    def executescript(self, *args: Any) -> Any:
        return self.cursor().executescript(*args)

    def commit(self) -> None:
        native: Any = super()
        _until_free(self, native.commit)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> Any:
        native: Any = super()
        if kind is not None or not native.in_transaction:
            return native.__exit__(kind, error, trace)
        try:
            self.commit()
        except BaseException:
            native.rollback()
            raise
        return False


class _Rows:
    """Rows that are given one by one: the first one again, if it found a lock."""

    def __init__(self, rows: Any) -> None:
        self._rest = iter(rows)
        self._first: tuple[Any, ...] = ()
        self._given = 0

    def __iter__(self) -> Iterator[Any]:
        return itertools.chain(self._first, self._remember())

    def _remember(self) -> Iterator[Any]:
        for row in self._rest:
            self._first = () if self._given else (row,)
            self._given += 1
            yield row


class _Cursor:
    def execute(self, sql: str, *args: Any) -> Any:
        return self._run(super().execute, sql, *args)  # type: ignore[misc]

    def executemany(self, sql: str, rows: Any, /) -> Any:
        return self._run(super().executemany, sql, _Rows(rows))  # type: ignore[misc]

    def executescript(self, script: str, /) -> Any:
        conn: Any = self.connection  # type: ignore[attr-defined]
        native: Any = super()
        return _as_sqlite_waits(conn, lambda: native.executescript(script))

    def _run(self, native: Any, sql: str, *args: Any) -> Any:
        conn: Any = self.connection  # type: ignore[attr-defined]
        may_wait = conn._celadon_fresh or not conn.in_transaction
        try:
            result = native(sql, *args)
        except Exception as error:
            if not _is_busy(error) or not conn._celadon_timeout:
                raise
            is_end = sql.lstrip()[:6].upper() in ("COMMIT", "END")
            wait = _until_free if may_wait or is_end else _as_sqlite_waits
            result = wait(conn, lambda: native(sql, *args))
        conn._celadon_fresh = sql.lstrip()[:5].upper() == "BEGIN"
        return result


@functools.cache
def _connection_class(base: type, cursor: type) -> type:
    return type(base.__name__, (_Connection, base), {"_celadon_cursor": cursor})


@functools.cache
def _cursor_class(base: type) -> type:
    return type(base.__name__, (_Cursor, base), {})
