"""Requests, workers and lines of the log as a statsd daemon is told of them."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gunicorn import WORKER
from tests.support.raw import Client, get
from tests.support.servers import BIN, Command
from tests.support.statsd import Daemon

APP = """
from threading import Event

def early():
    raise ValueError("on purpose")
    yield b""

def late(start_response):
    start_response("200 OK", [])
    raise ValueError("on purpose")
    yield b""

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/raise": raise ValueError("on purpose")
    if path == "/without": return [b"nobody has said of what status"]
    if path == "/early": return early()
    if path == "/text":
        start_response("200 OK", [])
        return iter(["no bytes"])
    if path == "/late": return late(start_response)
    if path == "/slow": Event().wait()
    start_response("404 Not Found" if path == "/no" else "200 OK", [])
    return [b"hello"]
"""


@pytest.fixture(params=["udp", "unix"])
def daemon(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Daemon]:
    if request.param == "udp":
        running = Daemon(socket.AF_INET, ("127.0.0.1", 0))
    else:
        running = Daemon(socket.AF_UNIX, str(tmp_path / "statsd"))
    with running:
        yield running


SERVERS = {
    "gunicorn": ("gunicorn",),
    "gunicorn with our worker": ("gunicorn", "-k", WORKER),
    "celadon": ("celadon",),
    "celadon, one at a time": ("celadon", "-k", "sync"),
}


@pytest.mark.parametrize("name", SERVERS)
def test_statsd_is_told_as_gunicorn_does(
    daemon: Daemon, name: str, tmp_path: Path
) -> None:
    program, *words = SERVERS[name]
    (tmp_path / "counted.py").write_text(APP)
    (tmp_path / "gunicorn.conf.py").write_text(
        f"bind = '127.0.0.1:0'\nstatsd_host = {daemon.address!r}\n"
        "statsd_prefix = 'shop.'\n"
        "dogstatsd_tags = 'where:here,what:test'\n"
    )
    server = Command.__new__(Command)
    server.start([str(BIN / program), *words, "counted:app"], tmp_path)
    tags = re.escape("|#where:here,what:test")
    with server:
        port = int(server.said(r"[Ll]istening at:? .*http://127.0.0.1:(\d+)")[1])
        daemon.lines.said(rf"^shop\.gunicorn\.workers:1\|g{tags}$")
        for path, status in (("/", 200), ("/no", 404), ("/raise", 500)):
            with Client(("127.0.0.1", port)) as client:
                client.send(get(path))
                assert client.response().status == status
            daemon.lines.wait_all(
                rf"^shop\.gunicorn\.request\.duration:\d+\.\d+\|ms{tags}$",
                rf"^shop\.gunicorn\.requests:1\|c\|@1\.0{tags}$",
                rf"^shop\.gunicorn\.request\.status\.{status}:1\|c\|@1\.0{tags}$",
            )
        daemon.lines.said(rf"^shop\.gunicorn\.log\.exception:1\|c\|@1\.0{tags}$")


@pytest.mark.parametrize("daemon", ["udp"], indirect=True)
@pytest.mark.parametrize("name", ["gunicorn with our worker", "celadon"])
def test_a_request_that_fails_is_told_by_what_its_client_saw(
    daemon: Daemon, name: str, tmp_path: Path
) -> None:
    program, *words = SERVERS[name]
    (tmp_path / "counted.py").write_text(APP)
    (tmp_path / "gunicorn.conf.py").write_text(
        "bind = '127.0.0.1:0'\ntimeout = 120\n"
        f"statsd_host = {daemon.address!r}\n"
        "def post_request(worker, req, environ, resp):\n"
        "    worker.log.info('of %s: %s', req.path, resp.status)\n"
    )
    ends = {"/slow": 504} if program == "celadon" else {}
    env = {"CELADON_REQUEST_TIMEOUT": "0.2s"} if ends else {}
    server = Command.__new__(Command)
    server.start([str(BIN / program), *words, "counted:app"], tmp_path, env)
    with server:
        port = int(server.said(r"[Ll]istening at:? .*http://127.0.0.1:(\d+)")[1])
        fails = dict.fromkeys(("/early", "/late", "/text", "/without", "/raise"), 500)
        for path, status in {**fails, **ends, "/": 200}.items():
            with Client(("127.0.0.1", port)) as client:
                client.send(get(path))
                assert client.response().status == status
            said = daemon.lines.wait(r"^gunicorn\.request\.status\.(.*):1\|c")
            assert said[1] == str(status)
            server.wait_line(f"of {path}: {status} ")


ASYNC = """
import asyncio
START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"hello"}

async def app(scope, receive, send):
    if scope["type"] == "lifespan": return
    path = scope["path"]
    if path == "/raise": raise ValueError("on purpose")
    if path == "/without": return
    if path == "/cancel": raise asyncio.CancelledError
    if path == "/slow": await asyncio.sleep(3600)
    await send(START)
    if path == "/late": raise ValueError("on purpose")
    if path == "/half": return
    await send(BODY)
    if path == "/behind": raise ValueError("on purpose")
"""


@pytest.mark.parametrize("daemon", ["udp"], indirect=True)
@pytest.mark.parametrize("name", ["gunicorn with our worker", "celadon"])
def test_so_is_one_of_asgi(daemon: Daemon, name: str, tmp_path: Path) -> None:
    program, *words = SERVERS[name]
    (tmp_path / "counted.py").write_text(ASYNC)
    (tmp_path / "gunicorn.conf.py").write_text(
        "bind = '127.0.0.1:0'\ntimeout = 120\n"
        f"statsd_host = {daemon.address!r}\n"
        "def post_request(worker, req, environ, resp):\n"
        "    worker.log.info('of %s: %s', req.path, resp.status)\n"
    )
    env = {"CELADON_REQUEST_TIMEOUT": "0.2s"}
    server = Command.__new__(Command)
    server.start([str(BIN / program), *words, "counted:app"], tmp_path, env)
    with server:
        port = int(server.said(r"[Ll]istening at:? .*http://127.0.0.1:(\d+)")[1])
        fails = dict.fromkeys(("/raise", "/without", "/cancel", "/late", "/half"), 500)
        for path, status in {**fails, "/slow": 504, "/behind": 200, "/": 200}.items():
            with Client(("127.0.0.1", port)) as client:
                client.send(get(path))
                assert client.response().status == status
            said = daemon.lines.wait(r"^gunicorn\.request\.status\.(.*):1\|c")
            assert said[1] == str(status), path
            server.wait_line(f"of {path}: {status} ")


@pytest.mark.parametrize(
    "bad", ["nowhere", "unix:", "nohost.invalid:8125", "127.0.0.1:99999"]
)
def test_a_statsd_that_cannot_be(bad: str, tmp_path: Path) -> None:
    (tmp_path / "counted.py").write_text(APP)
    server = Command("counted:app", "--statsd-host", bad, cwd=tmp_path)
    assert server.wait() == 2
    server.wait_line("statsd_host: ")


def test_a_logger_class_hears_of_requests(tmp_path: Path) -> None:
    """Under gunicorn's master: what it does with each, and its line."""
    (tmp_path / "counted.py").write_text(APP)
    (tmp_path / "gunicorn.conf.py").write_text(
        "from gunicorn.glogging import Logger\n"
        "class logger_class(Logger):\n"
        "    def access(self, resp, req, environ, request_time):\n"
        "        super().access(resp, req, environ, request_time)\n"
        "        self.info('told %s %s %s', req.path, resp.status, resp.sent)\n"
        "        self.info('took %s', request_time.total_seconds() >= 0)\n"
        "bind = '127.0.0.1:0'\n"
        "accesslog = 'access.log'\naccess_log_format = '%(U)s %(s)s %(b)s'\n"
    )
    server = Command.__new__(Command)
    server.start([str(BIN / "gunicorn"), "-k", WORKER, "counted:app"], tmp_path)
    with server:
        port = int(server.said(r"[Ll]istening at:? .*http://127.0.0.1:(\d+)")[1])
        with Client(("127.0.0.1", port)) as client:
            client.send(get("/no"))
            assert client.response().status == 404
        server.wait_line("told /no 404 Not Found 5")
        server.wait_line("took True")
        assert (tmp_path / "access.log").read_text() == "/no 404 5\n"
