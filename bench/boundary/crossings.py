"""ns per crossing between C++ and Python: what one step of a request costs.

python bench/boundary/crossings.py
"""

import statistics
import time
from collections.abc import Callable

from celadon import green

COUNT = 100_000


def each(step: Callable[[], object], count: int = COUNT) -> float:
    began = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - began) / count * 1e9


def show(name: str, step: Callable[[], object], count: int = COUNT) -> None:
    print(f"| {name} | {statistics.median(each(step, count) for _ in range(7)):,.0f} |")


def ping_pong() -> None:
    """Two greenlets hand a token to and fro: two switches and two wakes a round."""
    there, back = green.Semaphore(0), green.Semaphore(0)

    def other() -> None:
        while True:
            there.acquire()
            back.release()

    partner = green.spawn(other)

    def one_round() -> None:
        there.release()
        back.acquire()

    show("hand over and back (4 switches)", one_round, 20_000)
    partner.kill()


def main() -> None:
    print("| crossing | ns |")
    print("|---|---|")
    show("empty call", lambda: None)
    show("current()", green.current)
    show("sleep(0)", lambda: green.sleep(0), 20_000)
    ping_pong()
    show("spawn and join", lambda: green.spawn(int).join(), 20_000)
    queue = green.SimpleQueue()
    show("SimpleQueue put and get", lambda: (queue.put(1), queue.get()))


if __name__ == "__main__":
    green.spawn(main).join()
