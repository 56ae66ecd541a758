"""Executors, futures and loops of asyncio: who waits may be stopped, what was submitted is
done once, and nothing of it comes to the next one."""

from __future__ import annotations

import asyncio
import concurrent.futures as futures
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from celadon import green
from celadon.testing import Stage

from tests.explorer.catalogue import scenario


@scenario(proves=("G14",))
def executor(stage: Stage) -> Any:
    """`submit` queued the call or raised, never both."""
    pool = ThreadPoolExecutor(1)
    ran: list[str] = []
    submitted: list[str] = []

    def submit(name: str) -> None:
        pool.submit(ran.append, name)
        submitted.append(name)

    for name in "ab":
        stage.spawn(name, submit, name)

    def check() -> None:
        pool.shutdown()
        assert sorted(ran) == sorted(submitted)

    return check


@scenario()
def future(stage: Stage) -> Any:
    pool = ThreadPoolExecutor(1)
    outcome = pool.submit(lambda: 5)

    def wait() -> None:
        assert outcome.result(timeout=5) == 5

    stage.spawn("a", wait)
    stage.spawn("b", wait)

    def check() -> None:
        assert outcome.result(timeout=5) == 5
        pool.shutdown()

    return check


@scenario()
def executor_that_maps(stage: Stage) -> Any:
    pool = ThreadPoolExecutor(1)

    def work() -> None:
        assert list(pool.map(str, (1, 2), timeout=5)) == ["1", "2"]

    stage.spawn("a", work)
    stage.spawn("b", work)

    def check() -> None:
        assert pool.submit(lambda: 5).result(timeout=5) == 5
        pool.shutdown()

    return check


@scenario()
def executor_of_a_block(stage: Stage) -> Any:
    """Its end waits for all, also where it is stopped meanwhile."""
    ran: list[str] = []

    def work(name: str) -> None:
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(ran.append, name)
            assert futures.wait([done], timeout=5).done == {done}

    for name in "ab":
        stage.spawn(name, work, name)

    def check() -> None:
        green.sleep(5)
        for name in "ab":
            assert ran.count(name) <= 1
            assert stage.ended_by(name) != "value" or name in ran

    return check


@scenario()
def future_that_is_cancelled(stage: Stage) -> Any:
    """It has one end: it was cancelled, or it ran."""
    pool = ThreadPoolExecutor(1)
    ran: list[int] = []
    pool.submit(green.sleep, 1)
    outcome = pool.submit(ran.append, 1)

    def wait() -> None:
        outcome.result(timeout=5)

    stage.spawn("a", wait, expected=(futures.CancelledError,))
    stage.spawn("canceller", outcome.cancel)

    def check() -> None:
        pool.shutdown()
        assert outcome.done()
        assert len(ran) == (not outcome.cancelled())

    return check


@scenario()
def loop_of_asyncio(stage: Stage) -> Any:
    """A loop ends with who ran it; the next one of that greenlet is its own."""
    ended: list[str] = []

    async def child(name: str) -> str:
        try:
            await asyncio.sleep(1)
            return name
        finally:
            ended.append(name)

    async def main(name: str) -> None:
        task = asyncio.ensure_future(child(name))
        await asyncio.sleep(0)
        assert asyncio.current_task() is not None
        assert await task == name

    def run(name: str) -> None:
        asyncio.run(main(name))

    for name in "ab":
        stage.spawn(name, run, name)

    def check() -> None:
        asyncio.run(main("c"))
        for name in "abc":
            assert ended.count(name) <= 1
        for name in "ab":
            assert stage.ended_by(name) != "value" or name in ended

    return check
