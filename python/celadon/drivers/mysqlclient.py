"""mysqlclient: waits in C, so what may wait runs on native threads.

A greenlet that is killed meanwhile gives up, and the connection with it: it is closed
once its call has ended. One call at a time uses a connection, as the C library has it.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from celadon import green
from celadon._core.green import can_park
from celadon.drivers import budget
from celadon.green.offload import run_offloaded
from celadon.patch.registry import replace

# Methods of a connection that ask the server.
_ASKING = (
    "query",
    "store_result",
    "next_result",
    "discard_result",
    "commit",
    "rollback",
    "autocommit",
    "set_character_set",
    "ping",
    "change_user",
    "select_db",
    "set_server_option",
    "shutdown",
    "stat",
    "kill",
    "dump_debug_info",
)
_BATCH = 100  # rows of an unbuffered result that are fetched at once


def adapt(connections: ModuleType) -> None:
    cls: Any = connections.Connection
    _adapt_start(cls, connections._mysql.OperationalError)
    for name in _ASKING:
        if hasattr(cls, name):
            replace(cls, name, _offloaded(getattr(cls, name)))
    _adapt_cursors(connections)


def _adapt_start(cls: Any, error: type[Exception]) -> None:
    native, native_close = cls.__init__, cls.close
    cls._celadon_close = native_close

    @functools.wraps(native)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        self._celadon_turn = green.Lock()
        host = kwargs.get("unix_socket") or kwargs.get("host") or (args or [""])[0]
        name = budget.name_of("mysql", host, kwargs.get("port") or 3306)

        def make() -> Any:
            _alone(self, native, *args, **kwargs)
            return self

        budget.connect(name, error, make, lambda conn: not conn.open)

    @functools.wraps(native_close)
    def close(self: Any) -> None:
        try:
            _alone(self, _unless_left(native_close))
        finally:
            budget.leave(self)

    replace(cls, "__init__", __init__)
    replace(cls, "close", close)


def _unless_left(native: Any) -> Any:
    """What ends the use of a connection finds nothing to do where its caller was killed.

    An error of the driver would take the place of the kill.
    """

    def end(conn: Any) -> Any:
        return None if "_celadon_left" in vars(conn) else native(conn)

    return end


def _offloaded(native: Any) -> Any:
    @functools.wraps(native, assigned=("__name__", "__doc__"))
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _alone(self, native, *args, **kwargs)

    return method


def _alone(conn: Any, native: Any, *args: Any, **kwargs: Any) -> Any:
    """``native(conn, ...)`` on a native thread, while nobody else uses `conn`."""
    if not can_park():
        return native(conn, *args, **kwargs)
    turn = conn._celadon_turn
    turn.acquire()

    def call() -> Any:
        return native(conn, *args, **kwargs)

    def give_up() -> None:
        """The caller was killed: the answer belongs to nobody, nor does the rest."""
        conn._celadon_left = True
        if conn.open:
            conn._celadon_close()
        budget.leave(conn)

    return run_offloaded(call, turn.release, give_up)


def _adapt_cursors(connections: ModuleType) -> None:
    import MySQLdb.cursors  # type: ignore[import-untyped]

    mixin: Any = MySQLdb.cursors.CursorUseResultMixIn

    def _fetch_row(self: Any, size: int = 1) -> Any:
        """From a batch: a thread for each row would cost more than the row."""
        result = self._result
        if not result:
            return ()
        rows = self.__dict__.setdefault("_celadon_rows", [])
        if not rows or self.__dict__.get("_celadon_result") is not result:
            self._celadon_result = result
            rows[:] = _fetch(self, result, max(size, _BATCH) if size else 0)
        if size == 0:
            rows += _fetch(self, result, 0)
            size = len(rows)
        elif len(rows) < size:
            rows += _fetch(self, result, size - len(rows))
        found = tuple(rows[:size])
        del rows[:size]
        return found

    base: Any = MySQLdb.cursors.BaseCursor
    discard = base._discard

    def _discard(self: Any) -> None:
        conn = self.connection
        if conn is None:
            discard(self)
        else:
            _alone(conn, _unless_left(lambda _: discard(self)))

    mixin._fetch_row = _fetch_row
    replace(base, "_discard", _discard)


def _fetch(cursor: Any, result: Any, size: int) -> Any:
    kind = cursor._fetch_type
    return _alone(cursor.connection, lambda _: result.fetch_row(size, kind))
