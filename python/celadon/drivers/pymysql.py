"""PyMySQL: waits by sockets, which is cooperative; its connections count."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from celadon._core.green import mark_database
from celadon.drivers import budget
from celadon.patch.registry import replace


def adapt(connections: ModuleType) -> None:
    cls: Any = connections.Connection
    error: Any = connections.err.OperationalError
    native_connect = cls.connect

    @functools.wraps(native_connect)
    def connect(self: Any, sock: Any = None) -> None:
        if budget.server_of(self) is not None:
            native_connect(self, sock)
            return
        name = budget.name_of("mysql", self.unix_socket or self.host, self.port)

        def make() -> Any:
            native_connect(self, sock)
            mark_database(self._sock)
            return self

        budget.connect(name, error, make, lambda conn: conn._sock is None)

    def then_leave(native: Any) -> Any:
        @functools.wraps(native)
        def closing(self: Any) -> None:
            try:
                native(self)
            finally:
                budget.leave(self)

        return closing

    replace(cls, "connect", connect)
    replace(cls, "close", then_leave(cls.close))
    replace(cls, "_force_close", then_leave(cls._force_close))
