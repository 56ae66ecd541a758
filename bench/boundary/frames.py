"""What a call costs at each depth of a fresh greenlet, beside a fresh native thread.

python bench/boundary/frames.py

Calls where a block of frames ends would map the next one each time. The depth at which one
ends is the caller's affair, so each is tried, with frames so large that several blocks end
on the way; the least of some rounds of each counts.
"""

import statistics
import sys
import threading
import time
from typing import Any

import celadon.patch

DEPTHS = range(1, 61)
ROUNDS = 25
CALLS = 1_000


def call() -> None:
    pass


def at_depth(depth: int) -> float:
    """CPU, ns a call."""
    if depth:
        return at_depth(depth - 1)
    began = time.thread_time()
    for _ in range(CALLS):
        call()
    return (time.thread_time() - began) / CALLS * 1e9


def enlarge(function: Any) -> None:
    """Its frames, to about a kilobyte."""
    code = function.__code__
    names = (*code.co_varnames, *(f"unused_{n}" for n in range(110)))
    function.__code__ = code.replace(co_nlocals=len(names), co_varnames=names)


def in_greenlet(depth: int) -> float:
    from celadon import green

    cost: float = green.spawn(at_depth, depth).get()
    return cost


def in_thread(depth: int) -> float:
    found: list[float] = []
    thread = threading.Thread(target=lambda: found.append(at_depth(depth)))
    thread.start()
    thread.join()
    return found[0]


def main() -> None:
    celadon.patch.all()
    enlarge(call)
    enlarge(at_depth)
    greenlet = dict.fromkeys(DEPTHS, float("inf"))
    thread = dict.fromkeys(DEPTHS, float("inf"))
    for _ in range(ROUNDS):
        for depth in DEPTHS:
            greenlet[depth] = min(greenlet[depth], in_greenlet(depth))
            thread[depth] = min(thread[depth], in_thread(depth))
    ratios = {depth: greenlet[depth] / thread[depth] for depth in DEPTHS}
    worst = max(DEPTHS, key=ratios.__getitem__)
    print(f"CPython {sys.version.split()[0]}, depths {DEPTHS[0]} to {DEPTHS[-1]}")
    print("| where | median, ns a call | worst, ns a call |")
    print("|---|---|---|")
    for name, costs in (("greenlet", greenlet), ("thread", thread)):
        usual, most = statistics.median(costs.values()), max(costs.values())
        print(f"| {name} | {usual:.0f} | {most:.0f} |")
    print(f"\nOf a thread's at the same depth: {ratios[worst]:.2f} at depth {worst},")
    print(f"the worst, and {statistics.median(ratios.values()):.2f} at most depths.")


if __name__ == "__main__":
    main()
