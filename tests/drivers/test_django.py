"""Django's ORM over databases that allow fewer connections than there are requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import raw
from tests.support.servers import Command
from tests.support.services import Services, postgres

CONNECTIONS = 40
CLIENTS = 500  # at once, as Django connects unless it is told otherwise
SOME = 3 * CONNECTIONS  # each connection is waited for more than once
AGAIN = 2 * CONNECTIONS  # who come when all connections have been used


@pytest.fixture(scope="module")
def small() -> Iterator[int]:
    """A PostgreSQL that allows 40 connections, three of them for its administrator."""
    with postgres(f"max_connections={CONNECTIONS}", "ssl=off") as (port, _):
        yield port


def postgres_database(port: int, **more: Any) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "celadon",
        "USER": "celadon",
        "HOST": "127.0.0.1",
        "PORT": port,
        **more,
    }


WAYS: dict[str, dict[str, Any]] = {
    "a connection a request": {"CONN_MAX_AGE": 0},
    "persistent": {"CONN_MAX_AGE": None},
    "persistent with checks": {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True},
    "psycopg's pool": {
        "OPTIONS": {"pool": {"min_size": 2, "max_size": 10, "timeout": 600}}
    },
}


def serve(database: dict[str, Any], *options: str) -> Command:
    # A process for each connection takes a busy machine some time.
    patient = ("--db-connection-wait", "600")
    env = {"DATABASE": json.dumps(database)}
    return Command("tests.apps.django_shop:app", *patient, *options, env=env)


def place_all_at_once(command: Command, count: int) -> None:
    clients = [command.client() for _ in range(count)]
    for number, client in enumerate(clients):
        client.send(raw.get(f"/place?name=n{number}"))
    for number, client in enumerate(clients):
        response = client.response()
        assert response.status == 200, (number, response.body, command.lines[-20:])
        assert json.loads(response.body) == {"name": f"n{number}", "answer": 42}
        client.close()


@pytest.mark.slow("some thousand connections to a database, one process of it for each")
@pytest.mark.library("django.db")
@pytest.mark.parametrize("way", WAYS)
def test_more_requests_at_once_than_connections(way: str, small: int) -> None:
    clients = CLIENTS if way == "a connection a request" else SOME
    database = postgres_database(small, **WAYS[way])
    with serve(database) as command:
        drop = "DROP TABLE IF EXISTS shop_order"
        try:
            place_all_at_once(command, clients)
            place_all_at_once(command, AGAIN)
            count = json.loads(command.request(raw.get("/count")).body)
            assert count == {"orders": clients + AGAIN}
        finally:
            _run_sql(small, drop)


def test_mariadb_by_mysqlclient(services: Services) -> None:
    database = {
        "ENGINE": "django.db.backends.mysql",
        "NAME": "celadon",
        "USER": "celadon",
        "HOST": "127.0.0.1",
        "PORT": services.mariadb_port,
        "CONN_MAX_AGE": None,
    }
    with serve(database, "--db-connections", "8") as command:
        place_all_at_once(command, 60)


def _run_sql(port: int, sql: str) -> None:
    import psycopg

    with psycopg.connect(
        f"host=127.0.0.1 port={port} user=celadon dbname=celadon", autocommit=True
    ) as conn:
        conn.execute(sql)
