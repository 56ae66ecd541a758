"""psycopg2: libpq is told to wait by a callback, and the greenlet parks there.

A connection of psycopg2 has a native lock, which is held while its greenlet is parked:
another one that asked for it would hold the worker, and with it the one that has it. So
whatever takes that lock waits for its turn first, as a greenlet waits.

What psycopg2 refuses to do under a callback (COPY, large objects) runs on a native
thread. The callback is lifted only until the call has looked for it (`libpq2_lift`).

All this is done in classes that stand below those of the application.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from celadon import green, logging
from celadon._core.green import can_park, wait_by_poll
from celadon.drivers import budget
from celadon.drivers.libpq2_cancel import Cancelling
from celadon.drivers.libpq2_lift import Callback, Lift
from celadon.drivers.names import libpq_server, numeric_hosts
from celadon.green.offload import NativePool
from celadon.patch.registry import replace

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

_natives = NativePool(8, "celadon-copy")


def adapt(psycopg2: ModuleType) -> None:
    driver = _Driver(psycopg2)
    driver.callback.use()
    replace(psycopg2.extensions, "set_wait_callback", _keep_ours)
    replace(psycopg2, "connect", driver.connect_in_place_of(psycopg2.connect))


def _keep_ours(_callback: Any) -> None:
    """psycogreen's, which waits in gevent's loop, or another's."""
    logging.note(
        "psycopg2.extensions.set_wait_callback() has no effect: a query waits on celadon's loop"
    )


class _Driver:
    """psycopg2's names, and the classes made of its classes."""

    def __init__(self, psycopg2: ModuleType) -> None:
        import psycopg2.sql  # type: ignore[import-untyped, no-redef]

        self.extensions: Any = psycopg2.extensions
        self.error = psycopg2.Error
        self.operational_error = psycopg2.OperationalError
        self.sql: Any = psycopg2.sql
        self.cancelling = Cancelling(psycopg2)
        self.connection = _connection_layer(self)
        self.cursor, self.named_cursor = _cursor_layers(self)
        self.large_object = _large_object_layer(self)
        self._copy = _copy_class(self)
        self.callback = Callback(self.extensions, self._wait)

    def _wait(self, conn: Any) -> None:
        """The callback. psycopg2 closes the connection of a query that this raises from,
        and the server would go on with it."""
        try:
            wait_by_poll(conn)
        except BaseException as error:
            if not isinstance(error, self.error):
                self.cancelling.start(conn)
            raise

    def copy(self, cursor: Any, native: Any, sql: Any, *args: Any) -> Any:
        """``COPY``, by psycopg2's `copy_expert`, on a native thread."""
        if isinstance(sql, self.sql.Composable):
            sql = sql.as_string(cursor)
        is_text = isinstance(sql, (str, bytes)) and bool(sql)

        def copy(lift: Lift) -> Any:
            # psycopg2 says itself what is wrong with any other.
            wanted = self._copy(sql, lift) if is_text else sql
            return lift.lifted(native, cursor, wanted, *args)

        return self.natively_lifted(cursor.connection, copy)

    def natively_lifted(self, conn: Any, call: Callable[[Lift], Any]) -> Any:
        lift = Lift(self.callback)
        try:
            return self.natively(conn, lambda: call(lift))
        finally:
            lift.end()  # where the call was not made

    def natively(self, conn: Any, call: Callable[[], Any]) -> Any:
        """`call` on a native thread, in its turn; cancelled if its caller is killed."""
        with conn._turn:
            return _natives.run_to_end(call, lambda: self.cancelling.finish(conn))

    def connect_in_place_of(self, native: Any) -> Any:
        @functools.wraps(native)
        def connect(
            dsn: Any = None,
            connection_factory: Any = None,
            cursor_factory: Any = None,
            **kwargs: Any,
        ) -> Any:
            options = self.extensions.parse_dsn(dsn) if dsn else {}
            kwargs = {**numeric_hosts({**options, **kwargs}), **kwargs}
            factory = connection_factory or self.extensions.connection
            if not isinstance(factory, type):
                return native(dsn, factory, cursor_factory, **kwargs)
            return budget.connect(
                libpq_server({**options, **kwargs}),
                self.operational_error,
                lambda: native(
                    dsn, above(self.connection, factory), cursor_factory, **kwargs
                ),
                lambda conn: conn.closed,
            )

        return connect


@functools.cache
def above(layer: type, cls: type) -> type:
    """`cls`, a class of the application's or psycopg2's, with `layer` below it."""
    if issubclass(cls, layer):
        return cls
    if issubclass(layer, cls):
        return layer
    place = {"__module__": cls.__module__, "__doc__": cls.__doc__}
    return type(cls.__name__, (cls, layer), place)


def _layer(base: Any, methods: dict[str, Any]) -> Any:
    return type(base.__name__, (base,), {"__doc__": base.__doc__, **methods})


def _in_turn(native: Any) -> Any:
    """The method `native`, for one greenlet at a time."""

    @functools.wraps(native)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        with self._turn:
            return native(self, *args, **kwargs)

    return method


def _connection_layer(driver: _Driver) -> Any:
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


def _cursor_layers(driver: _Driver) -> tuple[Any, Any]:
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


def _large_object_layer(driver: _Driver) -> Any:
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
            _natives.start(close)

    methods = {
        name: natively(getattr(base, name))
        for name in _OF_LARGE_OBJECTS
        if hasattr(base, name)
    }
    return _layer(base, {**methods, "__init__": __init__, "__del__": __del__})


def _copy_class(driver: _Driver) -> Any:
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
