"""Drivers of databases with real servers: whoever is stopped in whichever wait, a connection
is closed or clean, each query has its own answer, and no socket is left open."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from celadon.testing import Stage

from tests.explorer.catalogue import place, scenario


@dataclass(frozen=True)
class Driver:
    connect: Callable[[], Any]
    ask: Callable[[Any, int], int]  # for a number that the server gives back
    error: type[Exception]


def _asks(slowly: str) -> Callable[[Any, int], int]:
    """The server takes its time, so that there is something to wait for."""

    def ask(conn: Any, number: int) -> int:
        with closing(conn.cursor()) as cursor:
            cursor.execute(f"SELECT {number} FROM {slowly}")
            return int(cursor.fetchone()[0])

    return ask


_ask_postgres = _asks("pg_sleep(0.01)")
_ask_mariadb = _asks("(SELECT SLEEP(0.01)) AS slept")


def psycopg2() -> Driver:
    import psycopg2

    port = place("postgres_port")
    dsn = f"host=127.0.0.1 port={port} user=celadon dbname=celadon sslmode=disable"
    return Driver(lambda: psycopg2.connect(dsn), _ask_postgres, psycopg2.Error)


def psycopg() -> Driver:
    import psycopg

    port = place("postgres_port")
    dsn = f"host=127.0.0.1 port={port} user=celadon dbname=celadon sslmode=disable"
    return Driver(lambda: psycopg.connect(dsn), _ask_postgres, psycopg.Error)


def pymysql() -> Driver:
    import pymysql

    where = {"host": "127.0.0.1", "port": place("mariadb_port")}
    who = {"user": "celadon", "database": "celadon"}
    return Driver(lambda: pymysql.connect(**where, **who), _ask_mariadb, pymysql.Error)


def mysqlclient() -> Driver:
    import MySQLdb

    where = {"host": "127.0.0.1", "port": place("mariadb_port")}
    who = {"user": "celadon", "database": "celadon"}
    return Driver(lambda: MySQLdb.connect(**where, **who), _ask_mariadb, MySQLdb.Error)


def redis() -> Driver:
    import redis

    port = place("redis_port")
    return Driver(
        lambda: redis.Redis(port=port, socket_timeout=10),
        lambda client, number: int(client.echo(str(number))),
        redis.RedisError,
    )


def sockets() -> int:
    """Of this process, but those that garbage holds."""
    gc.collect()
    found = 0
    for fd in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found += os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    return found


def of_its_own(stage: Stage, driver: Driver) -> Any:
    """Each connects, asks and closes."""
    open_before = sockets()

    def work(number: int) -> None:
        with closing(driver.connect()) as conn:
            assert driver.ask(conn, number) == number
            assert driver.ask(conn, number + 1) == number + 1

    stage.spawn("a", work, 10)
    stage.spawn("b", work, 20)

    def check() -> None:
        work(30)
        assert sockets() == open_before, "a socket is left open"

    return check


def kept(stage: Stage, driver: Driver) -> Any:
    """As a pool does: who is stopped leaves the connection to the next one."""
    conn = driver.connect()
    stage.at_end(conn.close)

    def work() -> None:
        assert driver.ask(conn, 1) == 1
        assert driver.ask(conn, 2) == 2

    stage.spawn("a", work)

    def check() -> None:
        for number in (3, 4):
            with suppress(driver.error):
                if hasattr(conn, "rollback"):
                    conn.rollback()
                assert driver.ask(conn, number) == number, "the answer of another query"

    return check


def shared(stage: Stage, driver: Driver) -> Any:
    """Two take turns: each has its own answer, or an error."""
    conn = driver.connect()
    stage.at_end(conn.close)

    def work(number: int) -> None:
        assert driver.ask(conn, number) == number
        assert driver.ask(conn, number + 1) == number + 1

    stage.spawn("a", work, 10, expected=(driver.error,))
    stage.spawn("b", work, 20, expected=(driver.error,))

    def check() -> None:
        with suppress(driver.error):
            assert driver.ask(conn, 3) == 3

    return check


OUTSIDE = {"outside": True, "orders": 0, "random": False}
POSTGRES = {**OUTSIDE, "needs": ("postgres_port",)}
MARIADB = {**OUTSIDE, "needs": ("mariadb_port",)}
REDIS = {**OUTSIDE, "needs": ("redis_port",)}


@scenario(**POSTGRES)
def psycopg2_connections(stage: Stage) -> Any:
    return of_its_own(stage, psycopg2())


@scenario(**POSTGRES)
def psycopg2_connection_that_is_kept(stage: Stage) -> Any:
    return kept(stage, psycopg2())


@scenario(**POSTGRES)
def psycopg2_connection_of_two(stage: Stage) -> Any:
    return shared(stage, psycopg2())


@scenario(**POSTGRES)
def psycopg_connections(stage: Stage) -> Any:
    return of_its_own(stage, psycopg())


@scenario(**POSTGRES)
def psycopg_connection_that_is_kept(stage: Stage) -> Any:
    return kept(stage, psycopg())


@scenario(**POSTGRES)
def psycopg_connection_of_two(stage: Stage) -> Any:
    return shared(stage, psycopg())


@scenario(**MARIADB)
def pymysql_connections(stage: Stage) -> Any:
    return of_its_own(stage, pymysql())


@scenario(**MARIADB)
def pymysql_connection_that_is_kept(stage: Stage) -> Any:
    return kept(stage, pymysql())


@scenario(**MARIADB)
def mysqlclient_connections(stage: Stage) -> Any:
    return of_its_own(stage, mysqlclient())


@scenario(**MARIADB)
def mysqlclient_connection_that_is_kept(stage: Stage) -> Any:
    return kept(stage, mysqlclient())


@scenario(**REDIS)
def redis_clients(stage: Stage) -> Any:
    return of_its_own(stage, redis())


@scenario(**REDIS)
def redis_client_that_is_kept(stage: Stage) -> Any:
    return kept(stage, redis())


@scenario(**REDIS)
def redis_client_of_two(stage: Stage) -> Any:
    return shared(stage, redis())
