"""sqlite3: a locked database is waited for by the greenlet, not by the worker.

SQLite sleeps in C while another connection holds its lock; if that one belongs to a
greenlet that is parked, it sleeps in vain. So connections are opened without that busy
timeout, and what found the database locked is tried again, at SQLite's own intervals and
for as long as `timeout` says.

This is done in classes that stand below those of the application: `sqlite3.Connection`
and `sqlite3.Cursor` are ours, and what is tried again is the call of CPython's own method,
never code of the application's. What changed in between (the transaction has ended) is
not tried again.

SQLite waits only where that can help: not for a write after a read in the same
transaction, when both might wait for each other. Whether it would is seen by whether it
sleeps, for a millisecond.
"""

from __future__ import annotations

import itertools
import re
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
_FACTORY = 5  # its place among the arguments of `connect`
_PROBE = 0.001  # seconds
_BUSY_TIMEOUT = re.compile(
    r"""(?:^|;) \s* PRAGMA \s+ (?:\w+\s*\.\s*)? busy_timeout \s*
    (?: [=(] \s* ['"]? ([+-]?\d+) )? [\s'")]* (?=;|$)""",
    re.IGNORECASE | re.VERBOSE,
)


def adapt(sqlite3: ModuleType) -> None:
    cursor = _cursor_class(sqlite3.Cursor)
    connection = _connection_class(sqlite3.Connection, cursor)
    native = sqlite3.connect

    def connect(*args: Any, **kwargs: Any) -> Any:
        if len(args) <= _FACTORY:
            kwargs.setdefault("factory", connection)
        return native(*args, **kwargs)

    connect.__doc__ = native.__doc__
    connect.__module__, connect.__qualname__ = native.__module__, native.__qualname__
    for module in (sqlite3, sqlite3.dbapi2):
        replace(module, "Cursor", cursor)
        replace(module, "Connection", connection)
        replace(module, "connect", connect)


def _set_own_timeout(conn: Any, sql: str) -> None:
    """As the application says in SQL, as Django's `init_command` may."""
    for millis in _BUSY_TIMEOUT.findall(sql) if isinstance(sql, str) else ():
        if millis:
            conn._celadon_timeout = max(0, int(millis)) / 1000


def _is_busy(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == _BUSY


def _waiting(conn: Any, call: Callable[[], T], waits: bool) -> T:
    """`call`, which found the database locked: until it is free, or the time is up.

    Where SQLite may not wait for it (not `waits`), it is asked.
    """
    end = time.monotonic() + conn._celadon_timeout
    if not can_park():
        return _with_timeout(conn, conn._celadon_timeout, call)
    never = Event("database")  # a wait for the database, where the time is accounted
    in_transaction = conn.in_transaction
    delays = itertools.chain(_DELAYS, itertools.repeat(_DELAYS[-1]))
    while True:
        began = time.monotonic()
        try:
            return call() if waits else _with_timeout(conn, _PROBE, call)
        except Exception as error:
            now = time.monotonic()
            has_slept = waits or now - began >= _PROBE
            if not _is_busy(error) or not has_slept or now >= end:
                raise
            if conn.in_transaction != in_transaction:
                raise
            never.wait(min(end - now, next(delays)))


def _with_timeout(conn: Any, seconds: float, call: Callable[[], T]) -> T:
    """As SQLite itself waits."""
    _set_timeout(conn, seconds)
    try:
        return call()
    finally:
        _set_timeout(conn, 0)


def _set_timeout(conn: Any, seconds: float) -> None:
    pragma = f"PRAGMA busy_timeout = {int(seconds * 1000)}"
    conn._celadon_plain_cursor().execute(pragma).close()


def _named_as(native: type, **members: Any) -> Any:
    """A class below it that is called the same."""
    place = {
        "__module__": native.__module__,
        "__qualname__": native.__qualname__,
        "__doc__": native.__doc__,
    }
    return type(native.__name__, (native,), place | members)


def _connection_class(native: Any, cursor_class: Any) -> Any:
    def __init__(self: Any, database: Any, *args: Any, **kwargs: Any) -> None:
        if args:  # before CPython 3.15, which takes it by its name alone
            timeout, args = args[0], (0, *args[1:])
        else:
            timeout = kwargs.pop("timeout", 5.0)
            kwargs["timeout"] = 0
        native.__init__(self, database, *args, **kwargs)
        self._celadon_timeout = timeout

    def cursor(self: Any, factory: Any = _DEFAULT) -> Any:
        return native.cursor(self, cursor_class if factory is _DEFAULT else factory)

    # CPython's own make a cursor past the method above.
    def execute(self: Any, *args: Any) -> Any:
        return self.cursor().execute(*args)

    def executemany(self: Any, *args: Any) -> Any:
        return self.cursor().executemany(*args)

    def executescript(self: Any, *args: Any) -> Any:
        return self.cursor().executescript(*args)

    def commit(self: Any) -> None:
        try:
            native.commit(self)
        except Exception as error:
            if not _is_busy(error) or not self._celadon_timeout:
                raise
            _waiting(self, lambda: native.commit(self), waits=True)

    def __exit__(self: Any, kind: Any, error: Any, trace: Any) -> Any:
        if kind is not None or not self.in_transaction:
            return native.__exit__(self, kind, error, trace)
        try:
            self.commit()
        except BaseException:
            self.rollback()
            raise
        return False

    def plain_cursor(self: Any) -> Any:
        return native.cursor(self)

    return _named_as(
        native,
        _celadon_timeout=0.0,
        _celadon_fresh=False,  # a transaction was begun, and has done nothing yet
        _celadon_plain_cursor=plain_cursor,
        __init__=__init__,
        cursor=cursor,
        execute=execute,
        executemany=executemany,
        executescript=executescript,
        commit=commit,
        __exit__=__exit__,
    )


class _Rows:
    """Rows that are given one by one: the last one again, if it found a lock."""

    def __init__(self, rows: Any) -> None:
        self._rest = iter(rows)
        self._last: tuple[Any, ...] = ()

    def __iter__(self) -> Iterator[Any]:
        return itertools.chain(self._last, self._remember())

    def _remember(self) -> Iterator[Any]:
        for row in self._rest:
            self._last = (row,)
            yield row


def _cursor_class(native: Any) -> Any:
    own_count = native.rowcount.__get__

    def execute(self: Any, sql: str, *args: Any) -> Any:
        is_ours = hasattr(self.connection, "_celadon_timeout")
        if is_ours and isinstance(sql, str) and _BUSY_TIMEOUT.search(sql):
            _set_own_timeout(self.connection, sql)
            # SQLite's own is always 0 here: it answers with what holds instead.
            millis = int(self.connection._celadon_timeout * 1000)
            return native.execute(self, f"SELECT {millis} AS timeout")
        return run(self, native.execute, sql, *args)

    def executemany(self: Any, sql: str, rows: Any, /) -> Any:
        return run(self, native.executemany, sql, _Rows(rows))

    def executescript(self: Any, script: str, /) -> Any:
        conn = self.connection
        if not hasattr(conn, "_celadon_timeout"):
            return native.executescript(self, script)
        try:
            return _with_timeout(
                conn, conn._celadon_timeout, lambda: native.executescript(self, script)
            )
        finally:
            _set_own_timeout(conn, script)

    def rowcount(self: Any) -> int:
        last: int = own_count(self)
        return last if last < 0 else last + self._celadon_done

    def run(self: Any, method: Any, sql: str, *args: Any) -> Any:
        conn = self.connection
        may_wait = getattr(conn, "_celadon_fresh", False) or not conn.in_transaction
        self._celadon_done, before = 0, conn.total_changes

        def again() -> Any:
            self._celadon_done = conn.total_changes - before
            return method(self, sql, *args)

        try:
            result = method(self, sql, *args)
        except Exception as error:
            if not _is_busy(error) or not getattr(conn, "_celadon_timeout", 0):
                raise
            is_end = sql.lstrip()[:6].upper() in ("COMMIT", "END")
            result = _waiting(conn, again, may_wait or is_end)
        if hasattr(conn, "_celadon_fresh"):
            conn._celadon_fresh = sql.lstrip()[:5].upper() == "BEGIN"
        return result

    return _named_as(
        native,
        _celadon_done=0,  # rows that were changed before the call that is tried again
        execute=execute,
        executemany=executemany,
        executescript=executescript,
        rowcount=property(rowcount),
    )
