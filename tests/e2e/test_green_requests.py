"""Requests on greenlets: waits overlap, limits hold, nothing leaks from one to another."""

from __future__ import annotations

import os
import re
import select
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest
from celadon import green

from tests.support import raw
from tests.support.servers import Command, serving, wait_until

PROBE = "tests.apps.probe:app"


@pytest.fixture(scope="module")
def server() -> Iterator[Command]:
    with Command(
        PROBE, "--request-timeout", "1", "--cancel-on-disconnect", "GET"
    ) as command:
        yield command


def test_waiting_requests_overlap(server: Command) -> None:
    clients = [server.client() for _ in range(50)]
    for client in clients:
        client.send(raw.get("/together?n=50"))
    for client in clients:
        assert client.response().body == b"together"
        client.close()


def test_nobody_looks_at_a_request_that_is_not_kept_for_the_next_one() -> None:
    """There are more than are kept, and the C library overwrites what is free."""
    env = {"MALLOC_PERTURB_": "165", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
    with Command(PROBE, env=env) as server:
        clients = [server.client() for _ in range(300)]
        for client in clients:
            client.send(raw.get("/together?n=300"))
        for client in clients:
            assert client.response().body == b"together"
            client.close()
        assert server.request(raw.get("/sleep")).body == b"slept"


def test_a_lock_held_across_a_sleep_holds_up_only_its_waiters(server: Command) -> None:
    with server.client() as holder, server.client() as waiter, server.client() as other:
        holder.send(raw.get("/locked?gate=lock"))
        wait_at_gate(server, "lock")
        waiter.send(raw.get("/locked"))
        for _ in range(10):
            other.send(raw.get("/sleep"))
            assert other.response().body == b"slept"
        assert select.select([holder.sock, waiter.sock], [], [], 0)[0] == []
        other.send(raw.get("/open?gate=lock"))
        assert other.response().body == b"open"
        assert waiter.response().body == b"locked"
        assert holder.response().body == b"through"


def wait_at_gate(server: Command, gate: str) -> None:
    """Returns once a request waits there."""
    wait_until(
        lambda: (
            b := server.request(raw.get("/waiting")).body.decode().split(),
            gate in b,
        )
    )


def test_one_request_wakes_another(server: Command) -> None:
    with server.client() as waiter, server.client() as opener:
        waiter.send(raw.get("/gate?gate=one"))
        wait_at_gate(server, "one")
        opener.send(raw.get("/open?gate=one"))
        assert opener.response().body == b"open"
        assert waiter.response().body == b"through"


def test_request_deadline_is_504_and_its_locals_are_gone(server: Command) -> None:
    """request_timeout; design §3: no tenant of one request in another."""
    with server.client() as client:
        client.send(raw.get("/deadline?secret"))
        assert client.response().status == 504
        client.send(raw.get("/log"))
        assert b"deadline cleanup" in client.response().body
    server.wait_line("RequestTimeout")
    for _ in range(20):
        assert server.request(raw.get("/tenant")).body == b"None"


def test_t27_a_deadline_ends_only_its_own_request(server: Command) -> None:
    """Neighbours are untouched."""
    with server.client() as late, server.client() as neighbour:
        late.send(raw.get("/deadline"))
        neighbour.send(raw.get("/stream?n=3"))
        assert neighbour.response().body == b"0" * 10 + b"1" * 10 + b"2" * 10
        for _ in range(5):
            neighbour.send(raw.get("/sleep?s=0.1"))
            assert neighbour.response().body == b"slept"
        assert late.response().status == 504


def test_t29_a_request_that_comes_while_another_runs_is_not_lost(
    server: Command,
) -> None:
    with server.client() as client:
        for _ in range(20):
            client.send(raw.get("/sleep?s=0.005"))
            client.send(raw.post("/upload", b"12345"))
            assert client.response().body == b"slept"
            assert client.response().body == b"5"


def test_context_is_fresh_per_request(server: Command) -> None:
    with server.client() as client:
        for _ in range(3):
            client.send(raw.get("/context"))
            assert client.response().body == b"fresh"
    assert server.request(raw.get("/base_context")).body == b"at import"


@pytest.mark.parametrize("view", ["/fork", "/fork_and_return", "/thread", "/spawned"])
def test_forks_threads_and_spawned_greenlets(server: Command, view: str) -> None:
    expected = {
        "/fork": b"9",
        "/fork_and_return": b"parent",
        "/thread": b"from a thread",
    }
    with server.client() as client:
        client.send(raw.get(view))
        assert client.response().body == expected.get(view, b"spawned")
        client.send(raw.get("/"))
        assert client.response().body == b"hello"


def test_a_greenlet_that_waits_for_a_body_is_woken_by_its_requests_end(
    server: Command,
) -> None:
    with server.client() as client:
        client.send(
            b"POST /orphan HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"
        )
        assert client.response().body == b"left it"
        said = server.request(raw.get("/orphans")).body
    assert said.startswith(b"RuntimeError('the request ended")


def test_exit_in_a_view_ends_nothing(server: Command) -> None:
    assert server.request(raw.get("/exit")).status == 500
    assert server.request(raw.get("/")).body == b"hello"


@pytest.mark.row("CN15")
def test_client_gone_cancels_where_the_setting_says(server: Command) -> None:
    """The setting cancel_on_disconnect."""
    for how in ("reset", "close"):
        client = server.client()
        client.send(raw.get("/big?mb=1000"))
        client.read_until(b"xxx")
        if how == "reset":
            client.sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        client.close()

        def closed(expected: int = 1 if how == "reset" else 2) -> tuple[Any, bool]:
            body = server.request(raw.get("/log")).body
            return body, body.count(b"big closed") >= expected

        wait_until(closed)


def test_upload_and_stream(server: Command) -> None:
    with server.client() as client:
        client.send(raw.post("/upload", b"x" * (10 << 20)))
        assert client.response().body == str(10 << 20).encode()
        client.send(raw.get("/stream?n=200&size=5000"))
        assert len(client.response().body) == (10 + 90 * 2 + 100 * 3) * 5000


def test_a_held_loop_is_reported_with_its_place() -> None:
    """`watchdog_threshold`: the line that holds the loop; the server goes on."""
    with Command(PROBE, "--watchdog-threshold", "0.1") as server:
        place = r"WARNING\] the loop is held for \d+ ms at .*probe.py:\d+ in hold"
        # Who watches needs a processor as well, before it is over.
        while not any(re.search(place, line) for line in server.lines):
            assert server.request(raw.get("/hold?s=0.5")).body == b"held"
        assert server.request(raw.get("/")).body == b"hello"


def test_one_that_holds_on_is_reported_though_another_was_just_before() -> None:
    """At most one report a second, but a long one is not passed over for good."""
    with Command(PROBE, "--watchdog-threshold", "0.5") as server:
        began = time.monotonic()
        assert server.request(raw.get("/hold?s=0.7")).body == b"held"
        # Much longer than the one before, whose last look may have come late.
        much = 4 * (time.monotonic() - began)
        assert server.request(raw.get(f"/hold?s={much}")).body == b"held"
        reports = [line for line in server.lines if "the loop is held" in line]
        assert len(reports) == 2
        assert "more times" not in reports[1]  # it is this one itself


def test_a_loop_that_is_held_for_long_is_reported_with_all_stacks() -> None:
    """`timeout`: at half of it; the worker is aborted at all of it."""
    options = ("--timeout", "4", "--watchdog-threshold", "0")
    with Command(PROBE, *options) as server:
        assert server.request(raw.get("/hold?s=2.5")).body == b"held"
        server.wait_line(r"ERROR\] the loop is held for \d+ ms; the stacks")
        server.wait_line(r"probe.py.* in hold")
        assert server.request(raw.get("/")).body == b"hello"


@pytest.mark.slow("a deadline that was swallowed comes again after 10 s")
@pytest.mark.slow("a deadline that was swallowed comes again after 10 s")
def test_swallowed_deadline_comes_again_as_base_exception() -> None:
    """design §9: RequestTimeout, and 10 s later RequestKilled (so long it takes)."""
    with (
        Command(PROBE, "--request-timeout", "0.1") as server,
        server.client() as client,
    ):
        client.send(raw.get("/stubborn"))
        for heard in (b"RequestTimeout", b"RequestTimeout,RequestKilled"):
            wait_until(
                lambda h=heard: (b := server.request(raw.get("/log")).body, b == h)  # type: ignore[misc]
            )
        assert client.response().status == 504


@pytest.mark.alone("what a server uses of the processor while it waits")
@pytest.mark.row("T10")
def test_sl05_out_of_descriptors_pauses_and_recovers() -> None:
    """Accept pauses, nothing spins, it recovers."""
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    with Command(PROBE, preexec=limit) as server:
        assert server.port
        held = [server.client() for _ in range(80)]
        server.wait_line("cannot accept, paused")
        before = cpu_seconds(server.worker)
        time.sleep(0.3)  # the time over which CPU use is measured, not that of others
        assert cpu_seconds(server.worker) - before < 0.15
        for client in held:
            client.close()
        assert server.request(raw.get()).body == b"hello"


def cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.alone("how often an idle server wakes up")
def test_t37_an_idle_server_does_not_wake_up() -> None:
    """No idle wake-ups, with idle connections open."""

    def wakeups(pid: int) -> int:
        with open(f"/proc/{pid}/status") as status:
            for line in status:
                if line.startswith("voluntary_ctxt_switches"):
                    return int(line.split()[1])
        raise AssertionError

    last = -1

    def at_rest() -> tuple[int, bool]:
        nonlocal last
        before, last = last, wakeups(server.worker)
        return last, before == last

    with Command(PROBE) as server, server.client() as client:
        client.send(raw.get())
        client.response()
        before = wait_until(at_rest)
        time.sleep(0.5)  # the idle time that is measured
        assert wakeups(server.worker) - before <= 1


@pytest.mark.slow("idle runners are retired after half a minute")
def test_idle_runners_decay_and_serve_again() -> None:
    """design §3: idle runners above a recent maximum are retired within 30 s."""
    with Command(PROBE) as server:
        clients = [server.client() for _ in range(100)]
        for client in clients:
            client.send(raw.get("/gate?gate=all"))

        def there() -> tuple[bytes, bool]:
            body = server.request(raw.get("/waiting")).body
            return body, body.count(b"all") == len(clients)

        wait_until(there)
        server.request(raw.get("/open?gate=all"))
        for client in clients:
            client.response()
            client.close()
        assert int(server.request(raw.get("/slots")).body.split()[0]) >= 100

        def decayed() -> tuple[Any, bool]:
            body = server.request(raw.get("/slots")).body
            return body, int(body.split()[0]) <= 10

        wait_until(decayed, limit=40)
        assert server.request(raw.get("/sleep")).body == b"slept"


def test_request_timeout_ends_with_the_head() -> None:
    """http.md §3: from dispatch to the head; a download may take longer."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"first"
        green.sleep(0.3)  # three times the limit
        yield b"second"

    with serving(app, request_timeout=0.1) as server:
        assert server.request(raw.get("/")).body == b"firstsecond"
