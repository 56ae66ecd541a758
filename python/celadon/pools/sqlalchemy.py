"""A pool for SQLAlchemy 2: ``create_engine(url, poolclass=celadon.pools.sqlalchemy.Pool)``.

First come, first served, with a direct hand-off, a limit on how many wait, and figures.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import exc, pool

from celadon.pools import ConnectionPool, PoolError, PoolStats, PoolTimeout


class Pool(pool.Pool):
    """At most `pool_size` connections, and no overflow.

    `timeout` (``pool_timeout``) is in seconds; when it has passed, or when `max_waiting`
    wait already, `sqlalchemy.exc.TimeoutError` is raised. Resetting, recycling and pings
    are SQLAlchemy's own.
    """

    def __init__(
        self,
        creator: Any,
        pool_size: int = 10,
        max_overflow: int = 0,
        timeout: float = 30.0,
        max_waiting: int = 0,
        **kw: Any,
    ) -> None:
        super().__init__(creator, **kw)
        if max_overflow:
            raise exc.ArgumentError(
                "celadon's pool has no overflow: pool_size is the limit"
            )
        self._arguments = {
            "pool_size": pool_size,
            "timeout": timeout,
            "max_waiting": max_waiting,
        }
        self._connections: ConnectionPool[pool.ConnectionPoolEntry] = ConnectionPool(
            self._create_connection,
            name=kw.get("logging_name"),
            min_size=0,
            max_size=pool_size,
            timeout=timeout,
            max_waiting=max_waiting,
            max_lifetime=0,
            reset=None,
            close=lambda record: record.close(),
            # Errors of the first attempt are the user's to see.
            reconnect_timeout=0,
        )

    def _do_get(self) -> pool.ConnectionPoolEntry:
        try:
            return self._connections.acquire()
        except PoolError as error:
            # What the driver said when the connection was opened.
            if error.__cause__ is not None and not isinstance(error, PoolTimeout):
                raise error.__cause__ from None
            raise exc.TimeoutError(str(error), code="3o7r") from error

    def _do_return_conn(self, record: pool.ConnectionPoolEntry) -> None:
        self._connections.release(record)

    def stats(self) -> PoolStats:
        """Figures of this moment, and counters."""
        return self._connections.stats()

    def status(self) -> str:
        return repr(self._connections)

    def recreate(self) -> Pool:
        return type(self)(
            self._creator,
            recycle=self._recycle,
            echo=self.echo,
            logging_name=self._orig_logging_name,
            reset_on_return=self._reset_on_return,
            pre_ping=self._pre_ping,
            _dispatch=self.dispatch,
            dialect=self._dialect,
            **self._arguments,  # type: ignore[arg-type]
        )

    def dispose(self) -> None:
        self._connections.close(timeout=0)
