"""psycopg2: libpq is told to wait by a callback, and the greenlet parks there.

What psycopg2 refuses to do under a callback (COPY, large objects) runs on a native
thread, with the callback lifted for the time. It is one pointer for the process: such
calls take turns, and a query that starts meanwhile blocks the worker.

One greenlet at a time uses a connection, as psycopg2 has it for threads.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from celadon import green
from celadon._core.green import wait_by_poll
from celadon.drivers import budget
from celadon.drivers.names import libpq_server, numeric_hosts
from celadon.green.offload import NativePool
from celadon.patch.registry import replace

T = TypeVar("T")

_lifting = green.RLock()
_copies = NativePool(1, "celadon-copy")


def adapt(psycopg2: ModuleType) -> None:
    driver = _Driver(psycopg2)
    driver.use_callback()
    replace(psycopg2, "connect", driver.connect_in_place_of(psycopg2.connect))


class _Driver:
    """psycopg2's names, and the classes made of its classes."""

    def __init__(self, psycopg2: ModuleType) -> None:
        self.extensions: Any = psycopg2.extensions
        self.operational_error = psycopg2.OperationalError

    def use_callback(self) -> None:
        self.extensions.set_wait_callback(wait_by_poll)

    def without_callback(self, conn: Any, call: Callable[[], T]) -> T:
        """`call` on a native thread, while no query waits by the callback."""
        with _lifting:
            self.extensions.set_wait_callback(None)
            try:
                return _copies.run_to_end(call, conn.cancel)
            finally:
                self.use_callback()

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
                    dsn, self.connection_class(factory), cursor_factory, **kwargs
                ),
                lambda conn: conn.closed,
            )

        return connect

    # One driver for the life of the process.
    @functools.cache  # noqa: B019
    def connection_class(self, base: type) -> type:
        methods: dict[str, Any] = {
            "_driver": self,
            "_cursors": self.cursor_class(self.extensions.cursor),
            "cursor": _cursor(base),
            "lobject": _offloaded(base, "lobject"),
        }
        for name in ("commit", "rollback", "reset", "set_session"):
            methods[name] = _alone(base, name)
        return type(base.__name__, (_Connection, base), methods)

    @functools.cache  # noqa: B019
    def cursor_class(self, base: type) -> type:
        methods: dict[str, Any] = {"_driver": self}
        for name in ("execute", "executemany", "callproc"):
            methods[name] = _alone(base, name)
        for name in ("fetchone", "fetchmany", "fetchall"):
            methods[name] = _alone_if_named(base, name)
        for name in ("copy_from", "copy_to", "copy_expert"):
            methods[name] = _offloaded(base, name)
        return type(base.__name__, (_Cursor, base), methods)


def _alone(base: type, name: str) -> Any:
    """The method `name`, for one greenlet at a time."""
    native = getattr(base, name)

    @functools.wraps(native)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        with self._turn:
            return native(self, *args, **kwargs)

    return method


def _alone_if_named(base: type, name: str) -> Any:
    """The same, where the cursor is the server's: else the rows are here already."""
    native = getattr(base, name)

    @functools.wraps(native)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.name is None:
            return native(self, *args, **kwargs)
        with self._turn:
            return native(self, *args, **kwargs)

    return method


def _offloaded(base: type, name: str) -> Any:
    """The method `name`, which psycopg2 refuses under a callback."""
    native = getattr(base, name)

    @functools.wraps(native)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        with self._turn:
            conn = getattr(self, "connection", self)
            return self._driver.without_callback(
                conn, lambda: native(self, *args, **kwargs)
            )

    return method


def _cursor(base: type) -> Any:
    native = base.cursor  # type: ignore[attr-defined]

    @functools.wraps(native)
    def cursor(
        self: Any,
        name: Any = None,
        cursor_factory: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        factory = cursor_factory or self.cursor_factory
        if factory is None:
            factory = self._cursors
        elif isinstance(factory, type):
            factory = self._driver.cursor_class(factory)
        return native(self, name, factory, *args, **kwargs)

    return cursor


class _Connection:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._turn = green.RLock()
        super().__init__(*args, **kwargs)

    def close(self) -> None:
        super().close()  # type: ignore[misc]
        budget.leave(self)


class _Cursor:
    @property
    def _turn(self) -> Any:
        conn: Any = self.connection  # type: ignore[attr-defined]
        return conn._turn
