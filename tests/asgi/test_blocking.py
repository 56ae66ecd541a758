"""Calls that block inside a coroutine, in a worker whose standard library is patched:
they hold up their request alone."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.servers import Command, wait_until

APP = """
import asyncio, os, queue, socket, subprocess, threading, time

lock = threading.Lock()
box = queue.Queue()
a, b = socket.socketpair()

def say(word):
    with open("said", "a") as file: file.write(word + " ")

async def app(scope, receive, send):
    path = scope["path"]
    try:
        await serve(path, send)
    except BaseException as error:
        say(type(error).__name__)
        raise

async def forever():
    say("begun")
    time.sleep(3600)

async def child():
    async with asyncio.TaskGroup() as group: group.create_task(forever())

async def serve(path, send):
    if path == "/sleep":
        while not os.path.exists("go"): time.sleep(0.005)
    if path == "/forever": await forever()
    if path == "/child":
        async with asyncio.TaskGroup() as group: group.create_task(child())
    if path == "/gathered": await asyncio.gather(forever(), child())
    if path == "/lock":
        with lock: say("begun"); a.recv(1)
    if path == "/locked":
        say("begun")
        with lock: pass
    if path == "/queue": say("begun"); assert box.get() == 1
    if path == "/process": subprocess.run(["sleep", "0.01"], check=True)
    if path == "/late":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
        time.sleep(0.05)
        return say("later")
    if path == "/limited":
        async with asyncio.timeout(0.01): time.sleep(0.05)
    if path == "/free": box.put(1); b.send(b"x")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"ok"})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "blocks.py").write_text(APP)
    return tmp_path


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


def said(folder: Path, words: str) -> None:
    file = folder / "said"
    wait_until(lambda: (t := file.read_text() if file.exists() else "", words in t))


def serve(folder: Path, *options: str) -> Command:
    return Command("blocks:app", "--interface", "asgi", *options, cwd=folder)


def test_others_are_served_meanwhile(folder: Path) -> None:
    with serve(folder) as server, server.client() as sleeper:
        sleeper.send(get("/sleep"))
        for path in ("/", "/process", "/"):
            assert server.request(get(path)).body == b"ok"
        (folder / "go").touch()
        assert sleeper.response().body == b"ok"


def test_locks_and_queues_of_threads_are_shared_by_coroutines(folder: Path) -> None:
    paths = ("/lock", "/locked", "/queue")
    with serve(folder) as server:
        clients = [server.client() for _ in paths]
        for i, (client, path) in enumerate(zip(clients, paths, strict=True)):
            client.send(get(path))
            said(folder, "begun " * (i + 1))
        assert server.request(get("/")).body == b"ok"
        assert server.request(get("/free")).body == b"ok"
        for client in clients:
            assert client.response().body == b"ok"
            client.close()


@pytest.mark.parametrize("path", ["/forever", "/child", "/gathered"])
def test_a_deadline_ends_what_blocks(folder: Path, path: str) -> None:
    with serve(folder, "--request-timeout", "0.1") as server:
        assert server.request(get(path)).status == 504
        said(folder, "CancelledError")
        assert server.request(get("/")).body == b"ok"


LAYERS = """
import time
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Route

class Layer(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next): return await call_next(request)

async def forever(request): time.sleep(3600)

app = Starlette(routes=[Route("/", forever)], middleware=[Middleware(Layer)] * 2)
"""


def test_a_deadline_ends_what_blocks_below_middleware(folder: Path) -> None:
    """In a task of a task of the request's."""
    (folder / "blocks.py").write_text(LAYERS)
    with serve(folder, "--request-timeout", "0.1") as server:
        assert server.request(get("/")).status == 504


def test_a_time_limit_that_has_ended_in_a_call_cancels_nothing(folder: Path) -> None:
    with serve(folder) as server:
        assert server.request(get("/limited")).body == b"ok"


def test_a_stop_past_its_grace_ends_what_blocks(folder: Path) -> None:
    with (
        serve(folder, "--graceful-timeout", "0.1") as server,
        server.client() as client,
    ):
        client.send(get("/forever"))
        said(folder, "begun")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert "CancelledError" in (folder / "said").read_text()


def test_a_drain_waits_for_what_blocks_behind_an_answer(folder: Path) -> None:
    with serve(folder) as server:
        assert server.request(get("/late")).body == b"ok"
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert "later" in (folder / "said").read_text()
