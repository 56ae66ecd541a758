"""Kills, stops and reloads at random under load. A slice here, minutes in `make chaos`."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.support.load import FOREVER, Load
from tests.support.servers import wait_until
from tests.support.site import (
    Site,
    admin_processes,
    ask,
    gone,
    ready,
    reload_at_last,
    renewed,
    wait_ready,
)

SECONDS = float(os.environ.get("CHAOS_SECONDS", "2"))
CLIENTS = (1, 1, 7, FOREVER, FOREVER)
WHOLE = 1.0  # seconds from a kill until all workers are ready again


def rounds() -> Iterator[float]:
    """Times until the chaos is over; at least three of them."""
    end = time.monotonic() + SECONDS
    for count in range(10**6):
        if count >= 3 and time.monotonic() >= end:
            return
        yield time.monotonic()


def back_in(probe: Callable[[], bool], since: float, limit: float) -> float:
    """Seconds from `since` until `probe`; timed only where chaos is what is measured."""
    wait_until(lambda: (None, probe()))
    took = time.monotonic() - since
    if SECONDS >= 10:
        assert took <= limit
    return took


def test_killed_workers_lose_no_more_than_their_own_requests(site: Site) -> None:
    chance = random.Random(7)
    kills = 0
    with site.serve("--workers", "3") as server, ExitStack() as stack:
        wait_ready(server, 3)
        load = stack.enter_context(Load(server, *CLIENTS))
        for began in rounds():
            victim = chance.choice(ready(server))
            os.kill(victim, signal.SIGKILL)
            kills += 1
            back_in(
                lambda victim=victim: (
                    victim not in (r := ready(server)) and len(r) == 3
                ),  # type: ignore[misc]
                began,
                WHOLE,
            )
            load.wait_for_more(20)
    # Each of these clients has one connection, which was with one worker.
    assert len(load.wrong) <= kills * len(CLIENTS)
    assert load.closed == 0


def test_nobody_notices_reloads_and_kills_of_the_admin_process(site: Site) -> None:
    chance = random.Random(8)
    with site.serve("--workers", "2") as server, Load(server, *CLIENTS) as load:
        wait_ready(server, 2)
        for _ in rounds():
            what = chance.choice(["hup", "in", "out", "admin", "logs"])
            if what == "admin":
                for pid in admin_processes(server):
                    with suppress(ProcessLookupError):  # of the last round's
                        os.kill(pid, signal.SIGKILL)
            else:
                server.signal(SIGNALS[what])
            load.wait_for_more(chance.randrange(1, 50))
        reload_at_last(server, 2)
        wait_until(
            lambda: (
                (p := admin_processes(server), server.lines[-30:]),
                len(p) == 1,
            )
        )
    assert load.wrong == [], server.lines[-50:]
    assert load.closed == 0


SIGNALS = {
    "hup": signal.SIGHUP,
    "in": signal.SIGTTIN,
    "out": signal.SIGTTOU,
    "logs": signal.SIGUSR1,
}


def test_a_worker_killed_while_it_hands_over_loses_no_other_connection(
    site: Site,
) -> None:
    """It is told to leave, and killed at a moment of its hand-over that chance picks."""
    chance = random.Random(9)
    lost = kills = 0
    for began in rounds():
        with site.serve("--workers", "2") as server, ExitStack() as stack:
            wait_ready(server, 2)
            clients = [stack.enter_context(server.client()) for _ in range(60)]
            for client in clients:
                client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            owners = [int(client.response().body.split()[1]) for client in clients]
            victim = owners[0]
            os.kill(victim, signal.SIGTERM)
            spin_until(time.perf_counter() + chance.random() * 0.003)
            if not gone(victim):
                kills += 1
                os.kill(victim, signal.SIGKILL)
            wait_until(lambda victim=victim: (None, gone(victim)))  # type: ignore[misc]
            for owner, client in zip(owners, clients, strict=True):
                try:
                    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    assert client.response().status == 200
                except (OSError, EOFError):
                    assert owner == victim, "a connection of another worker was lost"
                    lost += 1
        assert began > 0
    print(f"{kills} kills, {lost} connections that were the victim's own")


def spin_until(end: float) -> None:
    while time.perf_counter() < end:
        pass


@pytest.mark.slow("three workers in a row are silent for their whole timeout")
def test_stopped_workers_are_noticed(site: Site) -> None:
    chance = random.Random(10)
    with site.serve("--workers", "3", "--timeout", "2") as server:
        wait_ready(server, 3)
        for began in rounds():
            victim = chance.choice(ready(server))
            os.kill(victim, signal.SIGSTOP)
            back_in(
                lambda victim=victim: (
                    victim not in (r := ready(server)) and len(r) == 3
                ),  # type: ignore[misc]
                began,
                2 + 2 + WHOLE,
            )
            assert ask(server)[1] != victim


def test_no_orphan_outlives_its_master(site: Site) -> None:
    for _ in rounds():
        with site.serve("--workers", "3") as server:
            workers = wait_ready(server, 3)
            admins = wait_until(lambda: (a := admin_processes(server), len(a) == 1))
            began = time.monotonic()
            server.process.kill()
            back_in(
                lambda pids=(*workers, *admins): all(map(gone, pids)),  # type: ignore[misc]
                began,
                2 * WHOLE,
            )


def test_reloads_in_a_row_close_nothing_and_cut_nothing(site: Site) -> None:
    """A hundred of them in `make chaos`, while new connections come, too."""
    count = 100 if SECONDS >= 10 else 5
    with site.serve("--workers", "2") as server, Load(server, *CLIENTS) as load:
        old = wait_ready(server, 2)
        for _ in range(count):
            server.signal(signal.SIGHUP)
            old = renewed(server, old)
            load.wait_for_more(20)
    assert load.wrong == [], server.lines[-50:]
    assert load.closed == 0


def test_recycling_after_50_requests_each_is_not_noticed(site: Site) -> None:
    options = ["--workers", "2", "--max-requests", "50"]
    with site.serve(*options) as server, Load(server, *CLIENTS) as load:
        wait_ready(server, 2)
        for _ in rounds():
            load.wait_for_more(200)
        assert sum("has served max_requests" in line for line in server.lines) >= 3
    assert load.wrong == [], server.lines[-50:]
    assert load.closed == 0


def test_a_machine_that_was_suspended_loses_nobody(site: Site) -> None:
    """All processes stand still for longer than `timeout`: nobody was silent."""
    with site.serve("--workers", "2", "--timeout", "1") as server:
        workers = wait_ready(server, 2)
        assert ask(server)[1] in workers
        everyone = [server.process.pid, *workers]
        for pid in everyone:
            os.kill(pid, signal.SIGSTOP)
        end = time.monotonic() + 6.5  # a missed tick of the master is one of 5 s
        wait_until(lambda: (None, time.monotonic() > end))
        for pid in reversed(everyone):
            os.kill(pid, signal.SIGCONT)
        for _ in range(20):
            assert ask(server)[1] in workers
        assert ready(server) == workers
        assert not any("does not answer" in line for line in server.lines)


@pytest.mark.slow("a deadline that was swallowed comes again after 10 s, twice")
def test_a_worker_with_a_request_that_does_not_end_is_replaced(site: Site) -> None:
    """It swallows its deadline, and what comes 10 s later, and that again."""
    (site.folder / "site_app.py").write_text(
        """
import os, time
def app(environ, start_response):
    while environ["PATH_INFO"] == "/stubborn":
        try: time.sleep(60)
        except BaseException: pass
    body = f"1 {os.getpid()}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
    )
    options = ["--request-timeout", "0.1", "--graceful-timeout", "1"]
    with site.serve(*options) as server, server.client() as client:
        [worker] = wait_ready(server, 1)
        client.send(b"GET /stubborn HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: (None, gone(worker)), limit=60)
        server.wait_line(f"worker {worker} has a request that does not end: another")
        assert ask(server)[1] != worker
