"""What anyio keeps for a loop, as Starlette has it for its synchronous views."""

from __future__ import annotations

import os
import threading
from typing import Any

import anyio.to_process
import anyio.to_thread

from tests.asgi.serving import GET, START, body, serve
from tests.support.servers import wait_until


def by(call: Any) -> Any:
    """An application that tells what `call` gives."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told = str(await call())
        await send(START)
        await send(body(told.encode()))

    return app


def answers(call: Any) -> set[str]:
    with serve(by(call)) as server:
        return {server.request(GET).body.decode() for _ in range(4)}


async def thread() -> int:
    return await anyio.to_thread.run_sync(threading.get_native_id)


async def process() -> int:
    return await anyio.to_process.run_sync(os.getpid)


def test_a_thread_serves_one_request_after_another() -> None:
    (number,) = answers(thread)

    def is_left() -> bool:
        return any(each.native_id == int(number) for each in threading.enumerate())

    wait_until(lambda: (None, not is_left()))


def test_so_does_a_process() -> None:
    (number,) = answers(process)

    def is_left() -> bool:
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            return False
        return True

    wait_until(lambda: (None, not is_left()))
