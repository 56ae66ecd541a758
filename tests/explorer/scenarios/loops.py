"""Greenlets that wait for tasks, and tasks that wait for greenlets, on the loop of the thread."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from celadon import aio, green
from celadon.testing import Stage

from tests.explorer.catalogue import scenario
from tests.explorer.scenarios.locks import Room


@scenario()
def waits_for_tasks(stage: Stage) -> Any:
    """What a greenlet waits for has ended when it goes on, however it was stopped."""
    lock = asyncio.Lock()
    inside: list[str] = []

    async def work(name: str) -> str:
        async with lock:
            inside.append(name)
            assert inside == [name]
            try:
                await asyncio.sleep(0)
            finally:
                inside.remove(name)
        return name

    def wait(name: str) -> None:
        try:
            assert aio.wait(work(name)) == name
        finally:
            assert name not in inside

    for name in "ab":
        stage.spawn(name, wait, name)

    def check() -> None:
        assert aio.wait(work("c")) == "c"
        assert not lock.locked()
        assert not inside

    return check


@scenario()
def tasks_that_wait_for_greenlets(stage: Stage) -> Any:
    """A kill goes through the task to the greenlet that it waits for, which ends first."""
    lock = green.Lock()
    ends: list[str] = []

    def call(name: str) -> str:
        with lock:
            try:
                green.sleep(0)
            finally:
                ends.append(name)
        return name

    async def work(name: str) -> str:
        return await aio.green(call, name)

    def wait(name: str) -> None:
        assert aio.wait(work(name)) == name
        assert name in ends

    for name in "ab":
        stage.spawn(name, wait, name)

    def check() -> None:
        assert aio.wait(work("c")) == "c"
        assert not lock.locked()
        assert len(set(ends)) == len(ends)

    return check


@scenario()
def steps_that_wait_in_the_middle(stage: Stage) -> Any:
    """All steps are of one thread; what one of them uses while it waits no other does."""
    lock, room, mine = threading.RLock(), Room(), threading.local()
    idents: set[int] = set()

    async def work(name: str) -> None:
        for _ in range(2):
            idents.add(threading.get_ident())
            assert not hasattr(mine, "name")
            mine.name = name
            time.sleep(1)
            assert mine.name == name
            del mine.name
            with lock, room:
                time.sleep(1)
            await asyncio.sleep(0)

    def wait(name: str) -> None:
        aio.wait(work(name))

    for name in "abc":
        stage.spawn(name, wait, name)

    def check() -> None:
        wait("d")
        assert len(idents) == 1
        assert lock.acquire(timeout=1), "the next caller is not served"
        lock.release()

    return check
