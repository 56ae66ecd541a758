"""The environ of PEP 3333, and rows about headers that end in it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import raw
from tests.support.machine import ipv6
from tests.support.servers import serving


def capture(data: bytes, validate: bool = True, **settings: Any) -> dict[str, Any]:
    """The environ that one request gives, without what cannot be shown."""
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read(-1)
        seen.update(environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    with serving(app, validate, **settings) as server:
        assert server.request(data).status == 200
    return seen


@pytest.mark.row("T25")
def test_en01_environ_is_a_fresh_exact_dict_without_process_environment() -> None:
    """Nothing of os.environ, native strings."""
    seen: list[dict[Any, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        assert type(environ) is dict
        seen.append(dict(environ))
        environ["mine"] = "left"
        start_response("200 OK", [("Content-Type", "text/plain")])
        return []

    with serving(app, validate=False) as server, server.client() as client:
        for _ in range(2):
            client.send(raw.get("/", "X-Test: 1"))
            assert client.response().status == 200
    for environ in seen:
        assert not set(os.environ) & set(environ)
        assert {type(key) for key in environ} == {str}
        own = {n: v for n, v in environ.items() if "." not in n}
        assert {type(value) for value in own.values()} == {str}
        assert own["HTTP_X_TEST"] == "1"
        assert "mine" not in environ


@pytest.mark.row("HF06", "HF08", "HF10", "HF11", "HF12", "T18", "T21")
def test_en02_header_names_become_keys() -> None:
    env = capture(
        raw.get(
            "/",
            "X-Test: \xa0v\x85",
            "x.y: 1",
            "Content-Type: a/b",
            "X-Dup: 1",
            "x-dup: 2",
            "X-DUP: 3",
            "Cookie: a=1",
            "Cookie: b=2",
            "Accept: x",
            "Accept: y",
            "X_Forwarded_For: 1",
            "Content_Length: 9",
            "Proxy: http://evil",
            "Empty:",
        )
    )
    assert env["HTTP_X_TEST"] == "\xa0v\x85"
    assert env["HTTP_X.Y"] == "1"
    assert env["CONTENT_TYPE"] == "a/b"
    assert "HTTP_CONTENT_TYPE" not in env
    assert env["HTTP_X_DUP"] == "1,2,3"
    assert env["HTTP_COOKIE"] == "a=1; b=2"
    assert env["HTTP_ACCEPT"] == "x,y"
    assert env["HTTP_EMPTY"] == ""
    assert "HTTP_X_FORWARDED_FOR" not in env
    assert "CONTENT_LENGTH" not in env
    assert "HTTP_PROXY" not in env


def test_en03_content_length_only_where_it_was_sent() -> None:
    env = capture(raw.post("/", b"hello"))
    assert env["CONTENT_LENGTH"] == "5"
    assert "HTTP_CONTENT_LENGTH" not in env
    chunked = raw.get("/", "Transfer-Encoding: chunked", method="POST")
    chunked += b"5\r\nhello\r\n0\r\n\r\n"
    env = capture(chunked)
    assert "CONTENT_LENGTH" not in env
    assert env["HTTP_TRANSFER_ENCODING"] == "chunked"
    env = capture(chunked, request_buffering=True)
    assert env["CONTENT_LENGTH"] == "5"
    assert "HTTP_TRANSFER_ENCODING" not in env


@pytest.mark.parametrize(
    ("path", "decoded"),
    [
        ("/a%2fb", "/a/b"),
        ("/%252e", "/%2e"),
        ("/a+b;c", "/a+b;c"),
        ("//x/../y", "//x/../y"),
        ("/%e2%82%ac", "/\xe2\x82\xac"),
        ("/%0d%0aX:%20y", "/\r\nX: y"),
        ("/\\..\\x", "/\\..\\x"),
    ],
)
@pytest.mark.row("T04", "RL19", "RL20")
def test_en04_path_is_decoded_exactly_once(path: str, decoded: str) -> None:
    env = capture(raw.get(path + "?a=%zz&b=+"))
    assert env["PATH_INFO"] == decoded
    assert env["RAW_URI"] == env["REQUEST_URI"] == path + "?a=%zz&b=+"
    assert env["QUERY_STRING"] == "a=%zz&b=+"


def test_en05_script_name() -> None:
    """From root_path or a trusted peer, on a segment border only."""
    env = capture(raw.get("/app/x"), root_path="/app")
    assert (env["SCRIPT_NAME"], env["PATH_INFO"]) == ("/app", "/x")
    env = capture(raw.get("/apple"), root_path="/app")
    assert (env["SCRIPT_NAME"], env["PATH_INFO"]) == ("/app", "/apple")
    env = capture(raw.get("/m/x", "SCRIPT_NAME: /m"))
    assert (env["SCRIPT_NAME"], env["PATH_INFO"]) == ("/m", "/x")
    env = capture(raw.get("/m/x", "SCRIPT_NAME: /m"), forwarded_allow_ips="10.0.0.1")
    assert (env["SCRIPT_NAME"], env["PATH_INFO"]) == ("", "/m/x")


@pytest.mark.parametrize(
    ("said", "name", "path"),
    [("/m/", "/m", "/x"), ("/m//", "/m", "/x"), ("/", "", "/m/x"), ("//", "", "/m/x")],
)
def test_en05_a_script_name_that_ends_with_slashes(
    said: str, name: str, path: str
) -> None:
    env = capture(raw.get("/m/x", f"SCRIPT_NAME: {said}"))
    assert (env["SCRIPT_NAME"], env["PATH_INFO"]) == (name, path)


def test_en05_what_a_proxy_says_takes_the_place_of_the_setting() -> None:
    env = capture(raw.get("/m/x", "SCRIPT_NAME: /m"), root_path="/app")
    assert (env["SCRIPT_NAME"], env["PATH_INFO"]) == ("/m", "/x")


@pytest.mark.parametrize("order", [1, -1])
def test_en05_a_path_that_a_proxy_says(order: int) -> None:
    """It may begin with the name, whichever comes first; it has no escapes."""
    fields = ("SCRIPT_NAME: /m", "PATH_INFO: /m/%41")[::order]
    env = capture(raw.get("/m/x", *fields))
    assert (env["SCRIPT_NAME"], env["PATH_INFO"]) == ("/m", "/%41")
    env = capture(raw.get("/m/x", "SCRIPT_NAME: /m", "PATH_INFO: /mx"))
    assert (env["SCRIPT_NAME"], env["PATH_INFO"]) == ("/m", "/mx")


def test_en05_escapes_are_what_they_stand_for() -> None:
    env = capture(raw.get("/app%2Fx"), root_path="/app")
    assert (env["SCRIPT_NAME"], env["PATH_INFO"]) == ("/app", "/x")
    env = capture(raw.get("/%61pp/x"), root_path="/app")
    assert (env["SCRIPT_NAME"], env["PATH_INFO"]) == ("/app", "/x")


def test_en06_target_keys_are_always_there() -> None:
    env = capture(raw.get("/x"))
    assert (env["QUERY_STRING"], env["RAW_URI"], env["REQUEST_URI"]) == ("", "/x", "/x")
    env = capture(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", validate=False)
    assert (env["PATH_INFO"], env["RAW_URI"]) == ("*", "*")


@pytest.mark.row("RL10")
def test_rl09_absolute_target_names_the_host() -> None:
    env = capture(raw.get("http://other:81/p?q"))
    assert (env["HTTP_HOST"], env["PATH_INFO"], env["QUERY_STRING"]) == (
        "other:81",
        "/p",
        "q",
    )
    env = capture(raw.get("http://b"), validate=False)
    assert (env["HTTP_HOST"], env["PATH_INFO"]) == ("b", "/")
    with serving(_ok, absolute_form="reject") as server:
        assert server.request(raw.get("http://other/")).status == 400


def _ok(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]


@pytest.mark.row("RL12", "HO04", "T25")
def test_en07_method_and_protocol_are_those_of_the_request() -> None:
    env = capture(b"get / HTTP/1.0\r\n\r\n", validate=False)
    assert (env["REQUEST_METHOD"], env["SERVER_PROTOCOL"]) == ("get", "HTTP/1.0")
    assert "HTTP_HOST" not in env
    assert env["SERVER_NAME"] == "127.0.0.1"
    assert (
        capture(raw.get(method="BREW"), validate=False)["SERVER_PROTOCOL"] == "HTTP/1.1"
    )


@pytest.mark.row("T03")
def test_en08_en09_addresses_of_tcp() -> None:
    """Each client's own, also where others asked in between."""
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        return _ok(environ, start_response)

    with serving(app) as server, contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(raw.Client(("127.0.0.1", server.port), f"127.0.0.{n}"))
            for n in (1, 2, 30)
        ]
        for client in clients * 3:
            client.send(raw.get())
            client.response()
            address, port = client.sock.getsockname()
            assert (seen["REMOTE_ADDR"], seen["REMOTE_PORT"]) == (address, str(port))
    assert (seen["SERVER_NAME"], seen["SERVER_PORT"]) == ("127.0.0.1", str(server.port))


def test_en09_ipv6() -> None:
    """Without brackets."""
    ipv6()
    env = capture(raw.get(), bind="[::1]:0")
    assert (env["REMOTE_ADDR"], env["SERVER_NAME"]) == ("::1", "::1")


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_en08_en09_unix_socket(tmp_path: Any, kind: str) -> None:
    """No port key, empty address, server from Host."""
    bind = (
        f"unix:{tmp_path}/s" if kind == "path" else f"unix:@celadon-test-{os.getpid()}"
    )
    env = capture(raw.get(), bind=bind)
    assert env["REMOTE_ADDR"] == ""
    assert "REMOTE_PORT" not in env
    assert (env["SERVER_NAME"], env["SERVER_PORT"]) == ("a", "80")
    env = capture(b"GET / HTTP/1.0\r\n\r\n", bind=bind)
    assert (env["SERVER_NAME"], env["SERVER_PORT"]) == ("localhost", "80")


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        (["X-Forwarded-Proto: https"], "https"),
        (["X-Forwarded-Protocol: ssl"], "https"),
        (["X-Forwarded-Ssl: on"], "https"),
        (["X-Forwarded-Proto: http"], "http"),
        ([], "http"),
    ],
)
def test_en10_en11_scheme_of_trusted_peers(headers: list[str], scheme: str) -> None:
    assert capture(raw.get("/", *headers))["wsgi.url_scheme"] == scheme
    env = capture(raw.get("/", *headers), forwarded_allow_ips="10.0.0.1")
    assert env["wsgi.url_scheme"] == "http"
    assert env["wsgi.version"] == (1, 0)


def test_en10_contradicting_scheme_headers_are_refused() -> None:
    data = raw.get("/", "X-Forwarded-Proto: https", "X-Forwarded-Ssl: off")
    with serving(_ok) as server:
        assert server.request(data).status == 400


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("X-Forwarded-For: 9.9.9.9", "9.9.9.9"),
        ("X-Forwarded-For: 6.6.6.6, 9.9.9.9, 127.0.0.1", "9.9.9.9"),
        ("X-Forwarded-For: 9.9.9.9:123", "9.9.9.9"),
        ("X-Forwarded-For: garbage", "127.0.0.1"),
        ("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 9.9.9.9", "9.9.9.9"),
        ("X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 127.0.0.1", "9.9.9.9"),
        ('Forwarded: for="\r\nForwarded: for=9.9.9.9', "9.9.9.9"),
        ("Forwarded: for=6.6.6.6\r\nForwarded: for=9.9.9.9;proto=http", "9.9.9.9"),
        ('Forwarded: for="[2001:db8::1]:80";proto=http', "2001:db8::1"),
        ("Forwarded: for=unknown", "127.0.0.1"),
    ],
)
@pytest.mark.row("EN09", "T38", "S25")
def test_en10_client_address_where_enabled(header: str, address: str) -> None:
    """Only for trusted peers, only where proxy_headers is on."""
    assert capture(raw.get("/", header), proxy_headers=True)["REMOTE_ADDR"] == address
    assert capture(raw.get("/", header))["REMOTE_ADDR"] == "127.0.0.1"
    env = capture(
        raw.get("/", header), proxy_headers=True, forwarded_allow_ips="10.0.0.1"
    )
    assert env["REMOTE_ADDR"] == "127.0.0.1"


def test_en10_untrusted_proxy_headers_can_be_cleared() -> None:
    data = raw.get(
        "/", "X-Forwarded-For: 1.1.1.1", "Forwarded: for=1.1.1.1", "X-Other: 1"
    )
    kept = capture(data, forwarded_allow_ips="10.0.0.1")
    assert kept["HTTP_X_FORWARDED_FOR"] == "1.1.1.1"
    env = capture(
        data, forwarded_allow_ips="10.0.0.1", clear_untrusted_proxy_headers=True
    )
    assert "HTTP_X_FORWARDED_FOR" not in env
    assert "HTTP_FORWARDED" not in env
    assert env["HTTP_X_OTHER"] == "1"


def test_en12_wsgi_flags() -> None:
    env = capture(raw.get())
    assert env["wsgi.multithread"] is True
    assert env["wsgi.multiprocess"] is False
    assert env["wsgi.run_once"] is False
    assert env["wsgi.input_terminated"] is True


def test_en13_early_hints() -> None:
    """A 103 at once, repeatable, none on HTTP/1.0, checked like other headers."""
    errors: list[BaseException] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        hints: Callable[..., None] = environ["wsgi.early_hints"]
        hints([("Link", "</a.css>; rel=preload")])
        of_the_connection = [("Connection", "close"), ("Transfer-Encoding", "chunked")]
        hints(
            [
                *of_the_connection,
                ("Link", "</b.css>; rel=preload"),
                ("Content-Length", "5"),
            ]
        )
        try:
            hints([("Bad\r\nName", "x")])
        except ValueError as error:
            errors.append(error)
        result = _ok(environ, start_response)
        return result

    with serving(app) as server:
        with server.client() as client:
            client.send(raw.get())
            first, second, final = (client.any_response() for _ in range(3))
        assert (first.status, first.headers) == (
            103,
            [("Link", "</a.css>; rel=preload")],
        )
        assert second.headers == [("Link", "</b.css>; rel=preload")]
        assert final.status == 200
        with server.client() as client:
            client.send(b"GET / HTTP/1.0\r\n\r\n")
            assert client.any_response().status == 200
    assert len(errors) == 2


def test_en14_errors_is_a_text_stream() -> None:
    env = capture(raw.get(), validate=False)
    for name in ("write", "writelines", "flush"):
        assert callable(getattr(env["wsgi.errors"], name))
    with pytest.raises(TypeError):
        env["wsgi.errors"].write(b"bytes")


def test_en16_server_software_is_ours() -> None:
    assert capture(raw.get())["SERVER_SOFTWARE"].startswith("celadon")


def test_ho05_hosts_that_are_not_served() -> None:
    with serving(_ok, allowed_hosts="a,.example.com") as server:
        for host in ("a", "A:80", "example.com", "www.example.com", "a."):
            data = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
            assert server.request(data).status == 200, host
        for host in ("b", "badexample.com", "a.b"):
            data = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
            assert server.request(data).status == 421, host


def test_hf10_underscores_can_be_refused() -> None:
    with serving(_ok, header_map="refuse") as server:
        assert server.request(raw.get("/", "X_Y: 1")).status == 400


@pytest.mark.row("T21")
def test_many_header_names_and_a_large_head() -> None:
    """A head of many kilobytes is neither cut nor refused."""
    headers = [f"X-Header-{i}: {'v' * 500}" for i in range(90)]
    env = capture(raw.get("/", *headers))
    assert all(env[f"HTTP_X_HEADER_{i}"] == "v" * 500 for i in range(90))
