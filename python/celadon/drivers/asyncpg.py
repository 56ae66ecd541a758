"""asyncpg, by asyncio.run in a view or from a loop of its own: its connections count."""

from __future__ import annotations

import functools
import os
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from celadon.drivers import budget, budget_async
from celadon.patch.registry import replace


def adapt(connection: ModuleType) -> None:
    native = connection.connect

    @functools.wraps(native)
    async def connect(dsn: str | None = None, **kwargs: Any) -> Any:
        conn, place = await budget_async.connect_async(
            _server(dsn, kwargs),
            connection.exceptions.TooManyConnectionsError,
            lambda: native(dsn, **kwargs),
            lambda conn: conn.is_closed(),
        )
        conn.add_termination_listener(lambda _: place.free())
        return conn

    replace(connection, "connect", connect)


def _server(dsn: str | None, options: dict[str, Any]) -> str:
    """The first of what asyncpg would try."""
    parts = urlsplit(dsn or "")
    host = options.get("host") or parts.hostname or os.environ.get("PGHOST")
    port = options.get("port") or _first_port(parts.netloc) or os.environ.get("PGPORT")
    return budget.name_of("postgresql", _first(host), _first(port) or 5432)


def _first_port(netloc: str) -> str | None:
    _, found, port = netloc.rpartition("@")[2].split(",")[0].rpartition(":")
    return port if found and port.isdigit() else None


def _first(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return value[0] if value else None
    return value
