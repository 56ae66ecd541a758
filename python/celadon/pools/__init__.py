"""Connections that are shared: a pool for any driver, and one for SQLAlchemy.

Works between greenlets, between native threads, and mixed. Importing it patches and
starts nothing.
"""

from celadon.pools.errors import PoolClosed, PoolError, PoolFull, PoolTimeout
from celadon.pools.hooks import check_connection, rollback
from celadon.pools.pool import ConnectionPool
from celadon.pools.statistics import PoolStats

__all__ = [
    "ConnectionPool",
    "PoolClosed",
    "PoolError",
    "PoolFull",
    "PoolStats",
    "PoolTimeout",
    "check_connection",
    "rollback",
]
