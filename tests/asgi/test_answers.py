"""`send`: answers, and messages that are none (AS02, AS03, RS01-RS09)."""

from __future__ import annotations

import asyncio
import select
import socket
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from celadon import green
from celadon._core import green as core

from tests.asgi.serving import (
    END,
    GET,
    START,
    Message,
    Once,
    Receive,
    Scope,
    Send,
    Signal,
    body,
    serve,
)
from tests.support.raw import Response, get
from tests.support.servers import wait_until


def start(*headers: tuple[bytes, bytes], status: int = 200, **more: Any) -> Message:
    return {
        "type": "http.response.start",
        "status": status,
        "headers": list(headers),
        **more,
    }


def answer_to(
    *messages: Message, request: bytes = GET, head_only: bool = False
) -> Response:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    with serve(app) as server, server.client() as client:
        client.send(request)
        answer: Response = client.response(head_only)
        return answer


def test_head_and_body_of_one_piece_have_their_length() -> None:
    answer = answer_to(start((b"X-A", b"\xff")), body(b"hello"))
    assert (answer.status, answer.reason, answer.body) == (200, "OK", b"hello")
    assert answer.get("Content-Length") == "5"
    assert answer.get("X-A") == "\xff"
    assert len(answer.all("Date")) == len(answer.all("Server")) == 1


@pytest.mark.parametrize("more", [True, False])
def test_a_head_does_not_wait_for_a_body_that_comes_late(more: bool) -> None:
    """Of an event stream: its client asks for the first event once it has the head."""
    go = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start((b"X-A", b"b")))
        await go.come()
        await send(body(b"hello", more=more))
        if more:
            await send(END)

    with serve(app) as server, server.client() as client:
        client.send(GET)
        head = client.read_until(b"\r\n\r\n")
        assert b"x-a: b" in head.lower()
        go.give()
        client.buffer = head + client.buffer
        assert client.response().body == b"hello"


def test_a_head_does_not_wait_while_others_run() -> None:
    """For long: those that run may never end."""
    go = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def turn() -> None:
            while not go.is_given():
                await asyncio.sleep(0)

        others = [asyncio.ensure_future(turn()) for _ in range(3)]
        await send(START)
        await asyncio.gather(*others)
        await send(body(b"hello"))

    with serve(app) as server, server.client() as client:
        client.send(GET)
        head = client.read_until(b"\r\n\r\n")
        go.give()
        client.buffer = head + client.buffer
        assert client.response().body == b"hello"


def test_a_head_waits_for_a_body_that_others_give() -> None:
    """As Starlette's middleware does: it is whole, and has its length."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        pieces: asyncio.Queue[bytes] = asyncio.Queue()

        async def give() -> None:
            await asyncio.sleep(0)
            await pieces.put(b"hello")

        giver = asyncio.ensure_future(give())
        await send(START)
        await send(body(await pieces.get()))
        await giver

    with serve(app) as server, server.client() as client:
        client.send(GET)
        answer = client.response()
        assert (answer.body, answer.get("Content-Length")) == (b"hello", "5")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_head_does_not_wait_for_a_request_that_follows(
    tmp_path: Path, method: str
) -> None:
    """Others may do nothing for long once this turn has ended."""
    ends: list[socket.socket] = []
    has_left = []
    looked = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        if scope["path"] == "/late":
            end = time.monotonic() + 0.01  # it is held for others no longer
            while time.monotonic() < end:
                pass
            green.sleep(0)  # the end of one turn
            has_left.append(bool(select.select(ends, [], [], 0)[0]))
            looked.give()
        await send(body(b"x"))

    late = f"{method} /late HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    with serve(app, bind=f"unix:{tmp_path}/s") as server, server.client() as client:
        ends.append(client.sock)
        client.send(late + GET)
        looked.wait()
        client.response(method == "HEAD")
        assert client.response().body == b"x"
    assert has_left == [True]


def test_fields_of_a_head_that_leaves_ahead_die_where_they_may_wait() -> None:
    go, died = Signal(), []

    class Value(bytes):
        def __del__(self) -> None:
            died.append(core.can_park())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start((b"x-a", Value(b"1")), [b"x-b", Value(b"2")]))
        await go.come()
        await send(END)

    with serve(app) as server, server.client() as client:
        client.send(GET)
        client.read_until(b"x-b: 2\r\n")
        wait_until(lambda: (died, len(died) == 2))
        go.give()
    assert died == [True, True]


@pytest.mark.parametrize("has_length", [True, False])
def test_a_file_behind_a_head_that_has_left(tmp_path: Path, has_length: bool) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    go, refused = Signal(), []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(*[(b"content-length", b"5")] * has_length))
        await go.come()
        path = {"type": "http.response.pathsend", "path": str(tmp_path / "a")}
        try:
            await send(path)
        except RuntimeError as error:
            refused.append(str(error))
            await send(body(b"hello"))

    with serve(app) as server, server.client() as client:
        client.send(GET)
        head = client.read_until(b"\r\n\r\n")
        go.give()
        client.buffer = head + client.buffer
        assert client.response().body == b"hello"
    assert ["content-length" in each for each in refused] == [True] * (not has_length)


# Of RFC 9110; CPython has these names from 3.13 on.
RENAMED = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}


def test_every_status_is_called_by_its_name() -> None:
    statuses = [each for each in HTTPStatus if each >= 200]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(status=int(scope["query_string"])))
        await send(END)

    with serve(app) as server, server.client() as client:
        for status in statuses:
            client.send(get(f"/?{status.value}"))
            name = RENAMED.get(status.value, status.phrase)
            answer = client.response()
            assert (answer.status, answer.reason.lower()) == (status, name.lower())


def test_pieces_are_chunked() -> None:
    answer = answer_to(START, body(b"a", True), body(b"", True), body(b"b", True), END)
    assert answer.body == b"ab"
    assert answer.get("Transfer-Encoding") == "chunked"


def test_pieces_of_a_known_length_are_not() -> None:
    answer = answer_to(start((b"content-length", b"2")), body(b"a", True), body(b"b"))
    assert answer.body == b"ab"
    assert answer.get("Transfer-Encoding") is None


@pytest.mark.row("RS07")
def test_head_has_no_body() -> None:
    head = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = answer_to(START, body(b"hello"), request=head, head_only=True)
    assert answer.get("Content-Length") == "5"


@pytest.mark.row("RS07")
@pytest.mark.parametrize("status", [204, 304])
def test_some_have_none(status: int) -> None:
    answer = answer_to(start(status=status), body(b"hello"))
    assert (answer.status, answer.body) == (status, b"")
    assert answer.get("Content-Length") is None


@pytest.mark.row("RS08")
def test_the_applications_own_date_wins() -> None:
    answer = answer_to(start((b"date", b"now"), (b"server", b"mine")), END)
    assert answer.all("Date") == ["now"]
    assert answer.all("Server") == ["mine"]


@pytest.mark.row("RS03")
def test_fields_of_one_hop_are_dropped_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = answer_to(start((b"keep-alive", b"x"), (b"x-a", b"1")), body(b"a"))
    assert answer.get("Keep-Alive") is None
    assert answer.get("X-A") == "1"


@pytest.mark.row("RS03")
def test_connection_close_is_obeyed() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start((b"connection", b"close")))
        await send(body(b"x"))

    with serve(app) as server, server.client() as client:
        client.send(GET)
        assert client.response().get("Connection") == "close"
        assert client.at_end()


@pytest.mark.row("RS04")
def test_more_than_was_announced_is_dropped() -> None:
    answer = answer_to(start((b"content-length", b"2")), body(b"abc"))
    assert answer.body == b"ab"


@pytest.mark.row("RS04")
def test_less_than_was_announced_breaks_off() -> None:
    with pytest.raises(EOFError):
        answer_to(start((b"content-length", b"5")), body(b"abc"))


WRONG_STARTS: list[Any] = [
    ({"status": "200"}, TypeError, "status must be an int"),
    ({"status": 99}, ValueError, "status must be from"),
    ({"status": 101}, ValueError, "status must be from"),
    ({"headers": [("a", "b")]}, TypeError, "must be bytes"),
    ({"headers": [(b"a",)]}, TypeError, "pair"),
    ({"headers": b"ab"}, TypeError, "iterable"),
    ({"headers": {b"a": b"b"}}, TypeError, "iterable"),
    ({"headers": [(b"a b", b"c")]}, ValueError, "invalid header name"),
    ({"headers": [(b"", b"c")]}, ValueError, "invalid header name"),
    ({"headers": [(b"a", b"b\r\nc: d")]}, ValueError, "invalid value"),
    ({"headers": [(b"a", b"b\nc")]}, ValueError, "invalid value"),
    ({"headers": [(b"a", b"b\0c")]}, ValueError, "invalid value"),
    ({"headers": [(b"content-length", b"x")]}, ValueError, "Content-Length"),
    (
        {"headers": [(b"content-length", b"1"), (b"content-length", b"2")]},
        ValueError,
        "Content-Length",
    ),
    ({"trailers": 1}, TypeError, "must be a bool"),
]


@pytest.mark.row("RS01", "RS02", "RS05")
@pytest.mark.parametrize(("part", "kind", "text"), WRONG_STARTS)
def test_a_wrong_head_raises_and_is_answered_by_500(
    part: Message, kind: type[Exception], text: str
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({**START, **part})

    once = Once(app)
    with serve(once) as server:
        assert server.request(GET).status == 500
        once.done.wait()
    assert type(once.error) is kind
    assert text in str(once.error)


WRONG: list[Any] = [
    ([body(b"a")], RuntimeError, "before http.response.start"),
    ([START, START], RuntimeError, "between http.response.start and its body"),
    ([START, body(b"a", True), START], RuntimeError, "not complete"),
    ([START, END, END], RuntimeError, "behind the end"),
    ([START, END, START], RuntimeError, "behind the end"),
    ([{"type": "http.response.trailers", "headers": []}], RuntimeError, "before"),
    ([{"type": "nothing"}], ValueError, "nobody knows"),
    ([{}], ValueError, "lacks"),
    ([{"type": 1}], TypeError, "must be a str"),
    ([{"type": "http.response.start"}], ValueError, 'lacks "status"'),
    ([START, {**END, "body": "text"}], TypeError, "must be bytes"),
    ([START, {**END, "more_body": None}], TypeError, "must be a bool"),
    (["text"], TypeError, "takes a dict"),
    ([None], TypeError, "takes a dict"),
]


@pytest.mark.row("AS02")
@pytest.mark.parametrize(("messages", "kind", "text"), WRONG)
def test_messages_that_may_not_be_sent(
    messages: list[Any], kind: type[Exception], text: str
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    once = Once(app)
    with serve(once) as server, server.client() as client:
        client.send(GET)
        if messages[:2] == [START, body(b"a", True)]:
            with pytest.raises(EOFError):
                client.response()
        else:
            whole = messages[:2] == [START, END]
            assert client.response().status == (200 if whole else 500)
        once.done.wait()
    assert type(once.error) is kind
    assert text in str(once.error)


def test_keys_that_nobody_knows_are_passed_over() -> None:
    """So that messages may come to hold more ("Error Handling" of ASGI)."""
    more: Message = {"reason": b"x", 1: None}  # type: ignore[dict-item]
    answer = answer_to({**START, **more}, {**END, "body": b"a", **more})
    assert (answer.status, answer.body) == (200, b"a")


@pytest.mark.row("RS09")
def test_an_error_before_the_first_byte_is_500_and_logged() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        raise ValueError("broken")

    with serve(app) as server, server.client() as client:
        client.send(GET)
        assert client.response().status == 500
        assert server.stats()["failed"] == 1


@pytest.mark.row("RS09")
def test_an_error_after_it_breaks_the_answer_off() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(body(b"a", True))
        raise ValueError("broken")

    with serve(app) as server, server.client() as client:
        client.send(GET)
        with pytest.raises(EOFError):
            client.response()


@pytest.mark.row("SR09")
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_ends_a_script_ends_no_server(kind: type[BaseException]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/bad":
            raise kind
        await send(START)
        await send(body(b"x"))

    with serve(app) as server:
        bad = server.request(b"GET /bad HTTP/1.1\r\nHost: a\r\n\r\n")
        assert bad.status == 500
        assert server.request(GET).body == b"x"


@pytest.mark.parametrize("sent", [[], [START], [START, body(b"a", True)]])
def test_one_that_returns_without_its_answer(sent: list[Message]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in sent:
            await send(message)

    with serve(app) as server, server.client() as client:
        client.send(GET)
        if len(sent) == 2:
            with pytest.raises(EOFError):
                client.response()
        else:
            assert client.response().status == 500
        assert server.stats()["failed"] == 1


def test_no_coroutine_is_an_error() -> None:
    def app(scope: Scope, receive: Receive, send: Send) -> int:
        return 1

    with serve(app) as server:
        assert server.request(GET).status == 500


@pytest.mark.row("AS03")
def test_early_hints() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        links = [b"</a.css>; rel=preload", b"</b.js>; rel=preload"]
        await send({"type": "http.response.early_hint", "links": links})
        await send(START)
        await send(body(b"x"))

    with serve(app) as server, server.client() as client:
        client.send(GET)
        hint = client.any_response()
        assert hint.status == 103
        assert hint.all("Link") == ["</a.css>; rel=preload", "</b.js>; rel=preload"]
        assert client.response().body == b"x"


@pytest.mark.row("AS03")
def test_trailers() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(trailers=True))
        await send(body(b"abc"))
        for more in (True, False):
            await send(
                {
                    "type": "http.response.trailers",
                    "headers": [(b"x-sum", b"%d" % more)],
                    "more_trailers": more,
                }
            )

    with serve(app) as server, server.client() as client:
        client.send(GET + GET)
        for _ in range(2):
            client.read_until(b"\r\n\r\n")
            raw = client.read_until(b"x-sum: 0\r\n\r\n")
            assert raw == b"3\r\nabc\r\n0\r\nx-sum: 1\r\nx-sum: 0\r\n\r\n"


@pytest.mark.row("AS03")
def test_trailers_that_were_refused_are_not_sent() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        kind = "http.response.trailers"
        await send(start(trailers=True))
        await send(body(b"abc"))
        with pytest.raises(ValueError, match="no field of a trailer"):
            headers = [(b"x-sum", b"1"), (b"content-length", b"3")]
            await send({"type": kind, "headers": headers})
        await send({"type": kind, "headers": [(b"x-sum", b"2")]})

    with serve(app) as server, server.client() as client:
        client.send(GET)
        client.read_until(b"\r\n\r\n")
        assert client.read_until(b"2\r\n\r\n") == b"3\r\nabc\r\n0\r\nx-sum: 2\r\n\r\n"


def announced(
    *headers: tuple[bytes, bytes], more: bool = True, status: int = 200
) -> list[Message]:
    fields = ((b"Trailer", b"x-sum"), *headers)
    messages = [start(*fields, status=status, trailers=more), body(b"abc")]
    last: Message = {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]}
    return [*messages, last] if more else messages


@pytest.mark.row("AS03")
@pytest.mark.parametrize("pieces", [1, 2])
def test_trailers_are_announced(pieces: int) -> None:
    messages = announced()
    if pieces == 2:
        messages[1:2] = [body(b"a", True), body(b"bc")]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    with serve(app) as server, server.client() as client:
        client.send(GET)
        head = client.read_until(b"\r\n\r\n")
        assert b"\r\nTrailer: x-sum\r\n" in head
        assert client.read_until(b"x-sum: 1\r\n\r\n").endswith(b"0\r\nx-sum: 1\r\n\r\n")


@pytest.mark.row("AS03", "RS03")
@pytest.mark.parametrize(
    ("messages", "request_"),
    [
        (announced(more=False), GET),
        (announced((b"Content-Length", b"3")), GET),
        (announced(status=204), GET),
        (announced(), b"GET / HTTP/1.0\r\n\r\n"),
    ],
    ids=["none follow", "length", "no body", "1.0"],
)
def test_what_has_no_trailers_announces_none(
    messages: list[Message], request_: bytes
) -> None:
    assert answer_to(*messages, request=request_).get("Trailer") is None


@pytest.mark.row("AS03")
@pytest.mark.parametrize("name", [b"content-length", b"transfer-encoding", b"a b"])
def test_what_may_not_be_a_trailer(name: bytes) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(trailers=True))
        await send(body(b"abc"))
        await send({"type": "http.response.trailers", "headers": [(name, b"1")]})

    once = Once(app)
    with serve(once) as server, server.client() as client:
        client.send(GET)
        once.done.wait()
    assert type(once.error) is ValueError


@pytest.mark.row("AS03")
@pytest.mark.parametrize("size", [0, 5, 5_000_000])
def test_a_file_is_sent_by_its_path(tmp_path: Path, size: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(data := bytes(range(250)) * (size // 250) + b"x" * (size % 250))
    sent: Message = {"type": "http.response.pathsend", "path": str(file)}
    answer = answer_to(START, sent)
    assert answer.body == data
    assert answer.get("Content-Length") == str(size)
    head = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = answer_to(START, sent, request=head, head_only=True)
    assert answer.get("Content-Length") == str(size)


@pytest.mark.row("AS03")
def test_a_file_that_is_not_there_is_500(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        sent: Message = {"type": "http.response.pathsend", "path": str(path)}
        assert answer_to(START, sent).status == 500


@pytest.mark.row("RS10")
def test_who_sends_more_than_is_taken_waits_for_room() -> None:
    sent: list[int] = []
    blocked = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        watcher = asyncio.create_task(blocked.give_once_still(sent))
        for i in range(400):
            await send(body(b"x" * 100_000, True))
            sent.append(i)
        await send(END)
        await watcher

    with serve(app) as server, server.client() as client:
        client.send(GET)
        blocked.wait()
        assert len(sent) < 200
        assert len(client.response().body) == 400 * 100_000


@pytest.mark.row("AS02", "RS10")
def test_who_waits_for_room_hears_that_the_client_left() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        while True:
            await send(body(b"x" * 100_000, True))

    once = Once(app)
    with serve(once) as server:
        client = server.client()
        client.send(GET)
        client.read_exactly(1000)
        client.close()
        once.done.wait()
        assert isinstance(once.error, OSError)
        server.wait_for(lambda s: s["in_flight"] == 0)
        assert server.stats()["failed"] == 0


def test_a_stream_whose_reader_is_fast_lets_others_run() -> None:
    ends = Signal()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        if scope["path"] == "/end":
            ends.give()
        while scope["path"] == "/" and not ends._given.is_set():
            await send(body(b"x", True))
        await send(END)

    with serve(app) as server, server.client() as client:
        client.send(GET)
        client.read_exactly(100)
        assert server.request(b"GET /end HTTP/1.1\r\nHost: a\r\n\r\n").status == 200
        client.read_until(b"\r\n0\r\n\r\n")


def test_pipelined_requests_are_answered_in_order() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.01 if scope["path"] == "/0" else 0)
        await send(START)
        await send(body(scope["path"].encode()))

    with serve(app) as server, server.client() as client:
        client.send(b"".join(GET.replace(b" / ", b" /%d " % i) for i in range(100)))
        assert [client.response().body for _ in range(100)] == [
            b"/%d" % i for i in range(100)
        ]
