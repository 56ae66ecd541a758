"""The command, an unchanged Flask application, and real databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import raw
from tests.support.servers import Command
from tests.support.services import Services

CLIENTS = 30


@pytest.fixture
def server(services: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    port = services.postgres_port
    monkeypatch.setenv(
        "POSTGRES_URL", f"postgresql+psycopg2://celadon@127.0.0.1:{port}/celadon"
    )
    monkeypatch.setenv(
        "POSTGRES_DSN", f"host=localhost port={port} user=celadon dbname=celadon"
    )
    monkeypatch.setenv("MARIADB_PORT", str(services.mariadb_port))
    monkeypatch.setenv("REDIS_PORT", str(services.redis_port))
    with Command("tests.apps.shop:app") as command:
        yield command


@pytest.mark.parametrize("way", ["sqlalchemy", "psycopg", "pymysql", "redis"])
def test_requests_wait_for_databases_side_by_side(server: Command, way: str) -> None:
    clients = [server.client() for _ in range(CLIENTS)]
    for client in clients:
        client.send(raw.get(f"/{way}"))
    for client in clients:
        response = client.response()
        assert response.status == 200
        assert response.body == b"42"
        client.close()
    most, threads = server.request(raw.get("/most")).body.split()
    assert int(most) > CLIENTS // 2
    assert int(threads) < 10
