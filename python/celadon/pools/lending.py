"""What lies idle in a pool makes room for who needs a connection to that server.

Where no driver is adapted there is no budget of connections, and nothing to lend.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from celadon.pools.member import Member
from celadon.weakly import Weakly

if TYPE_CHECKING:
    from celadon.pools.pool import ConnectionPool

_BUDGET = "celadon.drivers.budget"

_pools: Weakly[ConnectionPool[Any]] = Weakly()


def note_pool(pool: ConnectionPool[Any]) -> None:
    _pools.add(pool)
    if (budget := _budget()) is not None:
        budget.compare(pool.max_size, f"pool {pool.name}", "its max_size")


def note_first(pool: ConnectionPool[Any], conn: Any) -> None:
    """`conn` was opened: so many may be, of the server that it is one of."""
    if (budget := _budget()) is not None:
        pool._server = _server(budget, conn)
        budget.claim(pool._server, pool.max_size)


def note_idle(member: Member) -> None:
    if (budget := _budget()) is not None:
        budget.came_back(_server(budget, member.conn))


def has_room(pool: ConnectionPool[Any]) -> bool:
    """Whether one more may be opened that nobody wants yet: none is taken for that from
    who lends it."""
    budget = _budget()
    return budget is None or budget.has_room(pool._server)


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
    for pool in _pools.all():
        member = _take_idle_one(budget, pool, server)
        if member is not None:
            pool._discard(member, "budget")
            return True
    return False


def _take_idle_one(
    budget: Any, pool: ConnectionPool[Any], server: str
) -> Member | None:
    with pool._lock:
        for member in pool._idle:
            if _server(budget, member.conn) == server:
                pool._take_idle(member)
                return member
    return None
