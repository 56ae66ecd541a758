"""Children that tasks fork: each ends with the step that it was forked in (G24)."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.support.raw import get
from tests.support.servers import Command

APP = """
import asyncio, json, os, sys
from celadon import aio, green

def child(path):
    if path.endswith("/exit"): sys.exit(3)
    if path.endswith("/raise"): raise ValueError("on purpose")
    if path.endswith("/interrupt"): raise KeyboardInterrupt

async def forked(path):
    await asyncio.sleep(0)
    pid = os.fork()
    if pid == 0:
        child(path)
        if path.endswith("/waits"): await asyncio.sleep(0)
        return None
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

async def in_task(path):
    return await asyncio.create_task(forked(path))

async def in_callback(path):
    done = asyncio.get_running_loop().create_future()
    def call():
        pid = os.fork()
        if pid == 0: return child("/exit" if path.endswith("/exit") else "")
        done.set_result(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    asyncio.get_running_loop().call_soon(call)
    return await done

WAYS = {"own": forked, "task": in_task, "callback": in_callback}
begun = []

async def serve(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        begun.append(await forked("/exit"))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return await send({"type": "lifespan.shutdown.complete"})
    way = scope["path"].split("/")[1]
    status = begun[0] if way == "lifespan" else await WAYS[way](scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(status).encode()})

def view(environ, start_response):
    start_response("200 OK", [])
    return [json.dumps(aio.wait(forked(environ["PATH_INFO"]))).encode()]
"""
ENDS = {
    "/return": 0,
    "/waits": 0,
    "/exit": 3,
    "/raise": 1,
    "/interrupt": -signal.SIGINT,
}


def status_of(server: Command, path: str) -> object:
    return json.loads(server.request(get(path)).body)


def test_g24_a_child_of_a_task_ends_with_its_step(tmp_path: Path) -> None:
    (tmp_path / "forks.py").write_text(APP)
    with Command("forks:serve", "--interface", "asgi", cwd=tmp_path) as server:
        assert status_of(server, "/lifespan") == 3
        for way in ("/own", "/task"):
            for path, status in ENDS.items():
                assert status_of(server, way + path) == status, (way, path)
        assert status_of(server, "/callback/return") == 0
        assert status_of(server, "/callback/exit") == 3
        assert not any("exited" in line for line in server.lines)
    assert server.process.returncode == 0


def test_g24_so_does_one_of_what_a_view_waits_for(tmp_path: Path) -> None:
    (tmp_path / "forks.py").write_text(APP)
    with Command("forks:view", cwd=tmp_path) as server:
        for path, status in ENDS.items():
            assert status_of(server, path) == status, path
    assert server.process.returncode == 0
