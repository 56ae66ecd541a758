"""`green.Timeout` and `green.deadline` in coroutines: what they end is their task's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from celadon import RequestTimeout, aio, green

from tests.asgi.serving import GET, START, Once, Receive, Scope, Send, body, serve

LONG = 3600.0


def in_a_task(run: Callable[[], Any]) -> Any:
    """What it gives, as a request of a server, whose loop goes on beside."""

    async def app(scope: Scope, receive: Receive, send: Send) -> Any:
        others = [asyncio.create_task(asyncio.sleep(0.2, "whole")) for _ in range(5)]
        try:
            return await run()
        finally:
            assert await asyncio.gather(*others) == ["whole"] * 5
            assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]
            await asyncio.sleep(0)
            await send(START)
            await send(body(b"x"))

    once = Once(app)
    with serve(once) as server:
        server.request(GET)
        once.done.wait()
    if once.error is not None:
        raise once.error
    return once.value


async def sleep() -> None:
    await asyncio.sleep(LONG)


async def block() -> None:
    green.sleep(LONG)


async def block_in_others() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(block())
        group.create_task(asyncio.wait_for(block(), LONG))


async def wait_and_block() -> None:
    await asyncio.sleep(0)
    green.sleep(0.05)
    await asyncio.sleep(LONG)


async def block_elsewhere() -> None:
    """Another one blocks where this one began: it goes on in another greenlet."""
    over = green.Event()

    async def block_here() -> None:
        over.wait()

    other = asyncio.create_task(block_here())
    try:
        await asyncio.sleep(0)
        green.sleep(LONG)
    finally:
        over.set()
    await other


WAITS = pytest.mark.parametrize(
    "wait", [sleep, block, wait_and_block, block_elsewhere, block_in_others]
)


@WAITS
def test_a_block_ends_by_it(wait: Any) -> None:
    async def run() -> Any:
        limit = green.Timeout(0.01)
        with pytest.raises(green.Timeout) as caught:
            with limit:
                await wait()
        assert caught.value is limit
        return limit.expired

    assert in_a_task(run)


@WAITS
def test_one_that_is_silent_ends_its_block_alone(wait: Any) -> None:
    async def run() -> str:
        with green.Timeout(0.01, False):
            await wait()
            return "not ended"
        await asyncio.sleep(0)
        return "ended"

    assert in_a_task(run) == "ended"


@WAITS
@pytest.mark.parametrize("error", [KeyError, KeyError("late")])
def test_an_exception_of_ones_own(wait: Any, error: Any) -> None:
    async def run() -> None:
        with green.Timeout(0.01, error):
            await wait()

    with pytest.raises(KeyError):
        in_a_task(run)


@WAITS
def test_a_deadline_likewise(wait: Any) -> None:
    async def run() -> None:
        with pytest.raises(RequestTimeout), green.deadline(0.01):
            await wait()

    in_a_task(run)


def test_the_inner_one_that_is_first_is_the_one() -> None:
    async def run() -> None:
        outer, inner = green.Timeout(LONG), green.Timeout(0.01)
        with outer:
            with pytest.raises(green.Timeout) as caught:
                with inner:
                    await asyncio.sleep(LONG)
            assert caught.value is inner
            await asyncio.sleep(0.01)
        assert not outer.expired

    in_a_task(run)


def test_the_outer_one_that_is_first_is_the_one() -> None:
    async def run() -> None:
        outer, inner = green.Timeout(0.01), green.Timeout(LONG)
        with pytest.raises(green.Timeout) as caught:
            with outer, inner:
                await asyncio.sleep(LONG)
        assert caught.value is outer

    in_a_task(run)


def test_one_that_is_left_in_time_does_nothing() -> None:
    async def run() -> str:
        for _ in range(3):
            with green.Timeout(0.02):
                await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        return "whole"

    assert in_a_task(run) == "whole"


def test_a_cancellation_of_somebody_elses_is_one() -> None:
    async def limited() -> None:
        with green.Timeout(LONG):
            await asyncio.sleep(LONG)

    async def run() -> bool:
        task = asyncio.create_task(limited())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        return task.cancelled()

    assert in_a_task(run)


def test_time_that_is_over_in_computing_ends_the_next_await() -> None:
    async def run() -> None:
        with pytest.raises(green.Timeout), green.Timeout(0.01):
            await asyncio.sleep(0)
            end = time.monotonic() + 0.05
            while time.monotonic() < end:
                pass
            await asyncio.sleep(LONG)

    in_a_task(run)


def test_start_in_a_coroutine_says_what_to_write() -> None:
    async def run() -> None:
        with pytest.raises(RuntimeError, match=r"or asyncio\.timeout\(\) is"):
            green.Timeout(1).start()

    in_a_task(run)


def test_start_in_synchronous_code_of_a_task_is_as_ever() -> None:
    def work() -> str:
        limit = green.Timeout(0.01)
        limit.start()
        with pytest.raises(green.Timeout) as caught:
            green.sleep(LONG)
        assert caught.value is limit
        return "ended"

    async def run() -> str:
        return work()

    assert in_a_task(run) == "ended"


@WAITS
def test_a_loop_of_a_views_own(wait: Any) -> None:
    async def run() -> str:
        with green.Timeout(0.01, False):
            await wait()
            return "not ended"
        return "ended"

    assert green.spawn(aio.run, run()).get() == "ended"
