"""What it takes to ask what all greenlets wait for, as the profiler does 100 times a second.

python bench/boundary/census.py

CPU of the calling thread; the least of some rounds counts.
"""

import socket
import sys
import time

import celadon.patch

WAITING = (100, 1_000, 4_000)
ROUNDS = 50
WANTED = 2.0  # ms, with the most of them


def waiting(count: int) -> float:
    """ms of one `greenlets()`, with `count` in a `recv`."""
    from celadon import green
    from celadon._core.green import greenlets

    ends = [socket.socketpair() for _ in range(100)]
    tasks = [green.spawn(ends[n % 100][0].recv, 1) for n in range(count)]
    while sum(each.reason == "descriptor" for each in greenlets()) < count:
        green.sleep(0)
    least = float("inf")
    for _ in range(ROUNDS):
        began = time.thread_time()
        found = greenlets()
        least = min(least, time.thread_time() - began)
        del found
    for _, other in ends:
        other.send(b"x" * (count // 100))
    for task in tasks:
        task.get()
    for end in ends:
        for sock in end:
            sock.close()
    return least * 1e3


def main() -> None:
    celadon.patch.all()
    print(f"CPython {sys.version.split()[0]}")
    print("| greenlets that wait | `greenlets()`, ms of CPU |")
    print("|---|---|")
    for count in WAITING:
        taken = waiting(count)
        print(f"| {count:,} | {taken:.2f} |")
    print(f"\nWanted with {WAITING[-1]:,}: at most {WANTED:g} ms.")


if __name__ == "__main__":
    main()
