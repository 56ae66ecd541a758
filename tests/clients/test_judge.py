"""The judge of random clients bites: what is right passes, and nothing that is a little off."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.clients import connection
from tests.clients.answers import Malformed, Reader
from tests.clients.client import Trace
from tests.clients.judge import Rules, Wrong, judge
from tests.clients.model import Request, expected
from tests.clients.plan import Habits, Plan, make
from tests.clients.replay import shrink

Change = Callable[[bytes], bytes]


def answer(request: Request, close: bool = False) -> bytes:
    """What a server that is right sends."""
    want = expected(request)
    lines = [f"HTTP/1.1 {want.status} X"]
    if not want.page:
        lines.append(f"X-Id: {request.ident}")
    if request.view in ("read", "read_slowly"):
        digest = hashlib.sha1(request.payload, usedforsecurity=False).hexdigest()
        lines.append(f"X-Read: {digest}")
    body = want.body
    size = request.size if request.view in ("break_off_length", "short") else len(body)
    if "chunked" in want.framings and request.method != "HEAD":
        lines.append("Transfer-Encoding: chunked")
        body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        body += b"0\r\n\r\n" if want.whole else b""
    elif "length" in want.framings:
        lines.append(f"Content-Length: {size}")
    if close or request.asks_to_close or request.view == "close":
        lines.append("Connection: close")
    elif request.minor == 0:
        lines.append("Connection: keep-alive")
    return "\r\n".join([*lines, "", ""]).encode() + body


def seen(plan: Plan, data: bytes, end: str = connection.WHOLE) -> Trace:
    reader = Reader(plan.heads())
    reader.feed(data)
    if end != connection.WHOLE:
        reader.end()
    trace = Trace(end, between=reader.between)
    trace.answers, trace.interims = reader.answers, reader.interims
    return trace


A = Request("a", "whole", 100)
B = Request("b", "read", 5000, "POST", body=300)
C = Request("c", "stream", 20_000)
PLAN = Plan(0, (A, B, C))
ALL = b"".join(map(answer, PLAN.requests))


def test_what_is_right_passes() -> None:
    judge(PLAN, seen(PLAN, ALL), Rules())
    half = replace(PLAN, end="half")
    judge(half, seen(half, ALL, connection.EOF), Rules())


@pytest.mark.parametrize(
    ("change", "end", "why"),
    [
        (lambda data: data[:-1], connection.EOF, "no end"),
        (lambda data: data[:-3000], connection.EOF, "of 20000"),
        (lambda data: data[: -len(answer(C))], connection.EOF, "before request 2"),
        (lambda data: data[: -len(answer(C))], connection.RESET, "a reset before"),
        (lambda data: data, connection.EOF, "was kept"),
        (lambda data: data, connection.RESET, "a reset behind"),
        (lambda data: data + b"HTTP", connection.EOF, "bytes behind"),
        (
            lambda data: data.replace(b"X-Id: b", b"X-Id: c"),
            connection.WHOLE,
            "the answer of c",
        ),
        (
            lambda data: data.replace(b"X 200", b"X 500"),
            connection.STUCK,
            "nothing comes",
        ),
        (lambda data: data.replace(b" 200 ", b" 503 "), connection.WHOLE, "status 503"),
        (
            lambda data: data.replace(b"X-Read: ", b"X-Read: 0"),
            connection.WHOLE,
            "another body",
        ),
        (lambda data: data[:-30] + b"!" + data[-29:], connection.WHOLE, "other bytes"),
        (lambda data: answer(A, close=True), connection.EOF, "for no reason"),
        (
            lambda data: b"HTTP/1.1 103 X\r\n\r\n" + data,
            connection.WHOLE,
            "before its answer",
        ),
    ],
)
def test_what_is_wrong_does_not(change: Change, end: str, why: str) -> None:
    with pytest.raises(Wrong, match=why):
        judge(PLAN, seen(PLAN, change(ALL), end), Rules())


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        ALL + answer(A),
    ],
)
def test_what_is_not_http_is_seen(data: bytes) -> None:
    with pytest.raises(Malformed):
        seen(PLAN, data)


def test_a_break_has_to_be_seen() -> None:
    framed = Plan(0, (Request("a", "break_off", 70_000),))
    judge(framed, seen(framed, answer(framed.requests[0]), connection.EOF), Rules())
    with pytest.raises(Wrong, match="looks whole"):
        whole = answer(framed.requests[0]) + b"0\r\n\r\n"
        judge(framed, seen(framed, whole, connection.EOF), Rules())
    with pytest.raises(Wrong, match="of 35000"):
        cut = answer(framed.requests[0])[:-10]
        judge(framed, seen(framed, cut, connection.EOF), Rules())
    old = Plan(0, (Request("a", "break_off", 70_000, minor=0),))
    judge(old, seen(old, answer(old.requests[0]), connection.RESET), Rules())
    with pytest.raises(Wrong, match="looks ordinary"):
        judge(old, seen(old, answer(old.requests[0]), connection.EOF), Rules())


def test_a_last_answer_says_so() -> None:
    plan = Plan(0, (replace(A, connection="close"),))
    data = answer(plan.requests[0])
    judge(plan, seen(plan, data, connection.EOF), Rules())
    with pytest.raises(Wrong, match="does not say so"):
        silent = data.replace(b"Connection: close\r\n", b"")
        judge(plan, seen(plan, silent, connection.EOF), Rules())


def test_a_plan_that_fails_is_made_smaller() -> None:
    def fails(plan: Plan) -> bool:
        return any(each.view == "stream" for each in plan.requests)

    found = 0
    for plan in (make(seed, Habits()) for seed in range(100)):
        if fails(plan):
            found += 1
            small = shrink(plan, fails)
            assert [each.view for each in small.requests] == ["stream"]
            assert (small.style, small.end, small.requests[0].body) == (
                "once",
                "wait",
                None,
            )
    assert found > 5


def test_a_plan_can_be_repeated() -> None:
    for seed in range(300):
        plan = make(seed, Habits(stalls=True))
        assert plan == make(seed, Habits(stalls=True))
        assert plan == Plan.of(plan.text())


def test_some_clients_never_pipeline() -> None:
    plans = [make(seed, Habits(bad=False)) for seed in range(300)]
    assert not all(plan.in_turns for plan in plans)
    plans = [make(seed, Habits(bad=False, pipelines=False)) for seed in range(300)]
    assert all(plan.in_turns for plan in plans)
    assert any(len(plan.requests) > 1 for plan in plans)
