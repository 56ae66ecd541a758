"""WebSockets through reloads: each hears that it ends, comes again, and finds the successor.
Some hundreds here, 10,000 in `make websockets`."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.fleet import LATE, RESTART, Fleet
from tests.support.frames import close_payload
from tests.support.metrics import value
from tests.support.servers import Command, wait_until
from tests.support.site import ready, renewed, wait_ready

COUNT = int(os.environ.get("CHAOS_WEBSOCKETS", "200"))
RELOADS = int(os.environ.get("CHAOS_RELOADS", "3"))
WORKERS = 2
MORE = 500  # descriptors that a process has beside its connections
APP = "tests.apps.websocket_echo"


def resident(pids: list[int]) -> int:
    """Bytes, together."""
    pages = (Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in pids)
    return sum(map(int, pages)) * resource.getpagesize()


def descriptors(pids: list[int]) -> int:
    """The most that one has."""
    return max(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)


@pytest.fixture
def room() -> Iterator[None]:
    """For each of them a descriptor, here and in a worker, which has the limits of ours."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < COUNT + MORE:
        pytest.fail(f"ulimit -Hn is {most}: {COUNT} WebSockets want {COUNT + MORE}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


@pytest.mark.row("WS08", "WS09")
@pytest.mark.usefixtures("room")
def test_each_is_told_of_a_reload_and_comes_again() -> None:
    with Command(
        f"{APP}:wsgi",
        *("--mount", f"/asgi={APP}:asgi", "--workers", str(WORKERS)),
        *("--worker-connections", str(2 * COUNT + MORE), "--admin-bind", "127.0.0.1:0"),
        *("--header-timeout", "2m"),
    ) as server:
        wait_ready(server, WORKERS)
        asyncio.run(story(server))


async def story(server: Command) -> None:
    fleet = Fleet(server.port, COUNT)
    watch = asyncio.create_task(fleet.watch())
    try:
        await through_reloads(server, fleet)
    finally:
        watch.cancel()
        await fleet.stop()


async def through_reloads(server: Command, fleet: Fleet) -> None:
    workers = ready(server)
    rest = descriptors(workers)
    print(f"{COUNT} WebSockets; a worker at rest has {average(workers):.1f} MB,")
    fleet.come()
    await fleet.until(lambda: fleet.all_with(workers.__contains__))
    workers = await reload(server, fleet, workers)
    once = descriptors([server.process.pid])
    for _ in range(RELOADS - 1):
        workers = await reload(server, fleet, workers)
    wait_until(lambda: (n := descriptors([server.process.pid]), n <= once))
    print(
        f"after {RELOADS} reloads and {fleet.echoes} echoes {average(workers):.1f} MB,"
    )
    await leave(server, fleet)
    before = resident(workers)
    print(f"without them {average(workers):.1f} MB,")
    fleet.come()
    await fleet.until(lambda: fleet.all_with(workers.__contains__))
    await leave(server, fleet)
    print(f"and when they have been there again {average(workers):.1f} MB")
    assert fleet.faults == {}
    assert fleet.closes[close_payload(1000, "bye")] == 2 * COUNT
    wait_until(lambda: (n := descriptors(workers), n <= rest))
    wait_until(lambda: (n := resident(workers) - before, n <= 4 << 20))


def average(workers: list[int]) -> float:
    """Megabytes of one."""
    return resident(workers) / len(workers) / 2**20


async def reload(server: Command, fleet: Fleet, old: list[int]) -> list[int]:
    """The new workers, once those of before have ended and everybody is back."""
    fleet.begin()
    began = time.monotonic()
    server.signal(signal.SIGHUP)
    await fleet.until(lambda: fleet.all_with(lambda worker: worker not in old))
    took = time.monotonic() - began
    new = await asyncio.to_thread(renewed, server, old)
    twice = sum(fleet.told.values()) - len(fleet.told)
    print(
        f"  all are back in {took:.1f} s, {twice} were told twice, {len(fleet.reset)} reset "
        f"by clients' lateness of {fleet.late:.1f} s",
        flush=True,
    )
    assert fleet.faults == {}, server.lines[-20:]
    assert not fleet.reset or fleet.late > LATE
    assert {*fleet.closes} == {RESTART}
    # Old workers leave one after another: who comes again may meet the next of them.
    assert {*fleet.told} | fleet.reset == {*range(COUNT)}
    assert {*fleet.told.values()} <= {*range(1, WORKERS + 1)}
    return new


async def leave(server: Command, fleet: Fleet) -> None:
    fleet.leave()
    await fleet.until(lambda: not fleet.guests)
    await asyncio.to_thread(wait_until, lambda: (n := left(server), n == 0))


def left(server: Command) -> float:
    return sum(
        value(server, f"celadon_{each}") for each in ("websockets", "connections")
    )
