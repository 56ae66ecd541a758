"""`asyncio.run` in a view, beside the same in a process without the patch.

python bench/boundary/asyncio_runs.py

Interleaved processes; CPU of each, and the median of their ratios.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

ROUNDS = 9
WANTED = 1.1


async def nothing() -> None:
    pass


async def turns() -> None:
    for _ in range(100):
        await asyncio.sleep(0)


async def tasks() -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(asyncio.sleep(0))


async def timers() -> None:
    for _ in range(10):
        await asyncio.sleep(0.0001)


CASES = {
    "that does nothing": (nothing, 1_000),
    "with 100 turns of its loop": (turns, 200),
    "with a group of 20 tasks": (tasks, 300),
    "with 10 short sleeps": (timers, 200),
}


def per_run(main: Callable[[], Coroutine[Any, Any, None]], count: int) -> float:
    """µs of CPU: of the process, system time included."""
    least = float("inf")
    for _ in range(3):
        began = time.process_time()
        for _ in range(count):
            asyncio.run(main())
        least = min(least, time.process_time() - began)
    return least / count * 1e6


def measure() -> dict[str, float]:
    return {name: per_run(main, count) for name, (main, count) in CASES.items()}


def in_a_view() -> dict[str, float]:
    import celadon.patch

    celadon.patch.all()
    from celadon import green

    found: dict[str, float] = green.spawn(measure).get()
    return found


def run(where: str) -> dict[str, float]:
    command = [sys.executable, __file__, where]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(out)  # type: ignore[no-any-return]


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(in_a_view() if sys.argv[1] == "view" else measure()))
        return
    rounds = [(run("view"), run("plain")) for _ in range(ROUNDS)]
    print(f"CPython {sys.version.split()[0]}")
    print("| one `asyncio.run`, CPU | in a view, µs | plain, µs | ratio |")
    print("|---|---|---|---|")
    for name in CASES:
        ours = statistics.median(own[name] for own, _ in rounds)
        plain = statistics.median(other[name] for _, other in rounds)
        ratio = statistics.median(own[name] / other[name] for own, other in rounds)
        print(f"| {name} | {ours:.1f} | {plain:.1f} | {ratio:.2f} |")
    print(f"\nWanted: at most {WANTED:g}.")


if __name__ == "__main__":
    main()
