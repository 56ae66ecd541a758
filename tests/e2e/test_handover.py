"""Connections that go from one worker to another: a reload closes none, and load is even."""

from __future__ import annotations

import collections
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.metrics import value
from tests.support.raw import Client
from tests.support.servers import Command
from tests.support.site import Site, kill_worker, renewed, wait_ready


def who(client: Client, path: str = "/") -> int:
    """The worker that answers on this connection."""
    client.send(raw.get(path))
    response = client.response()
    assert response.status == 200
    assert response.get("Connection") is None
    return int(response.body.split()[1])


@pytest.mark.parametrize("workers", [1, 3])
def test_a_reload_closes_no_connection(site: Site, workers: int) -> None:
    with site.serve("--workers", str(workers)) as server, ExitStack() as stack:
        old = wait_ready(server, workers)
        clients = [stack.enter_context(server.client()) for _ in range(12)]
        fresh = [stack.enter_context(server.client()) for _ in range(4)]
        assert {who(client) for client in clients} <= set(old)
        for _ in range(3):
            # Some wait for an answer meanwhile, one has sent half of a request.
            for client in clients[:4]:
                client.send(raw.get("/sleep"))
            half = raw.get("/")
            clients[4].send(half[:20])
            server.signal(signal.SIGHUP)
            server.wait_line("stopping: finishing requests")
            clients[4].send(half[20:])
            for client in clients[:5]:
                assert client.response().status == 200
            new = renewed(server, old)
            assert {who(client) for client in clients} <= set(new)
            old = new
        assert {who(client) for client in fresh} <= set(old)


def test_a_busy_connection_is_handed_over_after_its_answer(site: Site) -> None:
    with site.serve() as server, server.client() as client:
        old = wait_ready(server, 1)
        client.send(raw.get("/until") + raw.get("/") + raw.get("/"))
        server.signal(signal.SIGHUP)
        server.wait_line("stopping: finishing requests")
        site.go()
        bodies = [client.response().body.split()[1] for _ in range(3)]
        assert bodies == [str(old[0]).encode()] * 3
        assert who(client) in renewed(server, old)


def test_without_a_successor_connections_are_closed(site: Site) -> None:
    with site.serve("--workers", "2") as server, server.client() as client:
        wait_ready(server, 2)
        client.send(raw.get("/until"))
        server.signal(signal.SIGTERM)
        server.wait_line("stopping: finishing requests")
        site.go()
        response = client.response()
        assert response.status == 200
        assert response.get("Connection") == "close"
        assert client.read_to_end() == b""
        assert server.wait() == 0


def test_one_worker_fewer_closes_no_connection(site: Site) -> None:
    with site.serve("--workers", "3") as server, ExitStack() as stack:
        wait_ready(server, 3)
        clients = [stack.enter_context(server.client()) for _ in range(9)]
        assert len({who(client) for client in clients}) == 3
        server.signal(signal.SIGTTOU)
        left = wait_ready(server, 2)
        assert {who(client) for client in clients} <= set(left)


def test_a_burst_of_connections_is_spread_evenly(site: Site) -> None:
    with site.serve("--workers", "4") as server, ExitStack() as stack:
        wait_ready(server, 4)
        clients = [stack.enter_context(server.client()) for _ in range(64)]
        shares = collections.Counter(who(client) for client in clients)
    assert len(shares) == 4
    assert all(abs(share - 16) <= 16 * 0.15 for share in shares.values()), shares


def test_what_lay_in_the_mailbox_of_a_killed_worker_is_served(site: Site) -> None:
    with site.serve("--workers", "2") as server, ExitStack() as stack:
        first, second = wait_ready(server, 2)
        os.kill(first, signal.SIGSTOP)
        # The other one hands over half of them, to one that does not read.
        clients = [stack.enter_context(server.client()) for _ in range(20)]
        answers = stack.enter_context(server.client())
        assert who(answers) == second
        left = kill_worker(server, first)
        assert {who(client) for client in clients} <= set(left)


def test_a_held_worker_gets_no_connection(site: Site) -> None:
    (site.folder / "holding.py").write_text(HOLDING)
    with (
        Command("holding:app", "--workers", "2", cwd=site.folder) as server,
        ExitStack() as stack,
    ):
        wait_ready(server, 2)
        holding = stack.enter_context(server.client())
        holding.send(raw.get("/hold"))
        held = int(server.wait_line(r"\[(\d+)\] \[WARNING\] the loop is held")[1])
        clients = [stack.enter_context(server.client()) for _ in range(20)]
        for client in clients:
            client.send(raw.get("/"))
            assert int(client.response().body) != held
        (site.folder / "go").touch()
        assert holding.response().status == 200


HOLDING = """
import ctypes, os
libc = ctypes.CDLL(None)
def app(environ, start_response):
    if environ["PATH_INFO"] == "/hold":
        while not os.path.exists("go"): libc.usleep(1000)
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


# --- while the loop is held ---

# A call into C that returns once the test has written to a pipe, with or without the GIL.
CALLING = """
import ctypes, os
pipe = os.open("go", os.O_RDWR)
buffer = ctypes.create_string_buffer(1)
calls = {"/with": ctypes.PyDLL(None).read, "/without": ctypes.CDLL(None).read}
def app(environ, start_response):
    call = calls.get(environ["PATH_INFO"])
    if call: call(pipe, buffer, 1)
    body = f"pid {os.getpid()}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@contextmanager
def calling(folder: Path, *options: str) -> Iterator[tuple[Command, Path]]:
    """Two workers of an application that calls, and the pipe that ends its calls."""
    (folder / "calling.py").write_text(CALLING)
    go = folder / "go"
    os.mkfifo(go)
    options = ("--workers", "2", "--admin-bind", "127.0.0.1:0", *options)
    with Command("calling:app", *options, cwd=folder) as server:
        wait_ready(server, 2)
        yield server, go


def held_worker(server: Command) -> int:
    return int(
        server.wait_line(r"\[(\d+)\] \[WARNING\] the loop is held for \d+ ms at")[1]
    )


@pytest.mark.row("C18")
@pytest.mark.parametrize("gil", ["with", "without"])
def test_who_waits_at_a_held_worker_is_served_by_others(
    tmp_path: Path, gil: str
) -> None:
    with calling(tmp_path) as (server, go), ExitStack() as stack:
        used = [stack.enter_context(server.client()) for _ in range(20)]
        silent = [stack.enter_context(server.client()) for _ in range(20)]
        owners = {client: who(client) for client in used}
        assert len(set(owners.values())) == 2
        blocker = stack.enter_context(server.client())
        blocker.send(raw.get(f"/{gil}"))
        held = held_worker(server)
        # Some ask before they are passed on, and some behind it.
        for client in used[:10] + silent[:10]:
            client.send(raw.get("/"))
        passed = server.wait_line(
            rf"\[{held}\] \[WARNING\] the loop is held for \d+ ms: (\d+) idle connections "
            "go to other workers"
        )
        for client in used[10:] + silent[10:]:
            client.send(raw.get("/"))
        for client in used + silent:
            assert client.response().body != b"pid %d" % held
        of_held = sum(owner == held for owner in owners.values())
        assert int(passed[1]) >= of_held > 0
        go.write_bytes(b"x")
        assert blocker.response().body == b"pid %d" % held
        # It goes on with what it has, and the others with what they got.
        assert who(blocker) == held
        assert held not in {who(client) for client in used + silent}
        name = "celadon_connections_handed_over_total"
        assert value(server, name) >= int(passed[1])
        assert value(server, "celadon_connections") == len(used + silent) + 1


@pytest.mark.row("C18")
def test_who_was_passed_on_outlives_the_held_worker(tmp_path: Path) -> None:
    with calling(tmp_path) as (server, _), ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in range(20)]
        owners = {client: who(client) for client in clients}
        blocker = stack.enter_context(server.client())
        blocker.send(raw.get("/without"))
        held = held_worker(server)
        assert held in owners.values()
        server.wait_line("idle connections go to other workers")
        left = kill_worker(server, held)
        assert {who(client) for client in clients} <= set(left)


@pytest.mark.row("C18")
def test_nobody_is_passed_on_where_that_is_off(tmp_path: Path) -> None:
    with (
        calling(tmp_path, "--hand-over-after", "0") as (server, go),
        ExitStack() as stack,
    ):
        clients = [stack.enter_context(server.client()) for _ in range(20)]
        owners = {client: who(client) for client in clients}
        blocker = stack.enter_context(server.client())
        blocker.send(raw.get("/without"))
        held = held_worker(server)
        for client in clients:
            client.send(raw.get("/"))
        go.write_bytes(b"x")
        assert blocker.response().body == b"pid %d" % held
        for client in clients:
            assert client.response().body == b"pid %d" % owners[client]
