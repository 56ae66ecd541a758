"""ASGI applications by their frameworks, and requests beside their lifespan."""

from __future__ import annotations

import ast
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import celadon
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.apps import asgi_life
from tests.support import raw
from tests.support.gunicorn import Gunicorn
from tests.support.metrics import page, samples
from tests.support.servers import ROOT, Command, Started, wait_until
from tests.support.site import wait_ready

LIFE = "tests.apps.asgi_life"
ROUTES = {
    "starlette": "/user/{number:int}",
    "fastapi": "/user/{number}",
    "quart": "/user/<int:number>",
    "django": "/user/<int:number>",
    "litestar": "",
    "falcon": "",
}


CONF = """
import json
def write(name, *words): open("said", "a").write(json.dumps([name, *words]) + chr(10))
def pre_request(worker, req):
    write("pre", req.method, req.uri, req.path, dict(req.headers)["HOST"])
    if req.path == "/refused": raise ValueError
def post_request(worker, req, environ, resp):
    names = [name for name, _ in resp.headers]
    write("post", req.path, environ["PATH_INFO"], resp.status_code, resp.sent, names)
"""


def body(server: Any, path: str) -> str:
    answer = server.request(raw.get(path))
    assert answer.status == 200, answer
    text: str = answer.body.decode()
    return text


def routes(server: Command) -> set[str]:
    return {
        dict(labels).get("http_route", "")
        for name, labels in samples(page(server).body.decode())
        if name == "http_server_request_duration_seconds_count"
    }


@pytest.mark.parametrize("name", ROUTES)
def test_a_framework_is_served(name: str, tmp_path: Path) -> None:
    """Its requests, its lifespan, and one that blocks in `async def` beside others."""
    file = tmp_path / "go"
    target = f"tests.apps.asgi_frameworks:{name}()"
    with Command(target, "--admin-bind", "127.0.0.1:0") as server:
        assert body(server, "/") == "index"
        assert body(server, "/user/1") == "user 1"
        assert body(server, "/user/2") == "user 2"
        echoed = server.request(raw.post("/echo", b"x" * 100_000))
        assert echoed.body == b"x" * 100_000
        if name in ("starlette", "fastapi"):
            assert body(server, "/began") == "today"
        with server.client() as client:
            client.send(raw.get(f"/blocks?file={file}"))
            server.out.said("blocks")
            assert body(server, "/") == "index"
            file.touch()
            assert client.response().body.decode() == str(file)
        wait_until(lambda: (r := routes(server), ROUTES[name] in r))
        assert server.stop() == 0
    words = [line for line in server.out if line != "blocks"]
    assert words == ([] if name == "django" else ["up", "down"])


def life(server: Any, path: str = "/") -> tuple[str, int, int, int]:
    """Its path, whom the lifespan was in, who answered, and how much the state has."""
    found: tuple[str, int, int, int] = ast.literal_eval(body(server, path))
    return found


def test_each_request_has_a_copy_of_the_state_of_its_worker() -> None:
    with Command(f"{LIFE}:app", "--workers", "2") as server:
        wait_ready(server, 2)
        seen = {life(server) for _ in range(50)}
    assert all(told == answered for _, told, answered, _ in seen)
    assert {size for *_, size in seen} == {1}


def test_requests_are_answered_before_the_lifespan_ends(tmp_path: Path) -> None:
    file = tmp_path / "go"
    with Command(f"{LIFE}:app") as server:
        with server.client() as client:
            client.send(raw.get(f"/until?{file}"))
            server.out.said("waits")
            server.signal(signal.SIGTERM)
            server.wait_line("stopping: finishing requests")
            assert not any(line.startswith("ending") for line in server.out)
            file.touch()
            assert client.response().status == 200
        assert server.wait() == 0
    assert [line.split()[0] for line in server.out] == [
        "started",
        "waits",
        "ending",
        "ended",
    ]


def test_a_stream_that_never_ends_holds_no_end_up() -> None:
    """It is cancelled when `graceful_timeout` is over; the lifespan has its end all the
    same."""
    with Command(f"{LIFE}:app", "--graceful-timeout", "1") as server:
        with server.client() as client:
            client.send(raw.get("/stream"))
            client.read_until(b"tick")
            server.signal(signal.SIGTERM)
            assert server.wait() == 0
    assert [line.rsplit(" ", 1)[0] for line in server.out] == [
        "started",
        "stream over",
        "ending",
        "ended",
    ]


def test_a_websocket_holds_no_end_up(tmp_path: Path) -> None:
    (tmp_path / "celadon.conf.py").write_text(CONF)
    env = {"PYTHONPATH": str(ROOT)}
    with Command(f"{LIFE}:app", cwd=tmp_path, env=env) as server:
        with connect(f"ws://127.0.0.1:{server.port}/ws") as ws:
            ws.send("hello")
            assert ws.recv() == "hello"
            server.signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed):
                ws.recv()
            assert ws.close_code == 1001
        assert server.wait() == 0
    words = [line.rsplit(" ", 1)[0] for line in server.out]
    assert words == ["started", words[1], "ending", "ended"]
    assert words[1].startswith("socket over")
    said = list(map(json.loads, (tmp_path / "said").read_text().splitlines()))
    assert [line[:2] for line in said] == [["pre", "GET"], ["post", "/ws"]]
    assert said[1][3] == 101


def test_max_requests_ends_it_too() -> None:
    with Command(f"{LIFE}:app", "--max-requests", "3") as server:
        old = server.worker
        for _ in range(3):
            life(server)
        server.said(f"worker {old} exited with status 0")
        server.out.said(f"ended {old}")
        _, told, answered, _ = life(server)
        assert told == answered != old


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("Old", [], "old"),
        ("Old", ["--interface", "asgi2"], "old"),
        ("Old", ["-k", "uvicorn_worker.UvicornWorker"], "old"),
        ("without", [], "without"),
        ("without", ["--lifespan", "off"], "without"),
        ("wsgi", [], "wsgi"),
    ],
)
def test_interfaces(name: str, options: list[str], expected: str) -> None:
    with Command(f"{LIFE}:{name}", *options) as server:
        assert body(server, "/") == expected


def serving_by_gunicorn(target: str) -> Gunicorn:
    return Gunicorn(target)


def serving_by_run(target: str) -> Started:
    module, _, name = target.partition(":")
    code = f"import celadon, {module} as m; celadon.run(m.{name}, bind='127.0.0.1:0')"
    return Started(sys.executable, "-c", code, cwd=ROOT)


@pytest.mark.parametrize("serve", [serving_by_gunicorn, serving_by_run])
def test_other_ways_to_serve(serve: Callable[[str], Any]) -> None:
    with serve(f"{LIFE}:app") as server:
        _, told, answered, size = life(server)
        assert (told, size) == (answered, 1)
        assert server.stop() == 0
    assert server.out[-1].startswith("ended")


def test_a_server_in_a_thread() -> None:
    with celadon.Server(asgi_life.app) as server:
        with raw.Client(("127.0.0.1", server.port)) as client:
            client.send(raw.get("/a"))
            assert ast.literal_eval(client.response().body.decode())[0] == "/a"


def test_hooks_are_called(tmp_path: Path) -> None:
    (tmp_path / "celadon.conf.py").write_text(CONF)
    with Command(f"{LIFE}:app", cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}) as server:
        text = body(server, "/a?b=c")
        assert server.request(raw.get("/refused")).status == 500
        assert server.stop() == 0
    said = list(map(json.loads, (tmp_path / "said").read_text().splitlines()))
    assert said == [
        ["pre", "GET", "/a?b=c", "/a", "a"],
        ["post", "/a", "/a", 200, len(text), ["content-length"]],
        ["pre", "GET", "/refused", "/refused", "a"],
    ]


def test_a_configuration_of_gunicorn_with_uvicorns_worker(tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(
        "bind = '127.0.0.1:0'\nworkers = 2\nasgi_lifespan = 'on'\n"
        "worker_class = 'uvicorn.workers.UvicornWorker'\n"
    )
    env = {"PYTHONPATH": str(ROOT)}
    with Command(f"{LIFE}:app", cwd=tmp_path, env=env, bind=None) as server:
        wait_ready(server, 2)
        assert life(server)[3] == 1
    assert len([line for line in server.out if line.startswith("ended")]) == 2


def test_the_command_line_of_uvicorn(tmp_path: Path) -> None:
    words = "--host 127.0.0.1 --port 0 --no-access-log --timeout-keep-alive 5"
    with Command(f"{LIFE}:app", *words.split(), bind=None) as server:
        assert life(server)[0] == "/"


CLIENT = """
async def app(scope, receive, send):
    body = scope["client"][0].encode()
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
"""


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ([], "9.9.9.9"),
        (["--no-proxy-headers"], "127.0.0.1"),
        (["--proxy-headers", "--forwarded-allow-ips", "10.0.0.1"], "127.0.0.1"),
    ],
)
def test_the_client_is_the_proxys_by_default(
    options: list[str], address: str, tmp_path: Path
) -> None:
    """As uvicorn has it."""
    (tmp_path / "who.py").write_text(CLIENT)
    with Command("who:app", *options, cwd=tmp_path) as server:
        answer = server.request(raw.get("/", "X-Forwarded-For: 9.9.9.9"))
        assert answer.body.decode() == address


RELOADED = """
{body}
from tests.apps.asgi_life import app as life
async def app(scope, receive, send):
    if scope["type"] == "lifespan" and {fails}:
        await receive()
        await send({{"type": "lifespan.startup.failed", "message": "no database"}})
        return
    await life(scope, receive, send)
"""


@pytest.mark.parametrize("kind", ["auto", "uvicorn.workers.UvicornWorker"])
def test_what_does_not_start_is_a_page_in_development(
    kind: str, tmp_path: Path
) -> None:
    """Whatever the reason is, until a file changes."""
    file = tmp_path / "edited.py"
    options = ("--reload", "--reload-engine", "poll", "-k", kind)
    env = {"PYTHONPATH": str(ROOT)}
    file.write_text(RELOADED.format(body="", fails=True))
    with Command("edited:app", *options, cwd=tmp_path, env=env) as server:
        assert server.worker
        answer = server.request(raw.get())
        assert (answer.status, b"no database" in answer.body) == (500, True)
        file.write_text(RELOADED.format(body="1 / 0", fails=False))
        server.wait_line("worker .* is ready")
        answer = wait_until(
            lambda: (a := server.request(raw.get()), b"no database" not in a.body)
        )
        assert (answer.status, b"ZeroDivisionError" in answer.body) == (500, True)
        file.write_text(RELOADED.format(body="# whole now", fails=False))
        server.wait_line("worker .* is ready")
        wait_until(lambda: (a := server.request(raw.get()), a.status == 200))
