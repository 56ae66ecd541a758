"""Requests of one worker are tasks of one loop: what a thread has is the same in all of
their steps, also while a call holds one of them."""

from __future__ import annotations

from pathlib import Path

from tests.support.raw import get
from tests.support.servers import Command

APP = """
import asyncio, os, threading, time
from celadon import aio
local = threading.local()
def look():
    me = threading.current_thread()
    return f"{threading.get_ident()} {me.ident} {me.name} {getattr(local, 'x', None)}"
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        local.x = "of the start"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return await send({"type": "lifespan.shutdown.complete"})
    text = await serve(scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
async def serve(path):
    text = look()
    if path == "/green": return await aio.green(look)
    if path == "/holds":
        await asyncio.sleep(0)
        os.write(1, b"held\\n")
        while not os.path.exists("go"): time.sleep(0.005)
    await asyncio.sleep(0)
    return text if text == look() else "another"
"""


def test_all_requests_are_of_one_thread(tmp_path: Path) -> None:
    (tmp_path / "looks.py").write_text(APP)
    with (
        Command("looks:app", cwd=tmp_path) as server,
        server.client() as holder,
    ):
        seen = {server.request(get("/")).body}
        holder.send(get("/holds"))
        server.out.said("held")
        seen |= {server.request(get("/")).body for _ in range(3)}
        other = server.request(get("/green")).body
        (tmp_path / "go").touch()
        seen |= {holder.response().body, server.request(get("/")).body}
    assert len(seen) == 1
    assert seen.pop().endswith(b" of the start")
    assert other.endswith(b" None")
