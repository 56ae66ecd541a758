"""psycopg2's names, and calls of its that wait in C."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from celadon._core.green import wait_by_poll
from celadon.drivers import budget
from celadon.drivers.names import libpq_server, numeric_hosts
from celadon.drivers.psycopg2_cancel import Cancelling
from celadon.drivers.psycopg2_lift import Callback, Lift
from celadon.green.native_pool import NativePool

natives = NativePool(8, "celadon-copy")


class Driver:
    """psycopg2's names, and the classes made of its classes.

    Those are set by who makes them: `connection`, `cursor`, `named_cursor` and
    `large_object` stand below the application's; `statement` is one of COPY.
    """

    connection: Any
    cursor: Any
    named_cursor: Any
    large_object: Any
    statement: Any

    def __init__(self, psycopg2: ModuleType) -> None:
        import psycopg2.sql  # type: ignore[import-untyped, no-redef]

        self.extensions: Any = psycopg2.extensions
        self.error = psycopg2.Error
        self.operational_error = psycopg2.OperationalError
        self.sql: Any = psycopg2.sql
        self.cancelling = Cancelling(psycopg2)
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
            wanted = self.statement(sql, lift) if is_text else sql
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
            return natives.run_to_end(call, lambda: self.cancelling.finish(conn))

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
