"""pg8000: waits by sockets, which is cooperative; its connections count."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from celadon._core.green import mark_database
from celadon.drivers import budget
from celadon.patch.registry import replace


def adapt(core: ModuleType) -> None:
    cls: Any = core.CoreConnection
    native, native_close = cls.__init__, cls.close

    @functools.wraps(native)
    def __init__(
        self: Any,
        user: Any,
        host: Any = "localhost",
        database: Any = None,
        port: Any = 5432,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        name = budget.name_of("postgresql", kwargs.get("unix_sock") or host, port)

        def make() -> Any:
            native(self, user, host, database, port, *args, **kwargs)
            mark_database(self._usock)
            return self

        budget.connect(
            name, core.InterfaceError, make, lambda conn: conn._usock is None
        )

    @functools.wraps(native_close)
    def close(self: Any) -> None:
        try:
            native_close(self)
        finally:
            budget.leave(self)

    replace(cls, "__init__", __init__)
    replace(cls, "close", close)
