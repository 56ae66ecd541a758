"""Where tasks of a running server are: `celadon ctl stacks`, and the watchdog's lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.raw import get
from tests.support.servers import Command
from tests.support.site import Site, wait_ready

APP = """
import asyncio, os, time
tasks = []
async def app(scope, receive, send):
    if scope["path"] == "/wait": await wait_here(receive)
    if scope["path"] == "/held": hold_here()
    if scope["path"] == "/spin": tasks.append(asyncio.create_task(outer(), name="report"))
    if scope["path"] == "/spin-itself": spin()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
async def wait_here(receive):
    await receive()
    os.write(1, b"waits\\n")
    await receive()
def hold_here():
    os.write(1, b"held\\n")
    while not os.path.exists("go"): time.sleep(0.005)
async def outer(): await inner()
async def inner(): spin()
def spin():
    while not os.access("go", os.F_OK): pass  # it is found in no other function
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "waiting.py").write_text(APP)
    return tmp_path


def test_stacks_show_requests_that_wait(site: Site) -> None:
    from tests.e2e.test_admin import Administered

    (site.folder / "site_app.py").write_text(APP)
    with (
        Administered(site, "--interface", "asgi", "--lifespan", "off") as admin,
        admin.server.client() as waiting,
        admin.server.client() as held,
    ):
        wait_ready(admin.server, 1)
        waiting.send(get("/wait"))
        admin.server.out.said("waits")
        held.send(get("/held"))
        admin.server.out.said("held")
        (answer,) = admin.asked("stacks")["workers"]
        (task,) = (each for each in answer["greenlets"]["tasks"] if each["request"])
        assert task["request"] == "GET /wait"
        assert task["waits_on"] == "receive()"
        assert [at["function"] for at in task["stack"]] == ["app", "wait_here"]
        text = admin.ctl("stacks").stdout
        assert (
            f"(GET /wait, request id {task['request_id']}): waits for receive()" in text
        )
        (holder,) = (
            each for each in answer["greenlets"]["greenlets"] if each["request"]
        )
        assert holder["request"] == "GET /held"
        assert "hold_here" in [at["function"] for at in holder["stack"]]
        (site.folder / "go").touch()
        assert held.response().body == b"ok"


@pytest.mark.parametrize(
    ("path", "who"),
    [("/spin", r"task report \(outer\)"), ("/spin-itself", "GET /spin-itself")],
)
def test_the_watchdog_says_which_task_holds_the_loop(
    folder: Path, path: str, who: str
) -> None:
    options = ("--lifespan", "off", "--watchdog-threshold", "50ms")
    with (
        Command("waiting:app", *options, cwd=folder) as server,
        server.client() as client,
    ):
        client.send(get(path))
        server.wait_line(
            rf"the loop is held for \d+ ms at .*waiting.py:\d+ in spin by {who}$"
        )
        if path == "/spin":
            server.lines.wait_all("in inner", "in outer")
        (folder / "go").touch()
        assert client.response().body == b"ok"
        server.wait_line(rf"the loop was held for \d+ ms in all at .* by {who}$")
