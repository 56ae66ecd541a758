"""What lies idle in a pool makes room for who needs a connection to that server.

Where no driver is adapted there is no budget of connections, and nothing to lend.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Protocol

from celadon.base.weakly import Weakly

_BUDGET = "celadon.drivers.budget"


class Lender(Protocol):
    """A pool."""

    name: str
    max_size: int

    def close_idle_one(self, is_one: Callable[[Any], bool]) -> bool: ...


_lenders: Weakly[Lender] = Weakly()


def note_pool(pool: Lender) -> None:
    _lenders.add(pool)
    if (budget := _budget()) is not None:
        budget.compare(pool.max_size, f"pool {pool.name}", "its max_size")


def note_first(conn: Any, max_size: int) -> str | None:
    """`conn` was opened: so many may be, of the server that it is one of, which is
    returned."""
    if (budget := _budget()) is None:
        return None
    server = _server(budget, conn)
    budget.claim(server, max_size)
    return server


def note_idle(conn: Any) -> None:
    if (budget := _budget()) is not None:
        budget.came_back(_server(budget, conn))


def has_room(server: str | None) -> bool:
    """Whether one more may be opened that nobody wants yet: none is taken for that from
    who lends it."""
    budget = _budget()
    return budget is None or budget.has_room(server)


def _budget() -> Any:
    budget: Any = sys.modules.get(_BUDGET)
    if budget is not None:
        budget.add_reclaimer(_close_idle_one)
    return budget


def _server(budget: Any, conn: Any) -> str | None:
    # SQLAlchemy's pool has records of connections.
    server: str | None = budget.server_of(getattr(conn, "dbapi_connection", conn))
    return server


def _close_idle_one(server: str) -> bool:
    budget = _budget()

    def is_one(conn: Any) -> bool:
        return _server(budget, conn) == server

    return any(lender.close_idle_one(is_one) for lender in _lenders.all())
