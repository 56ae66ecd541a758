"""A pool of connections: whoever is stopped wherever, it holds what it says, all that were
opened are in it or closed, and the next caller gets one."""

from __future__ import annotations

import logging
import time
from typing import Any

from celadon import Timeout
from celadon.logging import logger
from celadon.pools import ConnectionPool, PoolClosed, PoolFull, PoolTimeout
from celadon.testing import Stage

from tests.explorer.catalogue import scenario


class Connection:
    def __init__(self) -> None:
        self.users = 0
        self.closed = False

    def rollback(self) -> None:
        time.sleep(0)

    def close(self) -> None:
        assert not self.closed, "closed twice"
        self.closed = True


class Server:
    def __init__(self, slow: float = 0.0) -> None:
        self.all: list[Connection] = []
        self._slow = slow

    def connect(self) -> Connection:
        time.sleep(self._slow)
        self.all.append(Connection())
        return self.all[-1]

    def open(self) -> int:
        return sum(not connection.closed for connection in self.all)


def use(pool: ConnectionPool[Connection]) -> None:
    with pool.connection(5) as connection:
        assert not connection.closed
        connection.users += 1
        assert connection.users == 1, "two have it"
        try:
            time.sleep(0)
        finally:
            connection.users -= 1


def whole(pool: ConnectionPool[Connection], server: Server) -> None:
    """After a while, in which the pool's own work ends."""
    time.sleep(60)
    stats = pool.stats()
    assert stats.in_use == stats.waiting == stats.connecting == 0, stats
    assert stats.size == stats.idle <= pool.max_size, stats
    assert server.open() == stats.size, (server.open(), stats)
    use(pool)
    pool.close(5)
    time.sleep(60)
    assert server.open() == 0


def pool_of(server: Server, **more: Any) -> ConnectionPool[Connection]:
    options = {"min_size": 0, "max_size": 1, "timeout": 5.0, **more}
    return ConnectionPool(server.connect, name="explored", **options)


@scenario()
def pool_of_one(stage: Stage) -> Any:
    server = Server()
    pool = pool_of(server)
    stage.at_end(pool.close)
    for name in "abc":
        stage.spawn(name, use, pool, expected=(PoolTimeout,))
    return lambda: whole(pool, server)


@scenario()
def pool_of_two_that_open_slowly(stage: Stage) -> Any:
    server = Server(slow=1)
    pool = pool_of(server, max_size=2)
    stage.at_end(pool.close)
    for name in "abc":
        stage.spawn(name, use, pool, expected=(PoolTimeout,))
    return lambda: whole(pool, server)


@scenario()
def pool_that_checks(stage: Stage) -> Any:
    server = Server()
    pool = pool_of(server, check=lambda _: time.sleep(0), check_bypass=0)
    stage.at_end(pool.close)
    for name in "ab":
        stage.spawn(name, use, pool, expected=(PoolTimeout,))
    return lambda: whole(pool, server)


@scenario()
def pool_whose_connection_is_broken(stage: Stage) -> Any:
    server = Server()

    def check(connection: Connection) -> None:
        time.sleep(0)
        if connection is server.all[0]:
            raise OSError("broken")

    pool = pool_of(server, check=check, check_bypass=0)
    stage.at_end(pool.close)
    for name in "ab":
        stage.spawn(name, use, pool, expected=(PoolTimeout,))
    return lambda: whole(pool, server)


@scenario()
def pool_whose_check_has_a_limit_of_its_own(stage: Stage) -> Any:
    """It is no `Exception`, and costs those that were to be checked after it nothing."""
    server = Server()
    slow = [60]

    def check(_: Connection) -> None:
        with Timeout(1):
            time.sleep(slow.pop() if slow else 0)

    pool = pool_of(server, min_size=2, max_size=2, check=check, check_bypass=0)
    stage.at_end(pool.close)

    def check_all() -> None:
        pool.open(wait=True)
        pool.check()

    stage.spawn("a", use, pool, expected=(PoolTimeout, Timeout))
    stage.spawn("checker", check_all, expected=(PoolTimeout, Timeout))

    def end() -> None:
        slow.clear()
        whole(pool, server)

    return end


@scenario()
def pool_that_tells_of_what_is_broken_slowly(stage: Stage) -> Any:
    server = Server()

    def check(connection: Connection) -> None:
        if connection is server.all[0]:
            raise OSError("broken")

    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            time.sleep(0)

    handler, level = Slow(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    stage.at_end(lambda: logger.removeHandler(handler))
    stage.at_end(lambda: logger.setLevel(level))
    pool = pool_of(server, check=check, check_bypass=0)
    stage.at_end(pool.close)
    for name in "ab":
        stage.spawn(name, use, pool, expected=(PoolTimeout,))
    return lambda: whole(pool, server)


@scenario()
def pool_that_sheds(stage: Stage) -> Any:
    server = Server()
    pool = pool_of(server, max_waiting=1)
    stage.at_end(pool.close)
    for name in "abc":
        stage.spawn(name, use, pool, expected=(PoolTimeout, PoolFull))
    return lambda: whole(pool, server)


@scenario()
def pool_that_is_drained(stage: Stage) -> Any:
    server = Server()
    pool = pool_of(server, max_size=2)
    stage.at_end(pool.close)
    for name in "ab":
        stage.spawn(name, use, pool, expected=(PoolTimeout,))
    stage.spawn("drain", pool.drain)
    return lambda: whole(pool, server)


@scenario()
def pool_that_is_resized(stage: Stage) -> Any:
    server = Server()
    pool = pool_of(server, max_size=2)
    stage.at_end(pool.close)
    for name in "ab":
        stage.spawn(name, use, pool, expected=(PoolTimeout,))
    stage.spawn("resize", pool.resize, 0, 1)
    return lambda: whole(pool, server)


@scenario()
def pool_that_is_opened(stage: Stage) -> Any:
    server = Server(slow=1)
    pool = pool_of(server, min_size=1)
    stage.at_end(pool.close)
    stage.spawn("open", pool.open, True, 3, expected=(PoolTimeout,))
    stage.spawn("a", use, pool, expected=(PoolTimeout,))
    return lambda: whole(pool, server)


@scenario()
def pool_that_is_closed(stage: Stage) -> Any:
    server = Server()
    pool = pool_of(server)
    stage.at_end(pool.close)
    for name in "ab":
        stage.spawn(name, use, pool, expected=(PoolTimeout, PoolClosed))
    stage.spawn("closer", pool.close)

    def check() -> None:
        pool.close(5)
        time.sleep(60)
        assert server.open() == 0
        assert pool.stats().size == 0

    return check
