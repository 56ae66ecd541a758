"""How many tasks of ASGI requests there are, and what they are at."""

from __future__ import annotations

from pathlib import Path

from tests.support.metrics import value
from tests.support.raw import get
from tests.support.servers import Command, wait_until
from tests.support.websockets import opened

APP = """
import asyncio
doors = {}
async def app(scope, receive, send):
    path = scope["path"]
    door = doors.setdefault(path, asyncio.Event())
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await receive()
        await receive()
        return
    if path.startswith("/open/"):
        doors[path[5:]].set()
    if path == "/waits":
        await door.wait()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
    if path == "/behind":
        await door.wait()
"""


def test_tasks_of_requests_are_counted(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(APP)

    def tasks() -> tuple[float, float]:
        name = "celadon_asgi_tasks"
        answering, behind = (
            value(server, name, state=state) for state in ("answering", "background")
        )
        return answering, behind

    def there_are(*wanted: float) -> None:
        wait_until(lambda: (found := tasks(), found == wanted))

    options = ("--lifespan", "off", "--admin-bind", "127.0.0.1:0")
    with (
        Command("tasks:app", *options, cwd=tmp_path) as server,
        server.client() as client,
    ):
        there_are(0, 0)
        client.send(get("/waits"))
        there_are(1, 0)
        for _ in range(2):
            assert server.request(get("/behind")).body == b"hello"
        there_are(1, 2)
        with opened(server, "/socket"):
            there_are(2, 2)
            server.request(get("/open/behind"))
            there_are(2, 0)
        there_are(1, 0)
        server.request(get("/open/waits"))
        assert client.response().body == b"hello"
        there_are(0, 0)
