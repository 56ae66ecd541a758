"""Environs are copied from templates that remember the last request of their shape.

Whatever came before, a request sees what it sent and nothing else.
"""

from __future__ import annotations

import random
import threading
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from celadon import green

from tests.support import raw
from tests.support.servers import serving

METHODS = ["GET", "GET", "POST", "DELETE", "X-OWN", "HEAD"]
TARGETS = [
    "/",
    "/a",
    "/a?x=1",
    "/a?",
    "/%41%20b?q",
    "/" + "t" * 1500,
    "http://other:8/p?z",
]
NAMES = ["Accept", "Cookie", "X-One", "x-one", "X-Two", "User-Agent", "Range"]
VALUES = ["", "1", "12", "\xe9", "v" * 1024, "w" * 1025, "z" * 3000]


def expected(method: str, target: str, fields: list[tuple[str, str]]) -> dict[str, str]:
    host = "h"
    if target.startswith("http://"):
        host, _, rest = target.removeprefix("http://").partition("/")
        path_and_query = "/" + rest
    else:
        path_and_query = target
    path, _, query = path_and_query.partition("?")
    env = {
        "REQUEST_METHOD": method,
        "RAW_URI": target,
        "REQUEST_URI": target,
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
    }
    for name, value in fields:
        key = "HTTP_" + name.upper().replace("-", "_")
        joint = "; " if name == "Cookie" else ","
        env[key] = env[key] + joint + value if key in env else value
    env["HTTP_HOST"] = host
    return env


@pytest.mark.row("EN02", "T13")
@pytest.mark.parametrize("touched", [0.0, 0.1, 1.0])
def test_an_environ_holds_what_its_own_request_sent(touched: float) -> None:
    """Over shapes, values remembered and too large to be, and two connections; whether
    the application leaves its environs alone, keeps some or writes to them."""
    random_ = random.Random(20261123)
    seen: list[dict[str, Any]] = []
    kept: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(dict(environ))
        if random_.random() < touched:
            if random_.random() < 0.1:
                kept.append((environ, dict(environ)))
            else:
                environ["HTTP_LEFT_BEHIND"] = environ["PATH_INFO"] = "changed"
                environ.pop("wsgi.input")
        start_response("204 No Content", [])
        return []

    with serving(app, validate=False) as server:
        clients = [server.client(), server.client()]
        for _ in range(1500):
            method, target = random_.choice(METHODS), random_.choice(TARGETS)
            fields = [
                (name, random_.choice(VALUES))
                for name in random_.choices(NAMES, k=random_.randrange(4))
            ]
            lines = [f"{name}: {value}" for name, value in fields]
            head = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: h", *lines])
            client = random_.choice(clients)
            client.send(head.encode("latin-1") + b"\r\n\r\n")
            client.response()
            got = seen.pop()
            wanted = expected(method, target, fields)
            assert {k: got.get(k) for k in wanted} == wanted
            others = {k for k in got if k.startswith("HTTP_")} - set(wanted)
            assert not others
            assert got["REMOTE_PORT"] == str(client.sock.getsockname()[1])
            assert got["wsgi.input"] is not None
        for client in clients:
            client.close()
    assert all(environ == before for environ, before in kept)
    assert bool(kept) == (touched > 0)


@pytest.mark.row("T13")
def test_an_environ_is_its_requests_own_while_that_waits() -> None:
    """Others of the same shape come meanwhile; then it is written to, or kept."""
    waiting = threading.Event()
    go_on = green.Event()
    kept: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["QUERY_STRING"]:
            waiting.set()
            go_on.wait()
            environ["HTTP_LEFT_BEHIND"] = "1"
            kept.append(environ)
        assert "HTTP_LEFT_BEHIND" not in environ or environ["QUERY_STRING"]
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["RAW_URI"].encode()]

    with serving(app, validate=False) as server:
        with server.client() as client, server.client() as other:
            for i in range(50):
                waiting.clear()
                go_on.clear()
                client.send(raw.get(f"/{i}?waits"))
                assert waiting.wait(raw.TIMEOUT)
                for name in ("a", "b"):
                    other.send(raw.get(f"/{name}{i}"))
                    assert other.response().body == f"/{name}{i}".encode()
                go_on.set()
                assert client.response().body == f"/{i}?waits".encode()
                other.send(raw.get(f"/c{i}"))
                assert other.response().body == f"/c{i}".encode()
    assert [env["RAW_URI"] for env in kept] == [f"/{i}?waits" for i in range(50)]


@pytest.mark.row("T21")
def test_more_names_than_are_remembered() -> None:
    """A peer that never repeats a name gets its environ."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        count = sum(key.startswith("HTTP_RANDOM_") for key in environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(count).encode()]

    with serving(app) as server, server.client() as client:
        for turn in range(60):
            lines = [f"Random-{turn}-{i}: {i}" for i in range(50)]
            client.send(raw.get("/", *lines))
            assert client.response().body == b"50"


@pytest.mark.row("T13")
def test_objects_that_an_application_keeps_are_not_used_again() -> None:
    """A kept environ stays that of its request."""
    kept: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        kept.append(environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["PATH_INFO"].encode()]

    with serving(app, validate=False) as server, server.client() as client:
        for i in range(20):
            client.send(raw.get(f"/{i}"))
            assert client.response().body == f"/{i}".encode()
    assert [env["PATH_INFO"] for env in kept] == [f"/{i}" for i in range(20)]
    assert len({id(env["wsgi.input"]) for env in kept}) == 20
