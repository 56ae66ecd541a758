"""What users of other servers report, where it concerns HTTP (next.md 5.4)."""

from __future__ import annotations

import asyncio
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tests.asgi.serving import (
    END,
    GET,
    START,
    App,
    Once,
    Receive,
    Scope,
    Send,
    Signal,
    body,
    serve,
)
from tests.support.raw import TIMEOUT, get
from tests.support.servers import wait_until
from tests.support.websockets import HANDSHAKE


@pytest.mark.parametrize("quick", [False, True])
def test_a_stream_without_end_does_not_hold_up_a_stop(quick: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        while True:
            await send(body(b"data: 1\n\n", True))
            await asyncio.sleep(0.001)

    once = Once(app)
    with serve(once, graceful_timeout=0.05) as server, server.client() as client:
        client.send(GET)
        client.read_until(b"data")
        server.server.stop(quick)
        server.server.join(TIMEOUT)
        assert not server.server._thread.is_alive()
    assert isinstance(once.error, asyncio.CancelledError)


def test_each_answer_has_one_line_in_the_access_log(tmp_path: Path) -> None:
    log = tmp_path / "access"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/fails":
            raise ValueError
        await send(START)
        await send(body(b"hello"))
        await asyncio.sleep(0.01)

    settings = {"accesslog": str(log), "access_log_format": "%(r)s %(s)s %(B)s"}
    with serve(app, **settings) as server, server.client() as client:
        for path in (b"/", b"/fails", b"/b"):
            client.send(GET.replace(b" / ", b" %s " % path))
            client.response()
        lines = wait_until(lambda: (found := log.read_text().splitlines(), found[2:]))
    assert lines == [
        "GET / HTTP/1.1 200 5",
        "GET /fails HTTP/1.1 500 22",
        "GET /b HTTP/1.1 200 5",
    ]


def logged(
    tmp_path: Path, app: App, form: str, data: bytes, **settings: Any
) -> list[str]:
    log = tmp_path / "access"
    with serve(app, accesslog=str(log), access_log_format=form, **settings) as server:
        server.request(data)
        found: list[str] = wait_until(lambda: (f := log.read_text().splitlines(), f))
    return found


def test_what_an_application_put_into_its_scope_can_be_logged(tmp_path: Path) -> None:
    """As what one of WSGI puts into its environ."""

    class Odd:
        def __str__(self) -> str:
            raise AssertionError("code of the application's runs")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"].update(user="é", number=3, odd=Odd(), nothing=None)
        scope["tenant"] = b"b"
        await send(START)
        await send(body(b"x"))

    form = " ".join(
        f"%({{{key}}}e)s"
        for key in ("user", "number", "odd", "nothing", "tenant", "no")
    )
    assert logged(tmp_path, app, form, GET) == [r"\xc3\xa9 3 - - b -"]


def test_what_cgi_calls_a_request_can_be_logged(tmp_path: Path) -> None:
    """As gunicorn's own worker for ASGI has it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(body(b"x"))

    names = (
        "REQUEST_METHOD RAW_URI PATH_INFO QUERY_STRING SERVER_PROTOCOL REMOTE_ADDR "
        "SCRIPT_NAME wsgi.url_scheme HTTP_X_A HTTP_X_B"
    )
    form = "|".join(f"%({{{key}}}e)s" for key in names.split())
    request = get("/a%20b?c=d", "X-A: 1", "X-Forwarded-For: 9.9.9.9")
    settings = {"root_path": "/r", "proxy_headers": "on"}
    assert logged(tmp_path, app, form, request, **settings) == [
        "GET|/a%20b?c=d|/r/a b|c=d|HTTP/1.1|9.9.9.9|/r|http|1|-"
    ]


def test_a_websocket_is_logged_likewise(tmp_path: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["user"] = "jo"
        await send({"type": "websocket.close"})

    request = get("/", *HANDSHAKE)
    assert logged(tmp_path, app, "%({user}e)s %(s)s", request) == ["jo 403"]


def test_one_that_never_answers_is_logged_likewise(tmp_path: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["user"] = "jo"

    assert logged(tmp_path, app, "%({user}e)s %(s)s", GET) == ["jo 500"]


def test_a_long_stream_takes_no_more_memory_than_a_short_one() -> None:
    sizes: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        for i in range(20_000):
            await send(body(b"x" * 100, True))
            if i in (5_000, 19_999):
                sizes.append(tracemalloc.get_traced_memory()[0])
        await send(END)

    tracemalloc.start()
    try:
        with serve(app) as server, server.client() as client:
            client.send(GET)
            assert len(client.response().body) == 2_000_000
    finally:
        tracemalloc.stop()
    assert sizes[1] - sizes[0] < 3_000_000  # of which most is the client's


def test_a_cancellation_lets_the_application_give_back_what_it_has() -> None:
    held: list[str] = []
    begun = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        held.append("connection")
        try:
            begun.give()
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            held.remove("connection")

    once = Once(app)
    with serve(once, request_timeout=0.05) as server:
        assert server.request(GET).status == 504
        once.done.wait()
    assert held == []


def test_an_upload_is_taken_as_it_is_received() -> None:
    go = Signal()
    size = 30_000_000

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go.come()
        taken, most, more = 0, 0, True
        while more:
            message = await receive()
            taken += len(message["body"])
            most = max(most, len(message["body"]))
            more = message["more_body"]
        await send(START)
        await send(body(b"%d %d" % (taken, most)))

    with serve(app) as server, server.client() as client:
        client.sock.settimeout(0.2)
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
        sent = 0
        data = head + bytes(size)
        with pytest.raises(TimeoutError):
            while sent < len(data):
                sent += client.sock.send(data[sent : sent + 1_000_000])
        assert sent < size  # nobody has received yet
        client.sock.settimeout(TIMEOUT)
        go.give()
        client.send(data[sent:])
        taken, most = map(int, client.response().body.split())
    assert taken == size
    assert most < 2_000_000
