"""Why tasks run on celadon's own loop (`asgi_loop`): the same with uvloop in its place.

python bench/boundary/uvloop_drives.py

uvloop waits in a poll of its own. So that greenlets run as well, the descriptor of the hub's
poller is one of uvloop's readers, and a timer asks the hub for its own timers. Then a task
ticks every 5 ms while another one makes a call that blocks for 200 ms, and greenlets sleep.

The call parks inside of one of uvloop's callbacks: its `uv_run` is on the stack that is put
aside, and must not be entered again before that is back. So the tasks stand still as long as
the call takes, though greenlets go on; and what greenlets wait for passes through one more
poll and a callback in Python.
"""

import asyncio
import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Coroutine
from typing import Any

TICK, CALL = 0.005, 0.2  # seconds
SLEEPS, SHORT = 300, 0.001


def pollers() -> set[int]:
    """Descriptors of this process that are epoll objects."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if "eventpoll" in os.readlink(f"/proc/self/fd/{name}"):
                found.add(int(name))
    return found


def run_by_uvloop(main: Coroutine[Any, Any, Any]) -> Any:
    """In the main script, whose stack the hub is beside."""
    import uvloop
    from celadon import green

    green.sleep(0)  # makes the hub
    (poller,) = pollers()
    loop = uvloop.new_event_loop()

    def give_turn() -> None:
        green.sleep(0)

    def on_time() -> None:
        give_turn()
        loop.call_later(SHORT, on_time)

    loop.add_reader(poller, give_turn)
    loop.call_later(SHORT, on_time)
    return loop.run_until_complete(main)


async def measure() -> dict[str, float]:
    from celadon import green

    gaps: list[float] = []

    async def tick() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK)
            gaps.append(time.perf_counter() - began)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(10 * TICK)
    time.sleep(CALL)
    await asyncio.sleep(10 * TICK)
    ticking.cancel()

    ended = asyncio.Event()

    def sleep_on() -> None:
        for _ in range(SLEEPS):
            green.sleep(SHORT)
        ended.set()

    began, spent = time.perf_counter(), time.process_time()
    green.spawn(sleep_on)
    while not ended.is_set():
        await asyncio.sleep(SHORT)
    return {
        "gap": max(gaps) * 1e3,
        "sleep": (time.perf_counter() - began) / SLEEPS * 1e3,
        "cpu": (time.process_time() - spent) / SLEEPS * 1e6,
    }


def of(name: str) -> dict[str, float]:
    import celadon.patch

    celadon.patch.all()
    from celadon import aio

    found: dict[str, float]
    found = aio.run(measure()) if name == "celadon" else run_by_uvloop(measure())
    return found


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(of(sys.argv[1])))
        return
    if not importlib.util.find_spec("uvloop"):
        print("uvloop is not installed")
        return
    print(f"| who drives | longest tick of {TICK * 1e3:.0f} ms beside a call of "
          f"{CALL * 1e3:.0f} ms, ms | a greenlet's sleep of {SHORT * 1e3:.0f} ms, ms "
          "| its CPU, µs |")  # fmt: skip
    print("|---|---|---|---|")
    for name in ("celadon", "uvloop"):
        command = [sys.executable, __file__, name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        print(f"| {name} | {found['gap']:.0f} | {found['sleep']:.2f} "
              f"| {found['cpu']:.0f} |")  # fmt: skip


if __name__ == "__main__":
    main()
