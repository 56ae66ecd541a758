"""Figures that need no load: memory of connections and parked requests, start, floors.

Memory is the growth of the resident set (VmRSS, with children) over thousands of
connections, divided by their number. Descriptors of this process bound that number.

    python bench/load/figures.py
"""

from __future__ import annotations

import contextlib
import importlib
import resource
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator

from run import HERE, SERVERS, Server, free_port, memory_of, running, start

REQUEST = b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n"


def raise_descriptor_limit() -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def connected(port: int, path: bytes, answered: bool) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=10)
    client.sendall(REQUEST % path)
    if answered:
        client.recv(4096)
    return client


def settled(pid: int) -> float:
    """Bytes resident, once two readings 0.5 s apart agree within 1 %."""
    last = memory_of(pid)
    for _ in range(20):
        time.sleep(0.5)
        now = memory_of(pid)
        if abs(now - last) < 0.01 * last:
            break
        last = now
    return now * 1024 * 1024


@contextlib.contextmanager
def clients(port: int, path: bytes, count: int, answered: bool) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(connected(port, path, answered))
        yield


def memory_each(
    server: Server, app: str, path: bytes, count: int, answered: bool
) -> float:
    with running(server, app) as (pid, port), clients(port, b"/", 300, True):
        before = settled(pid)
        with clients(port, path, count, answered):
            return (settled(pid) - before) / count


def start_ms(server: Server) -> float:
    """From exec to the first byte of an answer."""
    port = free_port()
    began = time.perf_counter()
    process = start(server, "apps:app", port)
    try:
        while process.poll() is None:
            with contextlib.suppress(OSError), connected(port, b"/", True):
                return (time.perf_counter() - began) * 1000
            time.sleep(0.001)
        raise RuntimeError(f"{server.name} did not start")
    finally:
        process.kill()
        process.wait()


def app_alone(target: str) -> float:
    """µs of one direct call of an application, iteration and close included."""
    sys.path.insert(0, str(HERE))
    module, attribute = target.split(":")
    app = getattr(importlib.import_module(module), attribute)
    from wsgiref.util import setup_testing_defaults

    environ: dict[str, object] = {}
    setup_testing_defaults(environ)

    def start(
        status: str, headers: object, exc_info: object = None
    ) -> Callable[..., None]:
        return lambda data: None

    def loop(count: int) -> float:
        began = time.process_time()
        for _ in range(count):
            result = app(dict(environ), start)
            b"".join(result)
            if hasattr(result, "close"):
                result.close()
        return (time.process_time() - began) / count * 1e6

    loop(2000)
    return statistics.median(loop(5000) for _ in range(5))


def table(title: str, names: list[str], measure: Callable[[Server], float]) -> None:
    print(f"\n## {title}\n\n| server | value |\n|---|---|", flush=True)
    for server in SERVERS:
        if server.name not in names or not usable(server):
            continue
        try:
            print(f"| {server.name} | {measure(server):,.0f} |", flush=True)
        except (RuntimeError, OSError) as error:
            print(f"| {server.name} | failed: {error} |", flush=True)


def usable(server: Server) -> bool:
    return not server.module or importlib.util.find_spec(server.module) is not None


def main() -> None:
    limit = raise_descriptor_limit()
    idle, parked = min(10_000, limit - 1000), 5_000
    left_out = (
        "C epoll server",
        "celadon + access log",
        "celadon + preempt 5",
        "gunicorn gthread",
    )
    everyone = [s.name for s in SERVERS if s.name not in left_out]
    waiting = ["celadon", "gunicorn gevent", "uvicorn asyncio"]
    table(
        f"bytes per idle connection, of {idle}",
        everyone,
        lambda s: memory_each(s, "apps:app", b"/", idle, answered=True),
    )
    table(
        f"bytes per request parked in sleep, of {parked}",
        waiting,
        lambda s: memory_each(s, "apps:app", b"/park", parked, answered=False),
    )
    table(
        "the same in a Django view behind five middlewares, of 2000",
        ["celadon", "gunicorn gevent"],
        lambda s: memory_each(s, "django_app:app", b"/park", 2000, answered=False),
    )
    table(
        "ms from start to the first answer, median of 7",
        [name for name in everyone if name != "uvicorn asyncio"],
        lambda s: statistics.median(start_ms(s) for _ in range(7)),
    )
    print("\n## a direct loop over app(), µs\n")
    for target in ("apps:app", "apps:flask_app"):
        print(f"- {target}: {app_alone(target):.1f}")


if __name__ == "__main__":
    main()
