"""Behind a real HAProxy and a real nginx: reloads, and restarts one after the other."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.support import proxies
from tests.support.load import FOREVER, Load
from tests.support.machine import free_port
from tests.support.raw import TIMEOUT, Client, Response, get
from tests.support.servers import Command, wait_until
from tests.support.site import Site, renewed, wait_ready

CLIENTS = (1, 3, FOREVER, FOREVER)

Start = Callable[[int], Command]


def behind_haproxy(site: Site) -> tuple[proxies.Proxy, Start]:
    ports = [(free_port(), free_port()) for _ in range(2)]

    def start(number: int) -> Command:
        own, admin = ports[number]
        return site.serve(
            *("--bind", f"127.0.0.1:{own}", "--admin-bind", f"127.0.0.1:{admin}"),
            *("--drain-delay", "0.5", "--workers", "2"),
        )

    return proxies.haproxy(site.folder, ports), start


def behind_nginx(site: Site) -> tuple[proxies.Proxy, Start]:
    paths = [site.folder / f"{name}.sock" for name in ("one", "two")]

    def start(number: int) -> Command:
        return site.serve("--bind", f"unix:{paths[number]}", "--workers", "2")

    return proxies.nginx(site.folder, paths), start


@pytest.mark.slow(
    "two instances are reloaded and restarted in turn, and the proxy has to notice"
)
@pytest.mark.parametrize("behind", [behind_haproxy, behind_nginx])
def test_reloads_and_rolling_restarts_are_not_noticed(
    tmp_path: Path, behind: Callable[[Site], tuple[proxies.Proxy, Start]]
) -> None:
    site = Site(tmp_path)
    proxy, start = behind(site)
    with proxy:
        servers = [start(0), start(1)]
        try:
            for server in servers:
                wait_ready(server, 2)
            wait_until(lambda: (None, proxy.answers()))
            with Load(proxy, *CLIENTS) as load:
                for _ in range(3):
                    for server in servers:
                        old = wait_ready(server, 2)
                        server.signal(signal.SIGHUP)
                        renewed(server, old)
                    load.wait_for_more(50)
                for number in (0, 1, 0):
                    servers[number].signal(signal.SIGTERM)
                    assert servers[number].wait() == 0
                    load.wait_for_more(50)
                    servers[number] = start(number)
                    wait_ready(servers[number], 2)
                    # The proxy has to find out, too.
                    wait_until(lambda n=number: (None, serves(proxy, servers[n])))  # type: ignore[misc]
            assert load.wrong == []
            assert load.closed == 0
        finally:
            for server in servers:
                server.signal(signal.SIGTERM)
                server.wait()


def serves(proxy: proxies.Proxy, server: Command) -> bool:
    """Whether the proxy sends requests there."""
    workers = set(wait_ready(server, 2))
    with proxy.client() as client:
        client.send(get("/"))
        return int(client.response().body.split()[1]) in workers


def test_what_a_proxy_says_of_a_request_is_believed(tmp_path: Path) -> None:
    (tmp_path / "told_app.py").write_text(
        """
import json
def app(environ, start_response):
    told = [environ["celadon.request"].id, environ["wsgi.url_scheme"],
            environ.get("HTTP_X_FORWARDED_FOR"), environ["HTTP_HOST"],
            "HTTP_X_REQUEST_START" in environ]
    body = json.dumps(told).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
    )
    paths = [tmp_path / "one.sock", tmp_path / "two.sock"]
    command = Command(
        "told_app:app", "--bind", f"unix:{paths[0]}", bind=None, cwd=tmp_path
    )
    with command as server, proxies.nginx(tmp_path, paths) as proxy:
        wait_ready(server, 1)
        with Client(("127.0.0.1", proxy.port)) as client:
            client.send(get("/"))
            answer = client.response()
        told = json.loads(answer.body)
        assert told == [answer.get("X-Request-ID"), "http", "127.0.0.1", "a", True]
        assert len(told[0]) == 32  # nginx's, not ours
        (tmp_path / "static").mkdir()
        (tmp_path / "static/site.css").write_text("body {}")
        with Client(("127.0.0.1", proxy.port)) as client:
            client.send(get("/static/site.css"))
            assert client.response().body == b"body {}"  # its own


@pytest.mark.parametrize("kind", ["haproxy", "nginx"])
def test_websockets_come_through_a_proxy(tmp_path: Path, kind: str) -> None:
    own, admin = free_port(), free_port()
    path = tmp_path / "one.sock"
    listening = ("--bind", f"127.0.0.1:{own}", "--bind", f"unix:{path}")
    options = (*listening, "--admin-bind", f"127.0.0.1:{admin}")
    with Command("tests.apps.websockets:app", *options, bind=None) as server:
        wait_ready(server, 1)
        proxy = (
            proxies.haproxy(tmp_path, [(own, admin), (free_port(), free_port())])
            if kind == "haproxy"
            else proxies.nginx(tmp_path, [path, tmp_path / "two.sock"])
        )
        with proxy:
            wait_until(lambda: (None, proxy.answers()))
            address = f"ws://127.0.0.1:{proxy.port}/echo"
            with connect(address, open_timeout=TIMEOUT, close_timeout=TIMEOUT) as ws:
                for message in ("text", b"x" * 100_000):
                    ws.send(message)
                    assert ws.recv(TIMEOUT) == message
            assert ws.close_code == 1000
            assert proxy.answers()


def test_s25_nobody_says_who_he_is_himself(tmp_path: Path) -> None:
    """HAProxy adds a line of its own below the one that a client has sent."""
    (tmp_path / "who_app.py").write_text(
        """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["REMOTE_ADDR"].encode()]
"""
    )
    ports = [(free_port(), free_port()) for _ in range(2)]
    own, admin = (f"127.0.0.1:{port}" for port in ports[0])
    command = Command(
        "who_app:app",
        *("--bind", own, "--admin-bind", admin, "--proxy-headers"),
        bind=None,
        cwd=tmp_path,
    )
    with command as server, proxies.haproxy(tmp_path, ports) as proxy:
        wait_ready(server, 1)

        def answer() -> tuple[Response, bool]:
            with Client(("127.0.0.1", proxy.port), source="127.0.0.2") as client:
                client.send(get("/", "X-Forwarded-For: 6.6.6.6"))
                got = client.response()
                return got, got.status == 200

        assert wait_until(answer).body == b"127.0.0.2"
