"""Applications that were written for gevent-websocket, and for Flask-Sockets on top of it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.support.raw import TIMEOUT, get
from tests.support.servers import CELADON, Command, wait_until

APPS = """
import flask
from flask_sockets import Sockets
from geventwebsocket import Resource, WebSocketApplication, WebSocketError
from werkzeug.routing import Rule

site = flask.Flask(__name__)
sockets = Sockets(site)
said = []

def echo(ws):
    "Sends what comes, and finds out by that when nothing comes any more."
    while True:
        try:
            ws.send("you said %s" % ws.receive())
        except WebSocketError:
            said.append("%s ended" % flask.request.path)
            break

# As Flask-Sockets has to be helped since Werkzeug 1.0.
sockets.url_map.add(Rule("/echo", endpoint=echo, websocket=True))

@site.route("/")
def index():
    return ",".join(said)

class Chat(WebSocketApplication):
    people = set()

    @classmethod
    def protocol_name(cls):
        return "chat"

    def on_open(self):
        said.append("open %s" % self.ws.path)
        self.people.add(self)

    def on_message(self, message):
        if message is None:
            return
        if message == "fail":
            raise ValueError("on purpose")
        for each in list(self.people):
            each.ws.send(message)

    def on_close(self, reason):
        self.people.remove(self)
        said.append("closed")

rooms = Resource([("^/chat", Chat), ("^/", site)])

def app(environ, start_response):
    flasks = environ["PATH_INFO"] == "/echo"
    return (site if flasks else rooms)(environ, start_response)
"""


WORKERS = [
    "geventwebsocket.gunicorn.workers.GeventWebSocketWorker",
    "flask_sockets.worker",
]


@pytest.fixture(params=WORKERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Command]:
    (tmp_path / "old.py").write_text(APPS)
    with Command("old:app", "-k", request.param, cwd=tmp_path) as command:
        yield command


def websocket(server: Command, path: str, *offered: str) -> ClientConnection:
    return connect(
        f"ws://127.0.0.1:{server.port}{path}",
        subprotocols=[Subprotocol(each) for each in offered] or None,
        open_timeout=TIMEOUT,
        close_timeout=TIMEOUT,
    )


def said(server: Command) -> list[str]:
    return server.request(get("/")).body.decode().split(",")


@pytest.mark.library("flask_sockets")
def test_a_view_of_flask_sockets(server: Command) -> None:
    with websocket(server, "/echo") as ws:
        for message in ("one", "two"):
            ws.send(message)
            assert ws.recv(TIMEOUT) == f"you said {message}"
    wait_until(lambda: (None, said(server) == ["/echo ended"]))


@pytest.mark.library("geventwebsocket")
def test_an_application_of_gevent_websocket(server: Command) -> None:
    with (
        websocket(server, "/chat", "other", "chat") as one,
        websocket(server, "/chat") as two,
    ):
        assert (one.subprotocol, two.subprotocol) == ("chat", None)
        wait_until(lambda: (None, said(server) == ["open /chat"] * 2))
        for message in ("text", b"binary"):
            one.send(message)
            assert one.recv(TIMEOUT) == two.recv(TIMEOUT) == message
        # It answers before any message, and none of its waits holds the worker.
        assert server.request(get("/")).status == 200
    wait_until(lambda: (None, said(server)[2:] == ["closed"] * 2))
    assert one.close_code == two.close_code == 1000
    assert [line for line in server.lines if "Traceback" in line] == []


def test_a_reload_asks_its_clients_to_come_again(server: Command) -> None:
    with websocket(server, "/chat") as one, websocket(server, "/chat") as two:
        wait_until(lambda: (None, said(server) == ["open /chat"] * 2))
        server.signal(signal.SIGHUP)
        for each in (one, two):
            with pytest.raises(ConnectionClosedError):
                each.recv(TIMEOUT)
            assert each.close_code == 1012
    with websocket(server, "/chat") as one, websocket(server, "/chat") as two:
        wait_until(lambda: (None, said(server) == ["open /chat"] * 2))
        one.send("again")
        assert one.recv(TIMEOUT) == two.recv(TIMEOUT) == "again"


def test_one_that_fails_is_told_of_its_end(server: Command) -> None:
    with websocket(server, "/chat") as ws:
        ws.send("fail")
        with pytest.raises(ConnectionClosedError):
            ws.recv(TIMEOUT)
    assert ws.close_code == 1011
    assert said(server) == ["open /chat", "closed"]
    server.wait_line("ValueError: on purpose")


def migrated(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    command = [CELADON, "migrate", name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("worker", WORKERS)
def test_migrate_says_what_differs(tmp_path: Path, worker: str) -> None:
    text = f"worker_class = {worker!r}\nworkers = 2\nworker_connections = 300\n"
    report = migrated(tmp_path, "gunicorn.conf.py", text)
    assert f"Stays as it is:\n  worker_class = {worker!r}\n" in report
    assert 'worker_class: environ["wsgi.websocket"] is the server\'s own' in report
    assert "2 x 300 requests at a time before, 2 x 300 now" in report


def test_migrate_knows_the_options_of_uwsgi(tmp_path: Path) -> None:
    text = """
[uwsgi]
module = shop:app
http-websockets = true
websockets-ping-freq = 30
websocket-pong-tolerance = 3
websockets-max-size = 2048
"""
    report = migrated(tmp_path, "uwsgi.ini", text)
    assert 'websocket_ping_interval = "30s"' in report
    assert 'websocket_ping_timeout = "3s"' in report
    assert 'websocket_max_message_size = "2048K"' in report
    assert 'http-websockets: it is always so: environ["wsgi.websocket"]' in report
    assert "not known" not in report
