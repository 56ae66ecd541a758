"""What an application is told of a request (AS01)."""

from __future__ import annotations

import os
import socket
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.asgi.serving import GET, START, Once, Receive, Scope, Send, body, serve
from tests.support.raw import Client, get
from tests.support.websockets import HANDSHAKE

pytestmark = pytest.mark.row("AS01")


async def answer(scope: Scope, receive: Receive, send: Send) -> Scope:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
    else:
        await send(START)
        await send(body(b"x"))
    return scope


def scope_of(data: bytes, **settings: Any) -> Scope:
    once = Once(answer)
    with serve(once, **settings) as server:
        server.request(data)
        once.done.wait()
    assert isinstance(once.value, dict)
    return once.value


def test_it_has_what_the_specification_names() -> None:
    scope = scope_of(b"GET /a%20b?c=%20d HTTP/1.1\r\nHost: e:1\r\n\r\n")
    assert scope["type"] == "http"
    assert scope["asgi"] == {"version": "3.0", "spec_version": "2.4"}
    assert scope["http_version"] == "1.1"
    assert (scope["method"], scope["scheme"]) == ("GET", "http")
    assert (scope["path"], scope["raw_path"]) == ("/a b", b"/a%20b")
    assert (scope["query_string"], scope["root_path"]) == (b"c=%20d", "")
    assert scope["headers"] == [(b"host", b"e:1")]
    assert scope["client"][0] == "127.0.0.1"
    assert scope["client"][1] > 0
    assert scope["server"][0] == "127.0.0.1"
    assert scope["server"][1] > 0


def test_names_are_lower_case_and_values_raw_in_order_with_duplicates() -> None:
    scope = scope_of(
        b"GET / HTTP/1.1\r\nHost: a\r\nX-B: \xff\xfe\r\nX-A: 1\r\nCOOKIE: a\r\n"
        b"x-b: 2\r\ncookie: b\r\n\r\n"
    )
    assert scope["headers"] == [
        (b"host", b"a"),
        (b"x-b", b"\xff\xfe"),
        (b"x-a", b"1"),
        (b"cookie", b"a"),
        (b"x-b", b"2"),
        (b"cookie", b"b"),
    ]


def test_the_same_fields_again_give_another_list() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(dict(scope, headers=list(scope["headers"])))
        scope["headers"].append((b"x", b"y"))
        scope["extensions"]["more"] = {}
        await send(START)
        await send(body(b"x"))

    with serve(app) as server, server.client() as client:
        for _ in range(3):
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\n\r\n")
            client.response()
    assert [each["headers"] for each in seen] == [
        [(b"host", b"a"), (b"x-one", b"1")]
    ] * 3


@pytest.mark.row("RL09")
def test_a_target_names_the_host_whatever_came_before() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend(scope["headers"])
        await answer(scope, receive, send)

    with serve(app) as server, server.client() as client:
        for target in ("/", "http://b/", "/", "http://c/"):
            client.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            client.response()
    assert [value for _, value in seen] == [b"a", b"b", b"a", b"c"]


@pytest.mark.parametrize("path", ["/%C3%A9", "/é"])
def test_a_path_is_utf_8(path: str) -> None:
    scope = scope_of(
        f"GET {path.replace('é', '%C3%A9')} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    )
    assert scope["path"] == "/é"


def test_what_is_no_utf_8_is_replaced() -> None:
    scope = scope_of(b"GET /%ff%2e HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (scope["path"], scope["raw_path"]) == ("/\ufffd.", b"/%ff%2e")


def test_http_1_0_is_told_and_has_no_interim_answers() -> None:
    scope = scope_of(b"GET / HTTP/1.0\r\n\r\n")
    assert scope["http_version"] == "1.0"
    assert "http.response.early_hint" not in scope["extensions"]
    assert "http.response.trailers" not in scope["extensions"]


@pytest.mark.parametrize("handshake", [False, True])
def test_a_unix_socket_has_a_path_and_no_client(
    tmp_path: Path, handshake: bool
) -> None:
    request = get("/", *(HANDSHAKE if handshake else ()))
    scope = scope_of(request, bind=f"unix:{tmp_path}/s")
    assert scope["client"] is None
    assert scope["server"] == (f"{tmp_path}/s", None)


def test_an_abstract_one_has_its_name_as_in_bind() -> None:
    name = f"@celadon-{uuid.uuid4()}"
    scope = scope_of(GET, bind=f"unix:{name}")
    assert scope["client"] is None
    assert scope["server"] == (name, None)


def test_a_path_of_a_socket_may_be_no_utf_8(tmp_path: Path) -> None:
    path = os.fsdecode(bytes(tmp_path) + b"/\xff")
    app = Once(answer)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    with serve(app, bind=f"fd://{listening.detach()}"), Client(path) as client:
        client.send(GET)
        assert client.response().status == 200
        app.done.wait()
    assert app.value["server"] == (path, None)


def test_a_proxy_on_a_unix_socket_says_the_client(tmp_path: Path) -> None:
    request = get("/", "X-Forwarded-For: 9.9.9.9")
    bind = f"unix:{tmp_path}/s"
    scope = scope_of(request, bind=bind, proxy_headers="on")
    assert scope["client"] == ("9.9.9.9", 0)
    assert scope["server"] == (f"{tmp_path}/s", None)


def test_ambiguous_names_and_proxy_are_not_shown() -> None:
    scope = scope_of(
        b"GET / HTTP/1.1\r\nHost: a\r\nX_A: 1\r\nProxy: x\r\nX-B: 2\r\n\r\n"
    )
    assert [name for name, _ in scope["headers"]] == [b"host", b"x-b"]


def test_a_proxy_in_front_says_client_and_scheme() -> None:
    scope = scope_of(
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9, 127.0.0.1\r\n"
        b"X-Forwarded-Proto: https\r\n\r\n",
        proxy_headers="on",
    )
    assert scope["client"] == ("9.9.9.9", 0)
    assert scope["scheme"] == "https"


@pytest.mark.parametrize(
    ("said", "secure"), [("https", True), ("wss", True), ("http", False), ("ws", False)]
)
@pytest.mark.parametrize("handshake", [False, True])
def test_a_scheme_is_that_of_what_is_asked_for(
    said: str, secure: bool, handshake: bool
) -> None:
    """Proxies say http, or ws, of both (Traefik); an application has to know neither."""
    fields = HANDSHAKE if handshake else ()
    scope = scope_of(get("/", f"X-Forwarded-Proto: {said}", *fields))
    plain = "ws" if handshake else "http"
    assert scope["type"] == ("websocket" if handshake else "http")
    assert scope["scheme"] == (plain + "s" if secure else plain)


def test_a_scheme_of_a_websocket_contradicts_no_other_word_for_it() -> None:
    fields = ("X-Forwarded-Proto: wss", "X-Forwarded-Ssl: on")
    assert scope_of(get("/", *fields, *HANDSHAKE))["scheme"] == "wss"


def test_a_word_of_ones_own_for_https_is_not_another() -> None:
    scope = scope_of(get("/", "X-S: wss"), secure_scheme_headers={"X-S": "yes"})
    assert scope["scheme"] == "http"


def test_an_untrusted_peer_says_nothing() -> None:
    scope = scope_of(
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\n"
        b"X-Forwarded-Proto: https\r\n\r\n",
        proxy_headers="on",
        forwarded_allow_ips="10.0.0.1",
    )
    assert scope["client"][0] == "127.0.0.1"
    assert scope["scheme"] == "http"


@pytest.mark.parametrize("path", ["/api/x", "/x"])
def test_a_path_begins_with_that_of_its_mount(path: str) -> None:
    data = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    scope = scope_of(data, root_path="/api")
    assert (scope["root_path"], scope["path"]) == ("/api", "/api/x")
    assert scope["raw_path"] == path.encode()


@pytest.mark.parametrize("root", ["", "/api"])
@pytest.mark.parametrize("target", [b"*", b"http://a"])
def test_the_server_as_a_whole_is_not_mounted(root: str, target: bytes) -> None:
    request = b"OPTIONS %s HTTP/1.1\r\nHost: a\r\n\r\n" % target
    scope = scope_of(request, root_path=root)
    assert (scope["path"], scope["raw_path"]) == ("*", b"*")
    assert scope["root_path"] == root


@pytest.mark.parametrize(
    ("target", "root", "path"),
    [
        ("/a%2Fb?q=%2F", "", "/a/b"),
        ("/a%2Fb", "/api", "/api/a/b"),
        ("/api/a%2Fb", "/api", "/api/a/b"),
        ("/api%2Fb", "/api", "/api/b"),  # as nginx, which has seen /api/ there
        ("/%61pi/b", "/api", "/api/b"),
        ("/apis", "/api", "/api/apis"),
        ("/a%252Fb", "/api", "/api/a%2Fb"),
        ("/x%20y/z", "/x y", "/x y/z"),
        ("/z", "/x y", "/x y/z"),
        ("/%C3%A9/%ff", "/é", "/é/\ufffd"),
        ("/%ff%c3", "/é", "/é/\ufffd\ufffd"),
        ("/%c3/%a9", "", "/\ufffd/\ufffd"),
        ("/api", "/api", "/api"),
        ("/", "/api", "/api/"),
    ],
)
def test_a_path_is_decoded_once_and_below_its_mount(
    target: str, root: str, path: str
) -> None:
    scope = scope_of(get(target), root_path=root)
    assert (scope["root_path"], scope["path"]) == (root, path)
    assert scope["raw_path"] == target.partition("?")[0].encode()


def test_an_absolute_target_names_the_host() -> None:
    scope = scope_of(b"GET http://b/c HTTP/1.1\r\nHost: b\r\n\r\n")
    assert scope["headers"] == [(b"host", b"b")]
    assert (scope["path"], scope["raw_path"]) == ("/c", b"/c")


def test_extensions_are_those_that_work() -> None:
    extensions = scope_of(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")["extensions"]
    assert set(extensions) >= {
        "http.response.pathsend",
        "http.response.early_hint",
        "http.response.trailers",
    }
    assert "http.response.debug" not in extensions


def test_the_id_of_a_request_is_that_of_its_answer() -> None:
    ids: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        info = scope["extensions"]["celadon.request"]
        ids.append(info.id)
        await send(START)
        await send(body(b"x"))
        ids.append(info.id)
        assert info.status == 200

    with serve(app) as server:
        answer = server.request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert ids == [answer.get("X-Request-ID")] * 2
