"""Answers: start_response, framing, and the traps around them."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import greenlet
import pytest
from celadon import config, green
from celadon.errors import UsageError

from tests.support import raw
from tests.support.raw import TIMEOUT
from tests.support.servers import serving

TEXT = [("Content-Type", "text/plain")]
App = Callable[[dict[str, Any], Any], Any]


def answer_of(app: App, data: bytes = raw.get(), validate: bool = True) -> raw.Response:
    with serving(app, validate) as server:
        return server.request(data)


def make(status: Any = "200 OK", headers: Any = TEXT, body: Any = (b"body",)) -> App:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response(status, headers)
        return list(body) if isinstance(body, tuple) else body

    return app


# --- start_response ---


@pytest.mark.parametrize(
    "status",
    [
        "200",
        "200 OK\r\nX: y",
        "abc",
        "200 \u20ac",
        "100 Continue",
        "20 OK",
        200,
        b"200 OK",
    ],
)
@pytest.mark.row("SR01")
def test_rs01_bad_status_is_500(status: Any) -> None:
    answer = answer_of(make(status), validate=False)
    assert (answer.status, answer.get("X")) == (500, None)


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [("200 ", 200, ""), ("299 Any words", 299, "Any words"), ("599 \xe9", 599, "\xe9")],
)
@pytest.mark.row("T21")
def test_rs01_unknown_codes_and_reasons_pass(
    status: str, code: int, reason: str
) -> None:
    answer = answer_of(make(status), validate=False)
    assert (answer.status, answer.reason) == (code, reason)


@pytest.mark.parametrize(
    "headers",
    [
        [("Bad Name", "x")],
        [("", "x")],
        [("X", "a\r\nSet-Cookie: b")],
        [("X", "a\nb")],
        [("X", "a\rb")],
        [("X", "a\x00b")],
        [("X", "\u20ac")],
        [("X", b"bytes")],
        [(b"X", "x")],
        [["X", "x"]],
        [("X",)],
        (("X", "x"),),
        None,
    ],
)
@pytest.mark.row("T05")
def test_rs02_sr01_bad_headers_are_500_before_any_byte(headers: Any) -> None:
    answer = answer_of(make(headers=headers), validate=False)
    assert (answer.status, answer.all("Set-Cookie")) == (500, [])


def test_sr01_the_callers_list_is_copied_and_left_alone() -> None:
    headers = [*TEXT, ("X", "1")]

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        assert callable(start_response("200 OK", headers))
        headers.append(("Y", "late"))
        return [b"ok"]

    answer = answer_of(app, validate=False)
    assert (answer.get("X"), answer.get("Y")) == ("1", None)
    assert headers == [*TEXT, ("X", "1"), ("Y", "late")]


def test_sr02_second_call_needs_exc_info() -> None:
    refused: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", TEXT)
        try:
            start_response("200 OK", TEXT)
        except AssertionError as error:
            refused.append(type(error).__name__)
        try:
            raise ValueError("late")
        except ValueError:
            start_response("500 Replaced", [*TEXT, ("X", "new")], sys.exc_info())
        return [b"sorry"]

    answer = answer_of(app, validate=False)
    assert (answer.status, answer.reason, answer.get("X")) == (500, "Replaced", "new")
    assert refused == ["AssertionError"]


@pytest.mark.row("T23", "RS09")
def test_sr02_exc_info_raises_once_bytes_are_out() -> None:
    """And the connection is aborted."""
    raised: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"some"
        try:
            raise ValueError("after the head")
        except ValueError:
            try:
                start_response("500 Oops", TEXT, sys.exc_info())
            except ValueError as error:
                raised.append(str(error))
                raise

    with serving(app, validate=False) as server, server.client() as client:
        client.send(raw.get())
        with pytest.raises((EOFError, ConnectionResetError)):
            client.response()
    assert raised == ["after the head"]


@pytest.mark.row("T35")
def test_sr03_start_response_in_the_first_step_of_a_generator() -> None:

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("201 Made", [*TEXT, ("X", "gen")])
        yield b"a"
        yield b""
        yield b"b"

    answer = answer_of(app, validate=False)
    assert (answer.status, answer.get("X"), answer.body) == (201, "gen", b"ab")


@pytest.mark.parametrize("body", [(b"x",), (b"", b"x"), ()])
def test_sr03_without_start_response_it_is_500(body: tuple[bytes, ...]) -> None:
    assert answer_of(lambda e, s: list(body), validate=False).status == 500


def test_sr04_empty_chunks_send_nothing_and_end_nothing() -> None:
    answer = answer_of(
        make(body=iter([b"", b"a", b"", b"", b"b", b""])), validate=False
    )
    assert answer.body == b"ab"
    assert answer.get("Transfer-Encoding") == "chunked"


@pytest.mark.row("T23")
def test_sr05_write_comes_first() -> None:

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        write = start_response("200 OK", TEXT)
        write(b"one,")
        write(b"")
        write(b"two,")
        try:
            write("text")
        except TypeError:
            write(b"typed,")
        return [b"three"]

    assert answer_of(app, validate=False).body == b"one,two,typed,three"


@pytest.mark.parametrize("body", [("text",), (1,), (None,)])
def test_sr06_other_items_than_bytes_are_500(body: tuple[Any, ...]) -> None:
    assert answer_of(make(body=body), validate=False).status == 500


@pytest.mark.parametrize("result", [None, 5, object()])
def test_sr06_results_that_are_no_iterable_are_500(result: Any) -> None:

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", TEXT)
        return result

    assert answer_of(app, validate=False).status == 500


class Closing:
    """An iterable that counts how often it is closed."""

    def __init__(self, items: Any) -> None:
        self.items = items
        self.closed = 0
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        for item in self.items:
            self.taken += 1
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    ("items", "headers", "data"),
    [
        ([b"a", b"b"], TEXT, raw.get()),
        ([b"a", ValueError("mid")], TEXT, raw.get()),
        ([ValueError("first")], TEXT, raw.get()),
        ([b"a"], TEXT, raw.get(method="HEAD")),
        ([b"abc", b"never"], [*TEXT, ("Content-Length", "3")], raw.get()),
        ([b"a", SystemExit(3)], TEXT, raw.get()),
        ([b"a", "not bytes"], TEXT, raw.get()),
    ],
)
@pytest.mark.row("SR09", "T23")
def test_sr07_close_is_called_exactly_once(
    items: Any, headers: Any, data: bytes
) -> None:
    result = Closing(items)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/next":
            return make()(environ, start_response)
        start_response("200 OK", headers)
        return result

    with serving(app, validate=False) as server:
        with server.client() as client:
            client.send(data)
            try:
                client.response(head_only=data.startswith(b"HEAD"))
            except (EOFError, ConnectionResetError):
                pass
        server.wait_for(lambda s: s["in_flight"] == 0)
        assert result.closed == 1
        assert server.request(raw.get("/next")).status == 200


def test_sr07_close_that_raises_is_logged_not_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:

    class Bad(Closing):
        def close(self) -> None:
            super().close()
            raise RuntimeError("close failed")

    result = Bad([b"fine"])
    answer = answer_of(make(body=result), validate=False)
    assert (answer.status, answer.body, result.closed) == (200, b"fine", 1)
    assert "close failed" in caplog.text


@pytest.mark.row("RS04")
def test_sr08_not_advanced_after_content_length() -> None:
    result = Closing([b"12345", b"67", b"89"])
    answer = answer_of(
        make(headers=[*TEXT, ("Content-Length", "5")], body=result), validate=False
    )
    assert (answer.body, result.taken) == (b"12345", 1)


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
def test_sr09_exits_do_not_end_the_server(error: BaseException) -> None:

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/exit":
            raise error
        start_response("200 OK", TEXT)
        return [b"alive"]

    with serving(app) as server:
        assert server.request(raw.get("/exit")).status == 500
        assert server.request(raw.get()).body == b"alive"


# --- framing ---


@pytest.mark.parametrize("container", [list, tuple])
@pytest.mark.parametrize("body", [b"", b"x", b"y" * 100_000])
def test_rs06_length_of_a_single_item_is_computed(container: Any, body: bytes) -> None:
    answer = answer_of(make(body=container([body])), validate=False)
    assert answer.get("Content-Length") == str(len(body))
    assert answer.body == body


def test_rs06_without_a_length_chunked_or_closed() -> None:
    with serving(
        lambda e, s: (s("200 OK", TEXT), iter([b"a", b"b"]))[1], False
    ) as server:
        answer = server.request(raw.get())
        assert (answer.get("Transfer-Encoding"), answer.body) == ("chunked", b"ab")
        with server.client() as client:
            client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            answer = client.response()
            assert answer.get("Transfer-Encoding") is None
            assert answer.get("Connection") == "close"
            assert (answer.body, client.at_end()) == (b"ab", True)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.row("T08")
def test_rs07_no_body_for_204_and_304(status: str) -> None:
    """Nothing follows the head, and the connection is in sync."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(status if environ["PATH_INFO"] == "/" else "200 OK", TEXT)
        return [b"body"]

    with serving(app, validate=False) as server, server.client() as client:
        client.send(raw.get() + raw.get("/2"))
        first, second = client.response(), client.response()
        assert first.status == int(status[:3])
        assert first.get("Transfer-Encoding") is None
        assert first.get("Content-Length") is None
        assert second.body == b"body"


@pytest.mark.row("T08")
def test_rs07_head_keeps_the_length() -> None:
    with (
        serving(make(body=[b"12345"]), validate=False) as server,
        server.client() as client,
    ):
        client.send(raw.get(method="HEAD") + raw.get())
        answer = client.response(head_only=True)
        assert (answer.get("Content-Length"), answer.body) == ("5", b"")
        assert client.response().body == b"12345"


def test_rs07_304_keeps_the_applications_length() -> None:
    app = make("304 Not Modified", [("Content-Length", "77")], [])
    assert answer_of(app, validate=False).get("Content-Length") == "77"


def test_rs07_205_has_length_zero() -> None:
    answer = answer_of(make("205 Reset Content", TEXT, [b"x"]), validate=False)
    assert (answer.get("Content-Length"), answer.body) == ("0", b"")


@pytest.mark.row("T19")
def test_rs08_date_and_server_once() -> None:
    answer = answer_of(make())
    assert len(answer.all("Date")) == len(answer.all("Server")) == 1
    assert answer.get("Server") == "celadon"
    own = [*TEXT, ("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("server", "mine")]
    answer = answer_of(make(headers=own))
    assert answer.all("Date") == ["Sun, 06 Nov 1994 08:49:37 GMT"]
    assert answer.all("Server") == ["mine"]
    with serving(make(), server_header=False, date_header=False) as server:
        answer = server.request(raw.get())
        assert answer.all("Date") == answer.all("Server") == []


def test_headers_of_all_answers() -> None:
    """Whoever answers; as uvicorn's `--header`."""
    added = ["X-Frame-Options: DENY", "X-List: a, b", "X-List: c"]
    with serving(make(), response_headers=added) as server:
        for data in (raw.get(), raw.get(), b"BAD\r\n\r\n"):
            answer = server.request(data)
            assert answer.all("X-Frame-Options") == ["DENY"]
            assert answer.all("X-List") == ["a, b", "c"]
            assert answer.all("Server") == ["celadon"]
            assert len(answer.all("Date")) == 1
    own = [*TEXT, ("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("server", "mine")]
    for off in (True, False):
        settings = {"server_header": off, "date_header": off}
        named = {"X-A": "b", "Server": "ours"}
        with serving(make(), response_headers=named, **settings) as server:
            answer = server.request(raw.get())
            assert (answer.all("X-A"), answer.all("Server")) == (["b"], ["ours"])
            assert len(answer.all("Date")) == int(off)
        with serving(make(headers=own), response_headers=named, **settings) as server:
            answer = server.request(raw.get())
            assert (answer.all("X-A"), answer.all("Server")) == (["b"], ["mine"])
            assert answer.all("Date") == ["Sun, 06 Nov 1994 08:49:37 GMT"]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("X-A: b, c", ["X-A: b, c"]),
        ("", []),
        ('{"X-A": "b", "X-B": "c"}', ["X-A: b", "X-B: c"]),
        ({"X-A": 1}, ["X-A: 1"]),
        ([("X-A", " b ")], ["X-A: b"]),
        (["X-A:", "X-U: http://a"], ["X-A: ", "X-U: http://a"]),
    ],
)
def test_how_headers_of_all_answers_are_said(given: Any, found: list[str]) -> None:
    assert config.load({"response_headers": given}).response_headers == found


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("X-A", "expected NAME:VALUE"),
        (": b", "expected NAME:VALUE"),
        ("X A: b", "expected NAME:VALUE"),
        ("X-A: b\r\nX-B: c", "expected NAME:VALUE"),
        ("X-A: \u0142", "expected NAME:VALUE"),
        ([("X-A",)], "expected NAME:VALUE"),
        ("content-length: 3", "content-length is the server's own to send"),
        ("Transfer-Encoding: chunked", "Transfer-Encoding is the server's own to send"),
    ],
)
def test_what_is_no_header_of_all_answers(given: Any, said: str) -> None:
    with pytest.raises(UsageError, match=f"^response_headers: {said}"):
        config.load({"response_headers": given})


def test_white_space_around_a_value_is_not_sent() -> None:
    """Nor by gunicorn: it is no part of the value (RFC 9110 5.5)."""
    spaced = [("X-Policy", "a; b; "), ("X-Tab", "\t c\t"), ("X-None", "  ")]
    with serving(make(headers=[*TEXT, *spaced]), False) as server:
        for _ in range(2):
            fields = server.request(raw.get()).headers
            assert {*fields} >= {("X-Policy", "a; b;"), ("X-Tab", "c"), ("X-None", "")}


def test_rs03_hop_by_hop_headers_are_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """And said once."""
    headers = [
        *TEXT,
        ("Transfer-Encoding", "chunked"),
        ("Keep-Alive", "timeout=5"),
        ("Upgrade", "x"),
        ("TE", "x"),
        ("Trailer", "x"),
        ("Proxy-Authenticate", "x"),
        ("Connection", "keep-alive"),
    ]
    with serving(make(headers=headers, body=[b"x"]), validate=False) as server:
        for _ in range(2):
            answer = server.request(raw.get())
            assert answer.get("Content-Length") == "1"
            assert [answer.get(name) for name, _ in headers[1:]] == [None] * 7
    assert caplog.text.count('"Keep-Alive"') == 1


@pytest.mark.row("T19")
def test_rs03_connection_close_is_obeyed() -> None:
    """As a list, any case, not by prefix."""
    for value, closes in [("close", True), ("x, CLOSE", True), ("closer", False)]:
        with serving(make(headers=[*TEXT, ("Connection", value)]), False) as server:
            with server.client() as client:
                client.send(raw.get())
                assert (client.response().get("Connection") == "close") is closes
                if closes:
                    assert client.at_end()


def test_rs04_too_few_bytes_close_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Never a second answer that would be taken for the rest."""
    app = make(headers=[*TEXT, ("Content-Length", "9")], body=[b"short"])
    with serving(app, validate=False) as server, server.client() as client:
        client.send(raw.get() + raw.get("/2"))
        data = client.read_to_end()
    assert data.endswith(b"\r\n\r\nshort")
    assert "less than its Content-Length" in caplog.text


@pytest.mark.parametrize(
    "lengths", [["1", "1"], ["x"], ["-1"], [""], ["1_0"], ["9" * 40]]
)
def test_rs05_bad_content_length_is_500(lengths: list[str]) -> None:
    headers = [("Content-Length", value) for value in lengths]
    assert answer_of(make(headers=headers), validate=False).status == 500


def test_rs05_content_length_with_transfer_encoding_is_500() -> None:
    headers = [("Content-Length", "4"), ("Transfer-Encoding", "chunked")]
    assert answer_of(make(headers=headers), validate=False).status == 500


def test_rs09_exception_before_the_head_is_500_and_keeps_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/bad":
            raise ValueError("broken view")
        start_response("200 OK", TEXT)
        return [b"ok"]

    with serving(app) as server, server.client() as client:
        client.send(raw.get("/bad") + raw.get("/good"))
        bad, good = client.response(), client.response()
    assert (bad.status, good.status) == (500, 200)
    assert b"broken" not in bad.body
    assert "broken view" in caplog.text
    assert "GET /bad" in caplog.text


@pytest.mark.parametrize("error", [ValueError("late"), SystemExit(3)])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.row("T26")
def test_rs09_exception_after_the_head_aborts(
    version: str, error: BaseException
) -> None:
    """Chunked without its end, close-delimited with a reset."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"part"
        raise error

    with serving(app, validate=False) as server, server.client() as client:
        client.send(raw.get(version=version))
        with pytest.raises((EOFError, ConnectionResetError)):
            client.response()
        assert b"500" not in client.buffer


@pytest.mark.row("T23")
def test_rs10_chunks_are_on_the_wire_before_the_next_is_asked_for() -> None:
    import threading

    proceed = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"first"
        assert proceed.wait(raw.TIMEOUT)
        yield b"second"

    with serving(app, validate=False) as server, server.client() as client:
        client.send(raw.get())
        client.read_until(b"first\r\n")
        proceed.set()
        assert client.read_until(b"0\r\n\r\n").startswith(b"6\r\nsecond")


@pytest.mark.row("T06")
def test_large_answers_are_exact() -> None:
    """Partial writes keep their place."""
    data = os.urandom(8 << 20)
    pieces = [data[i : i + 300_001] for i in range(0, len(data), 300_001)]
    assert answer_of(make(body=[data]), validate=False).body == data
    assert answer_of(make(body=iter(pieces)), validate=False).body == data


@pytest.mark.parametrize("way", ["iterated", "written"])
def test_pieces_with_code_of_their_own_go_where_they_came_from(way: str) -> None:
    """The loop holds what is unsent, and drops nothing that runs an application's code."""
    where: list[Any] = []
    ended = threading.Event()

    class Piece(bytes):
        def __del__(self) -> None:
            where.append(greenlet.getcurrent())

    def pieces() -> Iterator[bytes]:
        for _ in range(1500):
            yield Piece(b"x" * 20_000)
        where.append(greenlet.getcurrent())
        ended.set()

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response("200 OK", TEXT)
        if way == "iterated":
            return pieces()
        for piece in pieces():
            write(piece)
        return []

    with serving(app, validate=False, response_buffer=1 << 30) as server:
        with server.client() as client:
            client.send(raw.get(version="1.0"))
            assert ended.wait(TIMEOUT)  # most of it waits for the client
            came = 0
            while data := client.sock.recv(1 << 20):
                came += len(data)
            assert came > 30_000_000
        server.wait_for(lambda s: s["in_flight"] == 0)
    assert len(where) == 1501
    assert len(set(where)) == 1


@pytest.mark.parametrize("handles", ["then", "within"])
@pytest.mark.parametrize("client", ["leaves", "cuts"])
def test_an_error_of_the_application_is_logged_whatever_its_client_did(
    client: str, handles: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that are raised from ours are the client's (Django's UnreadablePostError)."""

    def fail() -> None:
        raise ConnectionRefusedError("the database is down")

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        try:
            if client == "cuts":
                environ["wsgi.input"].read()
            else:
                write = start_response("200 OK", TEXT)
                while True:
                    write(b"x" * 10_000)
        except OSError as error:
            if environ["PATH_INFO"] == "/wrapped":
                raise OSError("unreadable") from error
            if handles == "within":
                fail()
        fail()

    with serving(app, validate=False) as server:
        for path in ("/wrapped", "/own"):
            with server.client() as sock:
                sock.send(raw.get(path, "Content-Length: 10", method="POST") + b"abc")
                if client == "cuts":
                    sock.shutdown()
                    assert sock.response().status == (
                        400 if path == "/wrapped" else 500
                    )
                else:
                    sock.read_until(b"xxx")
            server.wait_for(lambda s: s["in_flight"] == 0)
            assert server.stats()["failed"] == (path == "/own")
    assert "unreadable" not in caplog.text


@pytest.mark.row("T13")
def test_t15_start_response_is_cut_off_when_its_request_ends() -> None:
    kept: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if kept:
            for call in (lambda: kept[0]("200 OK", []), lambda: kept[1](b"leak")):
                with pytest.raises(RuntimeError):
                    call()
        write = start_response("200 OK", TEXT)
        kept[:] = [start_response, write]
        return [b"ok"]

    with serving(app, validate=False) as server, server.client() as client:
        client.send(raw.get() + raw.get("/2"))
        assert [client.response().body for _ in range(2)] == [b"ok", b"ok"]


def test_what_write_is_given_leaves_before_it_returns() -> None:
    """PEP 3333; also where answers of one turn leave together, and this one is whole."""
    read = threading.Event()
    seen = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        end = time.perf_counter() + 0.0001  # so long that answers wait for each other
        while time.perf_counter() < end:
            pass
        if environ["PATH_INFO"] == "/":
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]
        start_response("200 OK", [("Content-Length", "4")])(b"wait")
        seen.append(read.wait(TIMEOUT))  # holds the loop
        return []

    with serving(app, validate=False) as server, server.client() as client:
        for _ in range(300):
            client.send(raw.get())
            assert client.response().body == b"ok"
        client.send(raw.get("/write"))
        assert client.response().body == b"wait"
        read.set()
    assert seen == [True]


def _by_yield(environ: dict[str, Any], write: Any) -> Iterator[bytes]:
    yield b""


def _by_write(environ: dict[str, Any], write: Any) -> Iterator[bytes]:
    write(b"")
    return iter(())


def _by_hints(environ: dict[str, Any], write: Any) -> Iterator[bytes]:
    environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload")])
    return iter(())


@pytest.mark.parametrize("step", [_by_yield, _by_write, _by_hints])
def test_who_has_nothing_to_send_lets_others_run(step: Any) -> None:
    """A stream that looks again and again whether there is something."""
    come = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        write = start_response("200 OK", TEXT)
        if environ["PATH_INFO"] == "/come":
            come.set()
        while not come.is_set():
            yield from step(environ, write)
        yield b"here"

    with serving(app, validate=False) as server, server.client() as client:
        client.send(raw.get("/"))
        server.wait_for(lambda s: s["in_flight"] == 1)
        assert server.request(raw.get("/come")).body == b"here"
        assert client.response().body == b"here"


def test_hints_that_nobody_takes_are_not_kept() -> None:
    hints = 8000  # of 5 KB: more than sockets hold
    done = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        link = ("Link", f"</{'a' * 5000}.css>; rel=preload")
        for _ in range(hints):
            environ["wsgi.early_hints"]([link])
        done.set()
        start_response("200 OK", TEXT)
        return [b"here"]

    with serving(app, validate=False) as server, server.client() as client:
        client.send(raw.get("/"))
        assert done.wait(TIMEOUT)
        got = 0
        while (answer := client.any_response()).status == 103:
            got += 1
        assert answer.body == b"here"
        assert 0 < got < hints


def test_a_native_thread_writes_as_a_greenlet_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What its writes wait for has its time limit in a loop that sleeps."""
    raised: list[BaseException] = []
    told = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        hint = environ["wsgi.early_hints"]
        write = start_response("200 OK", TEXT)
        in_time = environ["PATH_INFO"] == "/read"

        def send() -> None:
            hint([("Link", "</a>; rel=preload")])
            try:
                for _ in range(100 if in_time else 100_000):
                    write(b"x" * 10_000)
            except OSError as error:
                raised.append(error)
            if not in_time:
                told.wait(TIMEOUT)

        green.offload(send)
        return []

    with serving(app, validate=False, write_timeout=0.5) as server:
        assert len(server.request(raw.get("/read")).body) == 1_000_000
        assert not raised
        with server.client() as client:
            client.send(raw.get("/unread"))
            server.wait_for(lambda s: s["timeouts_write"] == 1)
            told.set()
        server.wait_for(lambda s: s["in_flight"] == 0)
    assert [type(error).__name__ for error in raised] == ["ClientDisconnected"]
    assert not caplog.text
