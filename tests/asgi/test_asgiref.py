"""asgiref's `Local`, which Django keeps its own in, where steps of a task run in turns."""

from __future__ import annotations

from pathlib import Path

from tests.support.raw import get
from tests.support.servers import Command

APP = """
import asyncio, os, time
from asgiref.local import Local
plain, critical = Local(), Local(thread_critical=True)
go = asyncio.Event()
async def app(scope, receive, send):
    text = "held"
    if scope["path"] == "/kept":
        plain.value = critical.value = "mine"
        os.write(1, b"kept\\n")
        await go.wait()
        text = " ".join(getattr(each, "value", "lost") for each in (plain, critical))
    elif scope["path"] == "/other":
        text = " ".join(getattr(each, "value", "none") for each in (plain, critical))
    else:
        go.set()
        while not os.path.exists("go"): time.sleep(0.005)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
"""


def test_a_task_finds_what_it_kept_though_another_holds_the_greenlet_it_ran_in(
    tmp_path: Path,
) -> None:
    (tmp_path / "keeps.py").write_text(APP)
    with (
        Command("keeps:app", "--lifespan", "off", cwd=tmp_path) as server,
        server.client() as one,
        server.client() as other,
    ):
        one.send(get("/kept"))
        server.out.said("kept")
        assert server.request(get("/other")).body == b"none none"
        other.send(get("/holds"))
        assert one.response().body == b"mine mine"
        (tmp_path / "go").touch()
        assert other.response().body == b"held"
