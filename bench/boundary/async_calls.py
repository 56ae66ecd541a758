"""Synchronous code that a coroutine calls: `celadon.aio.green` beside `asyncio.to_thread`.

python bench/boundary/async_calls.py

Processes that take turns; CPU of each, and the median of their ratios. Both run under the
patch, on a `celadon.aio.EventLoop`; "plain" is `asyncio.to_thread` of a process without it.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

ROUNDS = 9
COUNT = 2_000
WANTED = 1 / 15


def nothing() -> None:
    pass


async def per_call(call: Callable[[Callable[[], None]], Awaitable[Any]]) -> float:
    """µs of CPU: of the process with its threads, system time included."""
    await call(nothing)  # what is made once
    least = float("inf")
    for _ in range(3):
        began = time.process_time()
        for _ in range(COUNT):
            await call(nothing)
        least = min(least, time.process_time() - began)
    return least / COUNT * 1e6


def ours() -> dict[str, float]:
    import celadon.patch

    celadon.patch.all()
    from celadon import aio

    async def main() -> dict[str, float]:
        return {
            "aio.green": await per_call(aio.green),
            "asyncio.to_thread": await per_call(asyncio.to_thread),
        }

    return aio.run(main())


def plain() -> dict[str, float]:
    return {"plain": asyncio.run(per_call(asyncio.to_thread))}


def run(where: str) -> dict[str, float]:
    command = [sys.executable, __file__, where]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(out)  # type: ignore[no-any-return]


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(ours() if sys.argv[1] == "ours" else plain()))
        return
    rounds = [{**run("ours"), **run("plain")} for _ in range(ROUNDS)]
    print(f"CPython {sys.version.split()[0]}")
    print("| one call of nothing, CPU | µs | aio.green by it |")
    print("|---|---|---|")
    for name in ("aio.green", "asyncio.to_thread", "plain"):
        took = statistics.median(each[name] for each in rounds)
        ratio = statistics.median(each["aio.green"] / each[name] for each in rounds)
        print(f"| {name} | {took:.1f} | {ratio:.3f} |")
    print(f"\nWanted: at most {WANTED:.3f} of asyncio.to_thread.")


if __name__ == "__main__":
    main()
