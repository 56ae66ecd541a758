"""Places in the budget of connections for coroutines: only the task that asks waits."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

from celadon.drivers import budget
from celadon.drivers.budget import Place, known_server, refusal


class _Turn:
    """A turn that a coroutine waits for, set from any greenlet or thread."""

    def __init__(self) -> None:
        import asyncio

        self._wait_for = asyncio.wait_for
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def set(self) -> None:
        with contextlib.suppress(RuntimeError):  # its loop is closed
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await self._wait_for(self._event.wait(), seconds)
        self._event.clear()


async def _take_async(server: str, error: type[Exception]) -> Place:
    """As `take`; only the calling task waits."""
    known = known_server(server)
    place = known.take(None)
    if place is not None:
        return place
    end = time.monotonic() + budget.patience()
    turn = _Turn()
    known.waiters.append(turn)
    try:
        while True:
            known.make_room()
            place = known.take(turn)
            left = end - time.monotonic()
            if place is not None:
                return place
            if left <= 0:
                raise error(refusal(server))
            await turn.wait(left)
    finally:
        known.waiters.remove(turn)
        known.wake_first()


async def connect_async(
    server: str,
    error: type[Exception],
    make: Callable[[], Awaitable[Any]],
    is_closed: Callable[[Any], Any],
) -> tuple[Any, Place]:
    """``await make()`` in a place of the budget, and that place."""
    place = await _take_async(server, error)
    try:
        conn = await make()
    except BaseException:
        place.free()
        raise
    place.attach(conn, is_closed)
    return conn, place
