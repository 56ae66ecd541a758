"""Classes that stand below those of the application and of psycopg2."""

from __future__ import annotations

import contextlib
import functools
import sys
from typing import Any

from celadon import green
from celadon._core.green import can_park
from celadon.drivers import budget
from celadon.drivers.psycopg2_driver import Driver, above, natives
from celadon.drivers.psycopg2_lift import Lift

# What takes a connection's lock, and is waited for by the callback.
_OF_CONNECTIONS = (
    *("commit", "rollback", "reset", "set_session", "set_isolation_level"),
    *("set_client_encoding", "tpc_begin", "tpc_prepare", "tpc_commit"),
    *("tpc_rollback", "tpc_recover"),
)
_SETTINGS = ("autocommit", "isolation_level", "readonly", "deferrable")
_OF_CURSORS = ("execute", "executemany", "callproc")
# Of a cursor that the server has: else the rows are here already.
_OF_NAMED_CURSORS = ("fetchone", "fetchmany", "fetchall", "scroll", "close", "__next__")
# What takes it, and is waited for in C.
_OF_LARGE_OBJECTS = (
    *("read", "write", "seek", "tell", "truncate", "unlink", "export", "close"),
)


def _layer(base: Any, methods: dict[str, Any]) -> Any:
    return type(base.__name__, (base,), {"__doc__": base.__doc__, **methods})


def _in_turn(native: Any) -> Any:
    """The method `native`, for one greenlet at a time."""

    @functools.wraps(native)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        with self._turn:
            return native(self, *args, **kwargs)

    return method


def connection_layer(driver: Driver) -> Any:
    base = driver.extensions.connection

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        self._turn = green.RLock()
        base.__init__(self, *args, **kwargs)

    def close(self: Any) -> None:
        with self._turn:
            base.close(self)
        budget.leave(self)

    @functools.wraps(base.cancel)
    def cancel(self: Any) -> None:
        if can_park() and not self.closed and driver.cancelling.is_known(self):
            driver.cancelling.run(self)
        else:
            base.cancel(self)

    @functools.wraps(base.cursor)
    def cursor(
        self: Any,
        name: Any = None,
        cursor_factory: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        layer = driver.cursor if name is None else driver.named_cursor
        factory = cursor_factory or self.cursor_factory or layer
        if isinstance(factory, type):
            factory = above(layer, factory)
        return base.cursor(self, name, factory, *args, **kwargs)

    @functools.wraps(base.lobject)
    def lobject(
        self: Any,
        oid: Any = 0,
        mode: Any = None,
        new_oid: Any = 0,
        new_file: Any = None,
        lobject_factory: Any = None,
    ) -> Any:
        factory = lobject_factory or driver.large_object
        if isinstance(factory, type):
            factory = above(driver.large_object, factory)

        def call(lift: Lift) -> Any:
            def make(*args: Any) -> Any:
                lift.end()
                return factory(*args)

            args = (oid, mode or "", new_oid, new_file, make)
            return lift.lifted(base.lobject, self, *args)

        return driver.natively_lifted(self, call)

    methods = {name: _in_turn(getattr(base, name)) for name in _OF_CONNECTIONS}
    for name in _SETTINGS:
        native = getattr(base, name)
        methods[name] = property(
            native.__get__, _in_turn(native.__set__), doc=native.__doc__
        )
    methods |= {"__init__": __init__, "close": functools.wraps(base.close)(close)}
    return _layer(
        base, {**methods, "cancel": cancel, "cursor": cursor, "lobject": lobject}
    )


def cursor_layers(driver: Driver) -> tuple[Any, Any]:
    base = driver.extensions.cursor
    native = base.copy_expert

    @functools.wraps(native)
    def copy_expert(self: Any, sql: Any, file: Any, size: int = 8192) -> Any:
        return driver.copy(self, native, sql, file, size)

    def copy_by(form: str) -> Any:
        def copy(
            self: Any,
            file: Any,
            table: str,
            sep: str = "\t",
            null: str = "\\N",
            columns: Any = None,
            size: int = 8192,
        ) -> Any:
            sql = driver.sql
            names = sql.SQL(",").join(map(sql.Identifier, columns or ()))
            command = sql.SQL(form).format(
                sql.Identifier(table),
                sql.SQL("({})").format(names) if columns is not None else sql.SQL(""),
                sql.Literal(sep),
                sql.Literal(null),
            )
            return driver.copy(self, native, command, file, size)

        return copy

    into = copy_by("COPY {}{} FROM stdin WITH DELIMITER AS {} NULL AS {}")
    out = copy_by("COPY {}{} TO stdout WITH DELIMITER AS {} NULL AS {}")

    @functools.wraps(base.copy_from)
    def copy_from(
        self: Any,
        file: Any,
        table: str,
        sep: str = "\t",
        null: str = "\\N",
        size: int = 8192,
        columns: Any = None,
    ) -> Any:
        return into(self, file, table, sep, null, columns, size)

    methods: dict[str, Any] = {
        "_turn": property(lambda self: self.connection._turn),
        "copy_expert": copy_expert,
        "copy_from": copy_from,
        "copy_to": functools.wraps(base.copy_to)(out),
    }
    methods |= {name: _in_turn(getattr(base, name)) for name in _OF_CURSORS}
    layer = _layer(base, methods)
    named = {name: _in_turn(getattr(base, name)) for name in _OF_NAMED_CURSORS}
    return layer, _layer(layer, named)


def large_object_layer(driver: Driver) -> Any:
    base = driver.extensions.lobject

    def __init__(self: Any, conn: Any, *args: Any) -> None:
        self._conn = conn
        base.__init__(self, conn, *args)

    def natively(native: Any) -> Any:
        @functools.wraps(native)
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return driver.natively(self._conn, lambda: native(self, *args, **kwargs))

        return method

    def __del__(self: Any) -> None:
        """The class below closes it, which takes the lock and waits, in a finalizer."""
        conn = self.__dict__.pop("_conn", None)
        if conn is None or self.closed or sys.is_finalizing():
            return

        def close() -> None:
            with conn._turn:
                base.close(self)

        with contextlib.suppress(RuntimeError):  # no room for a thread
            natives.start(close)

    methods = {
        name: natively(getattr(base, name))
        for name in _OF_LARGE_OBJECTS
        if hasattr(base, name)
    }
    return _layer(base, {**methods, "__init__": __init__, "__del__": __del__})


def copy_class(driver: Driver) -> Any:
    """A statement whose text psycopg2 asks for once it has looked for a callback."""

    def __init__(self: Any, text: str | bytes, lift: Lift) -> None:
        self._text = text
        self._lift = lift

    def as_string(self: Any, context: Any) -> str | bytes:
        self._lift.end()
        text: str | bytes = self._text
        return text

    members = {"__init__": __init__, "as_string": as_string}
    return type("_Copy", (driver.sql.Composable,), members)
