"""The example applications, as a visitor sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.support import raw
from tests.support.raw import Response
from tests.support.servers import ROOT, Command
from tests.support.services import Services

EXAMPLES = ROOT / "examples"


@pytest.fixture(params=["SQLite", "PostgreSQL", "MariaDB"])
def studio(
    request: pytest.FixtureRequest, services: Services, tmp_path: Path
) -> Iterator[Command]:
    environments = {
        "SQLite": {"STUDIO_SQLITE": str(tmp_path / "studio.sqlite3")},
        "PostgreSQL": {
            "STUDIO_POSTGRES": f"postgres://celadon@127.0.0.1:{services.postgres_port}/celadon",
        },
        "MariaDB": {
            "STUDIO_MARIADB": f"mysql://celadon@127.0.0.1:{services.mariadb_port}/celadon",
        },
    }
    env = {
        "STUDIO_REDIS": f"redis://127.0.0.1:{services.redis_port}",
        **environments[request.param],
    }
    with Command("studio:app", cwd=EXAMPLES, env=env) as command:
        page = command.request(raw.get("/")).body.decode()
        assert f"live in {request.param}, views in Redis" in page
        yield command


def form(path: str, *headers: str, **fields: str) -> bytes:
    kind = "Content-Type: application/x-www-form-urlencoded"
    return raw.post(path, urlencode(fields).encode(), kind, *headers)


def text(response: Response) -> str:
    assert response.status == 200, response.body
    return response.body.decode()


def test_a_visit(studio: Command) -> None:
    page = text(studio.request(raw.get("/")))
    assert "First bowl" in page
    assert "places free" in page
    course = text(studio.request(raw.get("/courses/2")))
    assert "Celadon glazes" in course
    assert "Nobody yet" in course
    booked = studio.request(form("/courses/2", name="Ada <3"))
    assert booked.status == 303
    cookie = (booked.get("Set-Cookie") or "").split(";")[0]
    after = text(studio.request(raw.get("/courses/2", f"Cookie: {cookie}")))
    assert "See you there, Ada &lt;3." in after
    assert "5 of 6 places free" in after
    nameless = studio.request(form("/courses/2", name=" "))
    assert nameless.status == 303
    assert studio.request(raw.get("/courses/99")).status == 404
    assert studio.request(form("/courses/99", name="Ada")).status == 404
    assert "css" in (
        studio.request(raw.get("/static/style.css")).get("Content-Type") or ""
    )


def test_nobody_gets_a_place_twice(studio: Command) -> None:
    """Forty want one of ten places at the same time."""
    with ThreadPoolExecutor(40) as pool:
        asked = [
            pool.submit(studio.request, form("/courses/4", name=f"visitor {n}"))
            for n in range(40)
        ]
        assert {future.result().status for future in asked} == {303}
    course = text(studio.request(raw.get("/courses/4")))
    assert "0 of 10 places free" in course
    names = re.findall(r"<li>visitor (\d+)</li>", course)
    assert len(names) == len(set(names)) == 10
    views = re.search(r"(\d+) views?<", course)
    assert views
    assert int(views[1]) >= 1


def test_a_slow_kiln_holds_nobody_up(tmp_path: Path) -> None:
    env = {"STUDIO_SQLITE": str(tmp_path / "studio.sqlite3")}
    with Command("studio:app", cwd=EXAMPLES, env=env) as command:
        with command.client() as client:
            client.send(raw.get("/kiln"))
            assert "views in this process" in text(command.request(raw.get("/")))
            assert "&deg;C" in text(client.response())


def test_the_first_example() -> None:
    with Command("hello_flask:app", cwd=EXAMPLES) as command:
        assert "It works." in text(command.request(raw.get("/")))
        assert "Hello, Ada." in text(command.request(form("/", name="Ada")))
