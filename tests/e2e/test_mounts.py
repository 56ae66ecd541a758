"""WSGI and ASGI in one worker, as users say it: `--mount`, a file, Python."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import raw
from tests.support.gunicorn import Gunicorn
from tests.support.metrics import page, samples, value
from tests.support.raw import Client
from tests.support.servers import CELADON, Command, Started, wait_until
from tests.support.site import wait_ready
from tests.support.websockets import websocket

# Both have a page that waits for a file without giving anything away: by a call that blocks.
FLASK = """
import os, time
from flask import Flask, request, url_for
VERSION = 1
app = Flask(__name__)
@app.get("/")
def index():
    return f"flask {VERSION}"
@app.get("/users/<int:id>")
def user(id):
    return url_for("user", id=id + 1)
@app.get("/until/<name>")
def until(name):
    os.write(1, b"flask waits\\n")
    while not os.path.exists(name): time.sleep(0.005)
    return "flask until"
"""
FASTAPI = """
import contextlib, os, time
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import PlainTextResponse
VERSION = 1
@contextlib.asynccontextmanager
async def lifespan(app):
    os.write(1, b"up\\n")
    yield {"pid": os.getpid()}
    os.write(1, b"down\\n")
app = FastAPI(lifespan=lifespan, default_response_class=PlainTextResponse)
@app.get("/")
async def index():
    return f"fastapi {VERSION}"
@app.get("/users/{id}")
async def user(request: Request, id: int):
    return request.url_for("user", id=id + 1).path
@app.get("/state")
async def state(request: Request):
    return str(request.state.pid == os.getpid())
@app.get("/until/{name}")
async def until(name: str):
    os.write(1, b"fastapi waits\\n")
    while not os.path.exists(name): time.sleep(0.005)
    return "fastapi until"
@app.websocket("/ws")
async def ws(socket: WebSocket):
    await socket.accept()
    await socket.send_text("fastapi " + await socket.receive_text())
"""
DJANGO = """
import django, os, time
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path, reverse
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x")
django.setup()
def view(request, name):
    kind = type(request).__name__
    return HttpResponse(f"{kind} {reverse('view', args=[name])} {request.path}")
async def aview(request, name):
    return view(request, name)
def until(request, name):
    while not os.path.exists(name): time.sleep(0.005)
    return view(request, name)
urlpatterns = [path("sync/<name>", view, name="view"), path("async/<name>", aview),
               path("until/<name>", until)]
wsgi, asgi = get_wsgi_application(), get_asgi_application()
"""
BOTH = ("--mount", "/api=api:app")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site_app.py").write_text(FLASK)
    (tmp_path / "api.py").write_text(FASTAPI)
    return tmp_path


def body(server: Any, path: str, *fields: str) -> str:
    answer = server.request(raw.get(path, *fields))
    assert answer.status == 200, (path, answer)
    text: str = answer.body.decode()
    return text


def look_at_both(server: Any) -> None:
    assert body(server, "/") == "flask 1"
    assert body(server, "/users/1") == "/users/2"
    assert body(server, "/api/") == "fastapi 1"
    assert body(server, "/api/users/1") == "/api/users/2"
    assert body(server, "/api/state") == "True"
    assert server.request(raw.get("/api/nowhere")).status == 404
    assert server.request(raw.get("/apiary")).status == 404


def both_wait(server: Command, one: Client, other: Client) -> None:
    one.send(raw.get("/until/go"))
    other.send(raw.get("/api/until/go"))
    server.out.said("flask waits")
    server.out.said("fastapi waits")


def test_flask_and_fastapi_side_by_side(site: Path) -> None:
    """One waits in a call that blocks, in the one or in the other: both serve on."""
    with Command("site_app:app", *BOTH, cwd=site) as server:
        look_at_both(server)
        with server.client() as one, server.client() as other:
            both_wait(server, one, other)
            look_at_both(server)
            (site / "go").touch()
            assert one.response().body == b"flask until"
            assert other.response().body == b"fastapi until"
        with websocket(server, "/api/ws") as ws:
            ws.send("hello")
            assert ws.recv() == "fastapi hello"
        assert server.stop() == 0
    assert [line for line in server.out if "waits" not in line] == ["up", "down"]


def test_django_by_both_of_its_sides(tmp_path: Path) -> None:
    (tmp_path / "dj.py").write_text(DJANGO)
    with Command("dj:wsgi", "--mount", "/live=dj:asgi", cwd=tmp_path) as server:

        def look() -> None:
            assert body(server, "/sync/a") == "WSGIRequest /sync/a /sync/a"
            assert body(server, "/async/a") == "WSGIRequest /sync/a /async/a"
            assert (
                body(server, "/live/sync/a") == "ASGIRequest /live/sync/a /live/sync/a"
            )
            found = body(server, "/live/async/a")
            assert found == "ASGIRequest /live/sync/a /live/async/a"

        look()
        with server.client() as one, server.client() as other:
            one.send(raw.get("/until/go"))
            other.send(raw.get("/live/until/go"))
            look()
            (tmp_path / "go").touch()
            assert one.response().body == b"WSGIRequest /sync/go /until/go"
            assert other.response().body == b"ASGIRequest /live/sync/go /live/until/go"


FILES = {
    "celadon.toml": 'mount = ["/api=api:app"]\n',
    "celadon.conf.py": "mount = {'/api': 'api:app'}\n",
    "gunicorn.conf.py": "mount = 'is mine'\nceladon_mount = ['/api=api:app']\n",
    "pyproject.toml": '[tool.celadon.mount]\n"/api" = "api:app"\n',
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_says_it(site: Path, name: str) -> None:
    (site / name).write_text(FILES[name])
    done = subprocess.run(
        [CELADON, "--print-config", "--json"], cwd=site, capture_output=True, check=True
    )
    assert json.loads(done.stdout)["settings"]["mount"]["value"] == ["/api=api:app"]
    with Command("site_app:app", cwd=site) as server:
        look_at_both(server)


def by_run(site: Path) -> Started:
    code = (
        "import celadon, site_app, api\n"
        "celadon.run(celadon.Mount(site_app.app, {'/api': api.app}), bind='127.0.0.1:0')"
    )
    return Started(sys.executable, "-c", code, cwd=site)


def by_run_with_a_master(site: Path) -> Started:
    code = (
        "import celadon, celadon.patch; celadon.patch.all()\nimport site_app\n"
        "celadon.run(site_app.app, bind='127.0.0.1:0', mount='/api=api:app',\n"
        "            max_requests=10000)"
    )
    return Started(sys.executable, "-c", code, cwd=site)


def by_its_name(site: Path) -> Command:
    (site / "whole.py").write_text(
        "import celadon, site_app, api\n"
        "application = celadon.Mount(site_app.app, {'/api': api.app})\n"
    )
    return Command("whole", cwd=site)


def by_a_variable(site: Path) -> Command:
    return Command("site_app:app", cwd=site, env={"CELADON_MOUNT": "/api=api:app"})


def by_preload(site: Path) -> Command:
    return Command("site_app:app", *BOTH, "--preload", cwd=site)


def by_gunicorn(site: Path) -> Gunicorn:
    return Gunicorn("site_app:app", cwd=site, env={"CELADON_MOUNT": "/api=api:app"})


def by_gunicorn_and_its_name(site: Path) -> Gunicorn:
    (site / "whole.py").write_text(
        "import celadon, site_app, api\n"
        "application = celadon.Mount(site_app.app, {'/api': api.app})\n"
    )
    return Gunicorn("whole:application", cwd=site)


@pytest.mark.parametrize(
    "serve",
    [
        by_run,
        by_run_with_a_master,
        by_its_name,
        by_a_variable,
        by_preload,
        by_gunicorn,
        by_gunicorn_and_its_name,
    ],
)
def test_ways_to_say_it(site: Path, serve: Callable[[Path], Any]) -> None:
    with serve(site) as server:
        look_at_both(server)
        assert server.stop() == 0
    assert [*server.out] == ["up", "down"]


CONF = """
import json
def write(name, *words): open("said", "a").write(json.dumps([name, *words]) + chr(10))
def post_worker_init(worker):
    app = worker.wsgi
    def around(environ, start_response):
        write("around", environ["PATH_INFO"])
        return app(environ, start_response)
    worker.wsgi = around
    write("mounted", sorted(worker.app.mounted), type(worker.app.callable).__name__)
def pre_request(worker, req): write("pre", req.uri, req.path)
def post_request(worker, req, environ, resp): write("post", req.uri, resp.status_code)
"""


def test_hooks_ids_and_logs_are_those_of_both(site: Path) -> None:
    (site / "celadon.conf.py").write_text(CONF)
    form = "%(r)s %(s)s %({request_id}x)s"
    more = ("--access-logfile", "log", "--access-logformat", form)
    with Command("site_app:app", *BOTH, *more, cwd=site) as server:
        ids = []
        for path in ("/users/1", "/api/users/1"):
            answer = server.request(raw.get(path))
            ids.append(answer.get("X-Request-ID"))
        assert server.stop() == 0
    said = list(map(json.loads, (site / "said").read_text().splitlines()))
    assert said == [
        ["mounted", ["/api"], "Flask"],
        ["pre", "/users/1", "/users/1"],
        ["around", "/users/1"],
        ["post", "/users/1", 200],
        ["pre", "/api/users/1", "/api/users/1"],
        ["post", "/api/users/1", 200],
    ]
    assert (site / "log").read_text().splitlines() == [
        f"GET /users/1 HTTP/1.1 200 {ids[0]}",
        f"GET /api/users/1 HTTP/1.1 200 {ids[1]}",
    ]


def test_metrics_are_of_both_and_routes_have_the_prefix(site: Path) -> None:
    with Command(
        "site_app:app", *BOTH, "--admin-bind", "127.0.0.1:0", cwd=site
    ) as server:
        look_at_both(server)
        with websocket(server, "/api/ws") as ws:
            ws.send("hello")
            ws.recv()
        accepted = "celadon_websockets_accepted_total"
        wait_until(lambda: (n := value(server, accepted), n == 1))

        def routes() -> set[str]:
            return {
                dict(labels).get("http_route", "")
                for name, labels in samples(page(server).body.decode())
                if name == "http_server_request_duration_seconds_count"
            }

        wanted = {"/", "/users/<int:id>", "/api/", "/api/users/{id}"}
        wait_until(lambda: (r := routes(), wanted <= r))


def test_a_reload_takes_both_and_answers_both(site: Path) -> None:
    """Requests under way end with the code of before."""
    with Command("site_app:app", *BOTH, cwd=site) as server:
        look_at_both(server)
        old = server.worker
        with server.client() as one, server.client() as other:
            both_wait(server, one, other)
            for name, text in (("site_app.py", FLASK), ("api.py", FASTAPI)):
                changed = text.replace("VERSION = 1", "VERSION = 22")
                (site / name).write_text(changed)
            server.signal(1)
            server.wait_line("worker .* is ready")
            wait_until(lambda: (b := body(server, "/"), b == "flask 22"))
            wait_until(lambda: (b := body(server, "/api/"), b == "fastapi 22"))
            (site / "go").touch()
            assert one.response().body == b"flask until"
            assert other.response().body == b"fastapi until"
        server.said(f"worker {old} exited with status 0")
        assert server.stop() == 0
    assert [*server.out].count("down") == 2


def test_a_reload_takes_other_mounts(site: Path) -> None:
    (site / "celadon.toml").write_text("")
    with Command("site_app:app", cwd=site) as server:
        assert server.request(raw.get("/api/")).status == 404
        (site / "celadon.toml").write_text('mount = "/api=api:app"\n')
        server.signal(1)
        server.wait_line("worker .* is ready")
        wait_until(lambda: (a := server.request(raw.get("/api/")), a.status == 200))
        (site / "celadon.toml").write_text('mount = "/api=nowhere:app"\n')
        server.signal(1)
        server.wait_line("cannot import 'nowhere': there is no module 'nowhere'")
        look_at_both(server)


def test_in_development_what_is_mounted_is_watched_too(site: Path) -> None:
    options = ("--reload", "--reload-engine", "poll")
    with Command("site_app:app", *BOTH, *options, cwd=site) as server:
        look_at_both(server)
        (site / "api.py").write_text("1 / 0\n")
        server.wait_line("api.py changed: reloading")
        wait_until(
            lambda: (
                a := server.request(raw.get("/api/")),
                b"ZeroDivisionError" in a.body,
            )
        )
        assert server.request(raw.get("/")).status == 500
        (site / "api.py").write_text(FASTAPI.replace("VERSION = 1", "VERSION = 22"))
        server.wait_line("api.py changed: reloading")
        wait_until(
            lambda: (a := server.request(raw.get("/api/")), a.body == b"fastapi 22")
        )
        assert body(server, "/") == "flask 1"


def test_all_workers_have_both(site: Path) -> None:
    with Command("site_app:app", *BOTH, "--workers", "2", cwd=site) as server:
        wait_ready(server, 2)
        for _ in range(10):
            look_at_both(server)


def refusal(site: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [CELADON, "--bind", "127.0.0.1:0", "site_app:app", *words],
        cwd=site,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (
            ["--mount", "api=api:app"],
            2,
            "mount: expected a path that begins with /, not 'api=api:app' (command line)",
        ),
        (
            ["--mount", "/api"],
            2,
            "mount: expected /PREFIX=MODULE:APP, not '/api' (command line)",
        ),
        (
            ["--mount", "/=api:app"],
            2,
            "mount: expected a path below /, where the application itself is, "
            "not '/=api:app' (command line)",
        ),
        (
            ["--mount", "/a=api:app", "--mount", "/a/=api"],
            2,
            "mount: expected each prefix once, not ['/a=api:app', '/a/=api'] "
            "(command line)",
        ),
        (
            ["--mount", "/a=api.py"],
            4,
            "'api.py' is a file, a module is wanted: api:app",
        ),
    ],
)
def test_what_a_wrong_option_says(
    site: Path, words: list[str], status: int, said: str
) -> None:
    assert refusal(site, *words) == (status, f"celadon: {said}\n")


def test_what_cannot_be_imported_is_named(site: Path) -> None:
    status, said = refusal(site, "--mount", "/a=nowhere:app")
    assert status != 0
    assert "cannot import 'nowhere': there is no module 'nowhere' in" in said
    (site / "made.py").write_text("def make():\n    return print\n")
    status, said = refusal(site, "--mount", "/a=made:make")
    assert status != 0
    assert (
        "'made:make' is a function that makes an application: write /a=made:make()"
        in said
    )


def test_check_knows_what_is_mounted(site: Path) -> None:
    def run(*words: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [CELADON, *words], cwd=site, capture_output=True, text=True
        )
        return done.returncode, done.stdout, done.stderr

    _, out, _ = run("check", "site_app:app", *BOTH)
    assert out.startswith("site_app:app /api=api:app: what waits, and for whom\n")
    status, _, said = run("--check-config", "site_app:app", "--mount", "/a=api:nothing")
    assert status == 1
    assert said.startswith("celadon: module 'api' has no attribute 'nothing'")
    status, out, _ = run("--check-config", "site_app:app", *BOTH)
    assert (status, out) == (0, "configuration is fine\n")
    _, out, _ = run("--help")
    assert "--mount /PREFIX=MODULE:APP" in out


def test_one_that_does_not_start_stops_the_server(site: Path) -> None:
    text = FASTAPI.replace('os.write(1, b"up\\n")', 'raise RuntimeError("no database")')
    (site / "api.py").write_text(text)
    status, said = refusal(site, *BOTH)
    assert status == 4
    assert "/api: lifespan.startup failed: RuntimeError: no database" in said


def test_it_is_read_by_root(site: Path) -> None:
    """`root_path`, and what a proxy says, stand before the prefix."""
    options = ("--root-path", "/site")
    with Command("site_app:app", *BOTH, *options, cwd=site) as server:
        for before in ("", "/site"):
            assert body(server, f"{before}/api/users/1") == "/site/api/users/2"
            assert body(server, f"{before}/users/1") == "/site/users/2"
