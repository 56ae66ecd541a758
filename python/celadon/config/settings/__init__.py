"""The settings: one table that feeds flags, environment variables, files and ``--help``."""

from __future__ import annotations

from itertools import chain

from celadon.config.settings import (
    admin,
    asgi,
    development,
    limits,
    logs,
    observing,
    policy,
    process,
    tls,
    websocket,
)
from celadon.config.settings.row import Setting

_TABLES = (
    *(process, asgi, limits, policy, tls, websocket),
    *(logs, observing, admin, development),
)

SETTINGS: dict[str, Setting] = {
    row.name: row for row in chain.from_iterable(table.rows() for table in _TABLES)
}

__all__ = ["SETTINGS", "Setting"]
