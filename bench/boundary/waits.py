"""A wait for a socket, and a greenlet's life, beside gevent's: interleaved processes.

python bench/boundary/waits.py
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

ROUNDS = 7
COUNT = 20_000


def use_celadon() -> Any:
    import celadon.patch

    celadon.patch.all()
    from celadon import green

    return green.spawn


def use_gevent() -> Any:
    from gevent import monkey

    monkey.patch_all()
    import gevent

    return gevent.spawn


def per_call(work: Callable[[int], Any], count: int = COUNT) -> float:
    """CPU, ns a call: of the process, system time included."""
    work(count // 10)
    began = time.process_time()
    work(count)
    return (time.process_time() - began) / count * 1e9


def measure(library: str) -> dict[str, float]:
    spawn = {"celadon": use_celadon, "gevent": use_gevent}[library]()
    import _socket
    import socket

    a, b = socket.socketpair()
    raw = [_socket.socket(fileno=sock.detach()) for sock in socket.socketpair()]

    def send_and_receive(count: int) -> None:
        first, second = raw
        for _ in range(count):
            first.send(b"x")
            second.recv(1)

    def answer(count: int) -> None:
        for _ in range(count):
            b.recv(1)
            b.send(b"x")

    def ping_pong(count: int) -> None:
        # Each recv finds nothing and waits: two waits a round.
        other = spawn(answer, count // 2)
        for _ in range(count // 2):
            a.send(b"x")
            a.recv(1)
        other.join()

    def nothing() -> None:
        pass

    def lives(body: Callable[[], Any]) -> Callable[[int], None]:
        def work(count: int) -> None:
            for _ in range(count):
                spawn(body).join()

        return work

    direct = per_call(send_and_receive)
    for sock in raw:
        sock.close()
    return {
        "socket wait, less raw send + recv": per_call(ping_pong) - direct,
        "spawn + join of a Python function": per_call(lives(nothing)),
        "spawn + join of a C function": per_call(lives(int)),
    }


def run(library: str) -> dict[str, float]:
    command = [sys.executable, __file__, library]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(out)  # type: ignore[no-any-return]


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    rounds = [(run("celadon"), run("gevent")) for _ in range(ROUNDS)]
    print("| one crossing, CPU | celadon, ns | gevent, ns | ratio |")
    print("|---|---|---|---|")
    for name in rounds[0][0]:
        ours = statistics.median(own[name] for own, _ in rounds)
        theirs = statistics.median(other[name] for _, other in rounds)
        ratio = statistics.median(own[name] / other[name] for own, other in rounds)
        print(f"| {name} | {ours:.0f} | {theirs:.0f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
