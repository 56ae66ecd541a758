"""redis-py: waits by sockets, which is cooperative; here they are said to be a database's."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from celadon._core.green import mark_database
from celadon.patch.registry import replace


def adapt(connection: ModuleType) -> None:
    for name in ("Connection", "SSLConnection", "UnixDomainSocketConnection"):
        cls: Any = getattr(connection, name)
        if "_connect" in cls.__dict__:
            replace(cls, "_connect", _marking(cls._connect))


def _marking(native: Any) -> Any:
    @functools.wraps(native)
    def _connect(self: Any) -> Any:
        sock = native(self)
        mark_database(sock)
        return sock

    return _connect
