"""What users of other ASGI servers report (next.md 5.4): the test of each, and those that
stand nowhere else."""

from __future__ import annotations

import ast
import signal
from pathlib import Path

import pytest

from tests.asgi.serving import GET, Once, Receive, Scope, Send, body, serve
from tests.asgi.serving import START as HEAD
from tests.support import raw
from tests.support.load import FOREVER, Crowd
from tests.support.servers import ROOT, Command, wait_until
from tests.support.site import renewed, wait_ready

E2E = "tests/e2e/test_asgi_applications.py"
LIFESPAN = "tests/e2e/test_asgi_lifespan.py"
SOCKETS = "tests/asgi/test_websockets.py"
REPORTS = "tests/asgi/test_reports.py"
TASKS = "tests/asgi/test_tasks.py"
SCOPES = "tests/asgi/test_scope.py"
BODIES = "tests/asgi/test_bodies.py"
HERE = "tests/asgi/test_reported.py"

REPORTED = {
    "a shutdown that hangs on a stream": (
        (E2E, "test_a_stream_that_never_ends_holds_no_end_up"),
        (REPORTS, "test_a_stream_without_end_does_not_hold_up_a_stop"),
    ),
    "a shutdown that hangs on a WebSocket": (
        (E2E, "test_a_websocket_holds_no_end_up"),
        (SOCKETS, "test_a_stop_says_1001_and_the_application_hears_of_it"),
    ),
    "the order of a shutdown": (
        (E2E, "test_requests_are_answered_before_the_lifespan_ends"),
    ),
    "a client that leaves before its WebSocket is accepted": (
        (SOCKETS, "test_a_client_that_leaves_before_it_is_accepted_is_lost"),
    ),
    "close codes and reasons": (
        (SOCKETS, "test_the_clients_code_and_reason_are_told"),
        (SOCKETS, "test_the_applications_code_and_reason_are_sent"),
        (SOCKETS, "test_one_that_is_lost_is_1006"),
    ),
    "back-pressure of websocket.send": (
        (SOCKETS, "test_who_sends_more_than_is_taken_waits_and_hears_of_the_end"),
    ),
    "limits of messages": ((SOCKETS, "test_a_message_that_is_too_large_is_1009"),),
    "deflate": ((SOCKETS, "test_deflate"),),
    "a cancellation that loses connections of a database": (
        (REPORTS, "test_a_cancellation_lets_the_application_give_back_what_it_has"),
    ),
    "state of a lifespan in another worker": (
        (E2E, "test_each_request_has_a_copy_of_the_state_of_its_worker"),
    ),
    "a start that fails again and again": (
        (LIFESPAN, "test_a_start_that_failed_ends_the_server_with_its_message"),
        (LIFESPAN, "test_a_reload_whose_start_fails_leaves_the_old_worker"),
    ),
    "a shutdown that is not told": (
        (LIFESPAN, "test_a_start_that_is_told_to_end_is_told_of_its_end"),
        (LIFESPAN, "test_between_its_start_and_its_first_request"),
    ),
    "requests that a reload drops": ((HERE, "test_a_reload_drops_no_request"),),
    "health checks that kill": ((HERE, "test_a_view_that_blocks_kills_no_worker"),),
    "client and scheme behind two proxies": (
        (HERE, "test_client_and_scheme_behind_two_proxies"),
    ),
    "unix sockets in scopes": (
        (SCOPES, "test_a_unix_socket_has_a_path_and_no_client"),
    ),
    "a line of the access log twice": (
        (REPORTS, "test_each_answer_has_one_line_in_the_access_log"),
    ),
    "streams that grow": (
        (REPORTS, "test_a_long_stream_takes_no_more_memory_than_a_short_one"),
    ),
    "background tasks at a shutdown": (
        (TASKS, "test_a_drain_waits_for_what_goes_on_behind_an_answer"),
        (TASKS, "test_after_the_grace_period_it_is_cancelled"),
    ),
    "large uploads": ((REPORTS, "test_an_upload_is_taken_as_it_is_received"),),
    "more_body that is never false": (
        (BODIES, "test_a_body_comes_in_pieces_and_ends"),
        (BODIES, "test_a_chunked_body_ends_too"),
        (HERE, "test_an_answer_that_is_never_complete_is_broken_off"),
    ),
    "an answer after a disconnect": (
        (BODIES, "test_who_sleeps_hears_of_it_by_his_next_messages"),
        ("tests/asgi/test_left_clients.py", "test_a_stream_that_nobody_takes_any_more"),
    ),
}


@pytest.mark.parametrize("what", REPORTED)
def test_it_has_its_test(what: str) -> None:
    for file, name in REPORTED[what]:
        tree = ast.parse((ROOT / file).read_text())
        assert name in {getattr(each, "name", "") for each in tree.body}


def test_a_reload_drops_no_request() -> None:
    wrong: list[str] = []
    answered: list[int] = []

    def ask() -> None:
        while not crowd.stopped.is_set():
            try:
                with server.client() as client:
                    for _ in range(FOREVER):
                        client.send(raw.get("/"))
                        answer = client.response()
                        answered.append(answer.status)
                        if answer.get("Connection") == "close":
                            break
                        if crowd.stopped.wait(0.004):
                            return
            except (OSError, EOFError, AssertionError) as error:
                wrong.append(repr(error))

    with Command("tests.apps.asgi_life:app", "--workers", "2") as server:
        old = wait_ready(server, 2)
        crowd = Crowd(ask, ask, ask)
        with crowd:
            for _ in range(3):
                server.signal(signal.SIGHUP)
                old = renewed(server, old)
                seen = len(answered)
                wait_until(lambda least=seen: (None, len(answered) > least + 50))  # type: ignore[misc]
    assert wrong == []
    assert {*answered} == {200}


BLOCKING = """
import asyncio, os, time

async def app(scope, receive, send):
    assert scope["type"] == "http"
    if scope["path"] == "/blocks":
        os.write(1, b"blocks\\n")
        time.sleep(2.5)  # as a driver that knows no asyncio
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d" % os.getpid()})
"""


def test_a_view_that_blocks_kills_no_worker(tmp_path: Path) -> None:
    """Nor does it keep others from being served, and the server from being well."""
    (tmp_path / "blocking.py").write_text(BLOCKING)
    with Command("blocking:app", "--timeout", "1", cwd=tmp_path) as server:
        with server.client() as client:
            client.send(raw.get("/blocks"))
            server.out.said("blocks")
            pid = server.request(raw.get("/")).body
            assert client.response().body == pid
        assert server.stop() == 0
    assert not any("killed" in line or "timeout" in line for line in server.lines)


@pytest.mark.parametrize("joined", [False, True])
def test_client_and_scheme_behind_two_proxies(joined: bool) -> None:
    """Each adds its own line, or to that of the one before."""
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await send(HEAD)
        await send(body(b"x"))

    outer = ("X-Forwarded-For: 6.6.6.6, 9.9.9.9", "X-Forwarded-Proto: https")
    inner = ("X-Forwarded-For: 10.1.1.1", "X-Forwarded-Proto: https")
    both = ("X-Forwarded-For: 6.6.6.6, 9.9.9.9, 10.1.1.1", "X-Forwarded-Proto: https")
    fields = both if joined else outer + inner
    trusted = "127.0.0.1,10.0.0.0/8"
    with serve(app, proxy_headers="on", forwarded_allow_ips=trusted) as server:
        assert server.request(raw.get("/", *fields)).status == 200
        # One of them was called in the clear, or lies.
        contradicted = raw.get("/", *outer, "X-Forwarded-Proto: http")
        assert server.request(contradicted).status == 400
    assert [(each["client"], each["scheme"]) for each in seen] == [
        (("9.9.9.9", 0), "https")
    ]


def test_an_answer_that_is_never_complete_is_broken_off() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(HEAD)
        await send(body(b"part", True))

    once = Once(app)
    with serve(once) as server, server.client() as client:
        client.send(GET)
        with pytest.raises(EOFError):
            client.response()
        server.wait_for(lambda s: s["in_flight"] == 0)
        assert server.stats()["failed"] == 1
