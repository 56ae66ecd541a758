"""Locks as the patch gives them, beside CPython's own, uncontended, in one process.

python bench/boundary/locks.py
"""

import _thread
import statistics
import time
from collections.abc import Callable
from typing import Any

from celadon import green


def each(make: Callable[[], Any], count: int = 200_000) -> float:
    """ns of one acquire() and release(), the empty loop taken off."""
    lock = make()
    acquire, release = lock.acquire, lock.release
    began = time.perf_counter()
    for _ in range(count):
        acquire()
        release()
    taken = time.perf_counter() - began
    began = time.perf_counter()
    for _ in range(count):
        pass
    return (taken - (time.perf_counter() - began)) / count * 1e9


def compare(name: str, own: Callable[[], Any], native: Callable[[], Any]) -> None:
    pairs = [(each(own), each(native)) for _ in range(9)]
    ours = statistics.median(a for a, _ in pairs)
    theirs = statistics.median(b for _, b in pairs)
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"| {name} | {ours:.1f} | {theirs:.1f} | {ratio:.2f} |")


def main() -> None:
    print("| uncontended acquire + release | celadon, ns | native, ns | ratio |")
    print("|---|---|---|---|")
    compare("Lock, thread", green.Lock, _thread.allocate_lock)
    compare("RLock, thread", green.RLock, _thread.RLock)
    done = green.spawn(
        lambda: (
            compare("Lock, greenlet", green.Lock, _thread.allocate_lock),
            compare("RLock, greenlet", green.RLock, _thread.RLock),
        )
    )
    done.join()


if __name__ == "__main__":
    main()
