"""What goes over TLS: large bodies and files, many requests in one record and one in many,
WebSockets; and the ends of it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.apps.tls_site import BLOCK
from tests.support.certificates import Authority
from tests.support.gunicorn import Gunicorn
from tests.support.load import Crowd
from tests.support.raw import TIMEOUT, get, post
from tests.support.servers import Command, Started
from tests.support.site import Site, wait_ready
from tests.support.tls import SITE, SITE_OF_ASGI, ByHand, Secure, TlsClient, in_thread

LARGE = os.urandom(8 << 20)
SITES = {"wsgi": SITE, "asgi": SITE_OF_ASGI}
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module", params=SITES)
def either(request: pytest.FixtureRequest, signer: Authority) -> Iterator[Secure]:
    """One that serves WSGI, and one that serves ASGI."""
    with Secure(SITES[request.param], signer.trusted(), signer.issue()) as server:
        yield server


@pytest.fixture(scope="module")
def server(signer: Authority) -> Iterator[Secure]:
    with Secure(SITE, signer.trusted(), signer.issue()) as command:
        yield command


def is_same(found: bytes, wanted: bytes) -> bool:
    """Without a comparison that pytest would show."""
    return hashlib.sha256(found).digest() == hashlib.sha256(wanted).digest()


# --- bodies ---


@pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
def test_much_goes_both_ways(
    either: Secure, signer: Authority, version: ssl.TLSVersion
) -> None:
    context = signer.trusted()
    context.maximum_version = version
    with either.client(context) as client:
        for _ in range(2):
            client.send(post("/echo", LARGE))
            assert is_same(client.response().body, LARGE)
        assert client.ask()


def test_many_do_so_at_once(either: Secure) -> None:
    wrong: list[object] = []

    def visit() -> None:
        own = os.urandom(1 << 20)
        try:
            with either.client() as client:
                for _ in range(4):
                    client.send(post("/echo", own))
                    if not is_same(client.response().body, own):
                        wrong.append("another body")
        except Exception as error:
            wrong.append(error)

    with Crowd(*[visit] * 8):
        pass
    assert wrong == []


def test_a_client_that_reads_late_gets_all_of_it(server: Secure) -> None:
    """The server has far more to say than the kernel takes, and others are served meanwhile."""
    with server.client() as client, server.client() as other:
        client.send(get("/stream?300") + get("/file?100"))
        for _ in range(5):
            assert other.ask()
        assert is_same(client.response().body, BLOCK * 300)
        assert is_same(client.response().body, BLOCK * 100 + b"!")


@pytest.mark.parametrize("size", [0, 1, 3, 200])
@pytest.mark.row("FW03")
def test_fw03_files_are_sealed_on_their_way(server: Secure, size: int) -> None:
    with server.client() as client:
        for _ in range(2):
            client.send(get(f"/file?{size}"))
            assert is_same(client.response().body, BLOCK * size + b"!")
        assert client.ask()


def test_an_upload_that_is_waited_for_holds_up_nobody(server: Secure) -> None:
    whole = post("/echo", LARGE)
    with server.client() as slow:
        slow.send(whole[:100_000])
        for _ in range(3):
            assert server.ask()
        slow.send(whole[100_000:])
        assert is_same(slow.response().body, LARGE)


@pytest.mark.row("CL06", "CH09")
@pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
@pytest.mark.parametrize(
    ("field", "body", "seen"),
    [
        ("Content-Length: 10", b"hello", [b"hello", "ClientDisconnected"]),
        ("Transfer-Encoding: chunked", b"5\r\nhello\r\n", [b"hello", "ClientDisconnected"]),
        ("Content-Length: 5", b"hello", [b"hello", "end"]),
    ],
    ids=["half", "half-chunked", "whole"],
)  # fmt: skip
def test_who_says_goodbye_within_a_body_cuts_it(
    signer: Authority, version: ssl.TLSVersion, field: str, body: bytes, seen: list[Any]
) -> None:
    found: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            while piece := environ["wsgi.input"].read(5):
                found.append(piece)
            found.append("end")
        except Exception as error:
            found.append(type(error).__name__)
            raise
        start_response("200 OK", [])
        return [b"ok"]

    context = signer.trusted()
    context.maximum_version = version
    with in_thread(signer, app) as running, running.in_clear() as wire:
        client = ByHand(wire, context)
        client.do(client.tls.do_handshake)
        client.do(client.tls.write, get("/", field, method="POST") + body)
        client.end()
        assert wire.read_to_end()  # an answer, which is sealed, and an end
        assert found == seen


# --- requests and records ---


def test_many_requests_may_be_in_one_record(server: Secure) -> None:
    count = 100
    with server.client() as client:
        client.send(b"".join(post("/echo", b"%d" % n) for n in range(count)))
        bodies = [client.response().body for _ in range(count)]
    assert bodies == [b"%d" % n for n in range(count)]


def test_a_request_may_be_in_many_records(server: Secure) -> None:
    """A record for each byte."""
    request = post("/echo", b"a body", "X-Field: 1")
    with server.client() as client:
        for _ in range(2):
            client.send_pieces(request[i : i + 1] for i in range(len(request)))
            assert client.response().body == b"a body"


def test_records_may_come_in_pieces(server: Secure, signer: Authority) -> None:
    """Each byte of the handshake, and of what follows, in a packet of its own."""
    with server.in_clear() as wire:
        client = ByHand(wire, signer.trusted(), at_once=1)
        client.do(client.tls.do_handshake)
        client.do(client.tls.write, get("/", "Connection: close"))
        found = b""
        while piece := client.do(client.tls.read, 100):
            found += piece
    assert found.startswith(b"HTTP/1.1 200 OK\r\n")
    assert found.endswith(b"}")  # the page's last byte


# --- WebSockets ---


def websocket(server: Secure, path: str) -> ClientConnection:
    return connect(
        f"wss://127.0.0.1:{server.port}{path}",
        ssl=server.trusted,
        max_size=None,
        ping_interval=None,
        open_timeout=TIMEOUT,
        close_timeout=TIMEOUT,
    )


@pytest.mark.row("WS11")
def test_websockets_of_views_are_open_to_wss(signer: Authority) -> None:
    target = "tests.apps.websockets:app"
    with Secure(target, signer.trusted(), signer.issue()) as server:
        with websocket(server, "/echo?tls") as ws:
            for message in ("", "text", b"\0binary", os.urandom(3 << 20)):
                ws.send(message)
                assert ws.recv(TIMEOUT) == message
        assert ws.close_code == 1000
        with websocket(server, "/both") as ws:
            ws.send("mine")
            assert {"mine", "tick 0", "tick 99"} <= {*ws}


def test_websockets_of_asgi_are_open_to_wss(signer: Authority) -> None:
    with Secure(SITE_OF_ASGI, signer.trusted(), signer.issue()) as server:
        with websocket(server, "/") as ws:
            told = json.loads(ws.recv(TIMEOUT))
            assert told["scheme"] == "wss"
            for message in ("text", b"\0binary", os.urandom(3 << 20)):
                ws.send(message)
                assert ws.recv(TIMEOUT) == message


def test_no_application_gets_the_socket_of_it(server: Secure) -> None:
    """It would read and write what is sealed."""
    with server.client() as client:
        client.send(get("/", "Connection: upgrade", "Upgrade: anything"))
        keys = json.loads(client.response().body)["keys"]
    assert not {"werkzeug.socket", "gunicorn.socket"} & {*keys}
    assert "wsgi.input" in keys


# --- other ways to start ---


def asked(port: int, signer: Authority) -> Any:
    with TlsClient(("127.0.0.1", port), signer.trusted()) as client:
        return client.ask()


@pytest.mark.parametrize("workers", [1, 2])
def test_celadon_run_serves_it(signer: Authority, workers: int) -> None:
    issued = signer.issue()
    code = (
        "import celadon; from tests.apps.tls_site import app; celadon.run(app,"
        f" bind='127.0.0.1:0', certfile={str(issued.cert)!r},"
        f" keyfile={str(issued.key)!r}, workers={workers})"
    )
    with Started(sys.executable, "-c", code) as server:
        server.said("listening at https://")
        assert asked(server.port, signer)["wsgi.url_scheme"] == "https"


def test_a_server_in_a_thread_serves_it(signer: Authority) -> None:
    with in_thread(signer) as server, server.client() as client:
        assert client.ask()["wsgi.url_scheme"] == "https"


def test_gunicorns_command_serves_it(signer: Authority) -> None:
    issued = signer.issue()
    pair = ("--certfile", str(issued.cert), "--keyfile", str(issued.key))
    with Gunicorn(SITE, *pair) as server:
        assert asked(server.port, signer)["wsgi.url_scheme"] == "https"


def test_over_a_unix_socket(signer: Authority, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    more = ("--bind", f"unix:{path}")
    with Secure(SITE, signer.trusted(), signer.issue(), *more) as server:
        wait_ready(server, 1)
        with TlsClient(path, signer.trusted()) as client:
            assert client.ask()["wsgi.url_scheme"] == "https"


def test_uvicorns_flags_are_understood(signer: Authority) -> None:
    issued = signer.issue()
    issued.write_key(issued.key, password="secret")
    words = (
        *("--ssl-certfile", str(issued.cert), "--ssl-keyfile", str(issued.key)),
        *("--ssl-keyfile-password", "secret"),
    )
    with Command(SITE, *words) as server:
        assert asked(server.port, signer)["wsgi.url_scheme"] == "https"


# --- ends ---


def test_a_stop_finishes_what_was_asked(signer: Authority, site: Site) -> None:
    where = {"cwd": site.folder}
    with Secure("site_app:app", signer.trusted(), signer.issue(), **where) as server:
        with server.client() as busy, server.client() as idle:
            for client in (busy, idle):
                client.send(get())
                assert client.response().status == 200
            busy.send(get("/until"))
            server.signal(signal.SIGTERM)
            server.wait_line("stopping: finishing requests")
            site.go()
            answer = busy.response()
            assert (answer.status, answer.get("Connection")) == (200, "close")
            # Both are told: an end without it would be a fault of the client's eyes.
            assert busy.at_end()
            assert idle.at_end()
        assert server.wait() == 0


def test_what_is_under_way_is_not_cut_by_a_stop(signer: Authority) -> None:
    with Secure(SITE, signer.trusted(), signer.issue()) as server:
        wait_ready(server, 1)
        with server.client() as client:
            client.send(get("/stream?300"))
            client.buffer = client.read_until(b"\r\n\r\n") + client.buffer
            server.signal(signal.SIGTERM)
            server.wait_line("stopping: finishing requests")
            assert is_same(client.response().body, BLOCK * 300)
            assert client.at_end()
        assert server.wait() == 0
