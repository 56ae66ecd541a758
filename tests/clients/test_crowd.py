"""Clients that were late themselves judge nobody."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest

from tests.clients.client import Lag
from tests.clients.crowd import Job, visit
from tests.clients.judge import Rules
from tests.clients.model import Request
from tests.clients.plan import Plan

SLOW = b"HTTP/1.1 408 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"  # to whoever comes
# Sixty pieces, and a pause behind each third of them.
PIECES = Plan(0, (Request("a", "whole"),), style="pieces", pieces=(1,), pause=0.001)
TURNS = Plan(0, (Request("a", "read", 1, "POST", body=5, expects=True),), style="turns")


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(SLOW)
    writer.close()


async def hold() -> None:
    """The loop, for a moment each time, which is none that matters by itself."""
    while True:
        end = time.perf_counter() + 0.05
        while time.perf_counter() < end:
            pass
        await asyncio.sleep(0)


async def come(plan: Plan, rules: Rules) -> tuple[str, int]:
    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        lag = Lag()
        others = [asyncio.create_task(each) for each in (lag.watch(), hold())]
        job = Job(server.sockets[0].getsockname(), rules)
        wrong, seen = await visit(plan, job, lag)
        for each in others:
            each.cancel()
            with suppress(asyncio.CancelledError):
                await each
    return wrong, seen["late themselves, not judged"]


def test_who_is_late_again_and_again_is_late() -> None:
    """By 50 ms each time, in all by more than the server gives."""
    assert asyncio.run(come(PIECES, Rules(small_limits=1))) == ("", 1)


@pytest.mark.parametrize("plan", [PIECES, TURNS])
def test_where_no_time_is_short_nobody_is_excused(plan: Plan) -> None:
    assert asyncio.run(come(plan, Rules())) == (
        f"{plan.requests[0].view}: status 408, not 200",
        0,
    )
