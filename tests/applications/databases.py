"""A database of PostgreSQL that is as new for each server that is tried."""

from collections.abc import Callable

import psycopg

NAME = "site"
USER = "celadon"
_FILLED = "filled"


def renew(port: str, fill: Callable[[], None]) -> None:
    """Makes the database `NAME`, of `USER`, who needs no password, on this `port`: what
    `fill` puts into it is put there once, and copied from then on."""
    where = f"host=127.0.0.1 port={port} user={USER} dbname={USER}"
    with psycopg.connect(where, autocommit=True) as connection:
        query = "SELECT datname FROM pg_database"
        there = {name for (name,) in connection.execute(query)}
        if _FILLED not in there:
            connection.execute(f"CREATE DATABASE {NAME}")
            fill()
            connection.execute(f"ALTER DATABASE {NAME} RENAME TO {_FILLED}")
        else:
            connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {NAME} TEMPLATE {_FILLED}")
