"""What the log says of a request that was refused, or answered otherwise than it was said."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.raw import get
from tests.support.servers import Command

APP = """
def app(environ, start_response):
    length = {"/more": "2", "/less": "9"}.get(environ["PATH_INFO"], "5")
    start_response("200 OK", [("Content-Length", length)])
    return [b"hello"]
"""
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64))
PAIRS = b"".join(
    struct.pack("<H", len(each)) + each
    for each in (b"REQUEST_METHOD", b"GET", b"PATH_INFO", b"/")
)
PACKET = b"\0" + struct.pack("<H", len(PAIRS)) + b"\0" + PAIRS
LIMITS = ("--limit-request-line", "200", "--limit-request-fields", "5")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    folder: Path = tmp_path_factory.mktemp("refusing")
    (folder / "answering.py").write_text(APP)
    options = (*LIMITS, "--limit-request-body", "10", "--allowed-hosts", "a")
    with Command("answering:app", *options, cwd=folder) as running:
        yield running


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (HELLO, "; that is TLS, which is not served: a proxy in front ends it"),
        (PACKET, "; that is the uwsgi protocol: proxy_pass in place of uwsgi_pass"),
        (b"GET /a b HTTP/1.1\r\n\r\n", ': 400 .* "GET /a b HTTP/1.1"$'),
        (b"GET /" + b"x" * 300 + b" HTTP/1.1\r\n\r\n", r'line\) "GET /x{95}[.]{3}"$'),
        (
            get("/f", *(f"A{n}: b" for n in range(9))),
            r'431 .*\(limit_request_fields, .*"',
        ),
        (b"GET /h HTTP/1.1\r\nHost: y\r\n\r\n", r'421 .* \(allowed_hosts\) "GET /h '),
        (
            b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n",
            r'413 request body too large \(limit_request_body\) "POST /b HTTP/1.1"$',
        ),
        (
            b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
            r'400 malformed request target "GET /%zz ',
        ),
    ],
)
def test_a_refused_request_can_be_found(
    server: Command, sent: bytes, said: str
) -> None:
    assert server.request(sent).status >= 400
    line = server.wait_line("refused a request from 127.0.0.1").string
    assert re.search(said, line), line
    assert "\\x16" not in line


@pytest.mark.parametrize("path", ["more", "less"])
def test_who_does_not_keep_to_its_length_is_named_once(
    server: Command, path: str
) -> None:
    with server.client() as client:
        client.send(get(f"/{path}"))
        head = client.read_until(b"\r\n\r\n").decode()
    line = server.wait_line(
        f"the application sent {path} than its Content-Length"
    ).string
    assert f": /{path} [" in line
    identity = re.search(r"(?i)x-request-id: (\S+)", head)
    assert identity
    assert line.count("request_id=") == 1
    assert f"request_id={identity[1]}" in line
