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
        self.extensions.set_wait_callback(self.wait)

    def wait(self, conn: Any) -> None:
        """Until what libpq is at is done."""
        extensions = self.extensions
        while True:
            state = conn.poll()
            if state == extensions.POLL_OK:
                return
            if state == extensions.POLL_READ:
                green.wait_fd(conn.fileno(), 1)
            elif state == extensions.POLL_WRITE:
                green.wait_fd(conn.fileno(), 2)
            else:
                raise self.operational_error(f"bad state from poll: {state}")

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
        return type(base.__name__, (_Connection, base), {"_driver": self})

    @functools.cache  # noqa: B019
    def cursor_class(self, base: type) -> type:
        return type(base.__name__, (_Cursor, base), {"_driver": self})


def _alone(name: str) -> Any:
    """The method `name`, for one greenlet at a time."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        with self._turn:
            return getattr(super(self._layer, self), name)(*args, **kwargs)

    method.__name__ = name
    return method


def _offloaded(name: str) -> Any:
    """The method `name`, which psycopg2 refuses under a callback."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = getattr(super(self._layer, self), name)
        with self._turn:
            conn = getattr(self, "connection", self)
            return self._driver.without_callback(conn, lambda: call(*args, **kwargs))

    method.__name__ = name
    return method


class _Connection:
    _driver: _Driver
    _layer: type

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._turn = green.RLock()
        super().__init__(*args, **kwargs)

    def cursor(
        self, name: Any = None, cursor_factory: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        factory: Any = cursor_factory
        if factory is None:
            default = self._driver.extensions.cursor
            factory = getattr(self, "cursor_factory", None) or default
        if isinstance(factory, type):
            factory = self._driver.cursor_class(factory)
        native: Any = super()
        return native.cursor(name, factory, *args, **kwargs)

    def close(self) -> None:
        super().close()  # type: ignore[misc]
        budget.leave(self)

    commit = _alone("commit")
    rollback = _alone("rollback")
    reset = _alone("reset")
    set_session = _alone("set_session")
    lobject = _offloaded("lobject")


class _Cursor:
    _driver: _Driver
    _layer: type

    @property
    def _turn(self) -> Any:
        conn: Any = self.connection  # type: ignore[attr-defined]
        return conn._turn

    execute = _alone("execute")
    executemany = _alone("executemany")
    callproc = _alone("callproc")
    fetchone = _alone("fetchone")
    fetchmany = _alone("fetchmany")
    fetchall = _alone("fetchall")
    copy_from = _offloaded("copy_from")
    copy_to = _offloaded("copy_to")
    copy_expert = _offloaded("copy_expert")


_Connection._layer = _Connection
_Cursor._layer = _Cursor
