"""Shows each claim of docs/howto/tuning.md: what a setting does, and what it does not.

    python bench/load/tuning.py [workers] [concurrency] [connections] [pool] [timeouts]
                                [memory] [computing]

Without arguments all of them. Two CPUs are shared by server, load and database: it is the
relations that count.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import run
from hog import rate_of as rate
from observe import Server, get, serving

sys.path.insert(0, str(run.ROOT))
from tests.support.services import postgres

APP = """
import os, threading, time
from celadon.pools import ConnectionPool
_pool = None
def pool():
    global _pool
    if _pool is None:
        import psycopg
        _pool = ConnectionPool(lambda: psycopg.connect(os.environ["BENCH_POSTGRES"],
                               autocommit=True), max_size=int(os.environ["POOL"]),
                               max_waiting=10000)
    return _pool
def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end: pass
def query(seconds):
    with pool().connection() as conn:
        conn.execute("SELECT pg_sleep(%s)", [seconds])
kept = []
ACTIONS = {"sleep": time.sleep, "spin": spin, "query": query,
           "grow": lambda megabytes: kept.append(b"x" * int(megabytes * 2**20))}
def app(environ, start_response):
    name, _, amount = environ["PATH_INFO"][1:].partition("/")
    if name: ACTIONS[name](float(amount))
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""
SECONDS = 3


def wrk(url: str, connections: int) -> str:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}", "--latency"]
    done = subprocess.run(
        [*command, "--timeout", "20", url], capture_output=True, text=True
    )
    return done.stdout


def rss(server: Server) -> float:
    """MiB of all workers."""
    return sum(run.memory_of(pid) for pid in server.workers())


def status_of(url: str) -> int:
    try:
        get(url)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
    return 200


def say(claim: str, *lines: str) -> None:
    print(f"\n{claim}")
    for line in lines:
        print(f"    {line}")


def workers() -> None:
    shown = []
    for count in (1, 2):
        with serving(count, app=APP) as server:
            waits = rate(wrk(server.url + "/sleep/0.1", 100))
            computes = rate(wrk(server.url + "/spin/0.01", 8))
        shown.append(
            f"{count} worker(s): {waits:5.0f}/s of 100 ms waits, {computes:4.0f}/s of 10 ms work"
        )
    say("Workers are for work: those who wait do not need another one.", *shown)


def concurrency() -> None:
    with serving(1, app=APP) as server:
        before = rss(server)
        waiting = [
            threading.Thread(target=get, args=(server.url + "/sleep/4",))
            for _ in range(500)
        ]
        for thread in waiting:
            thread.start()
        time.sleep(2.5)
        each = (rss(server) - before) * 1024 / len(waiting)
        for thread in waiting:
            thread.join()
    say("A request that waits costs kilobytes.", f"{each:.0f} KiB each, of 500")
    shown = []
    for limit in ("0", "10"):
        options = ("--max-concurrent-requests", limit, "--queue-timeout", "300ms")
        with serving(1, *options, app=APP) as server:
            text = wrk(server.url + "/sleep/0.1", 100)
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        good = rate(text) - (int(refused[1]) / SECONDS if refused else 0)
        shown.append(
            f"max_concurrent_requests={limit:>2}: {good:5.0f}/s served, p99"
            f" {run.latency(text, '99'):4.0f} ms, {refused[1] if refused else 0} got 503"
        )
    say(
        "A limit protects what is behind; who waits for too long is told at once.",
        *shown,
    )


def connections() -> None:
    with serving(1, "--worker-connections", "10000", app=APP) as server:
        get(server.url)
        before = rss(server)
        port = int(server.url.rpartition(":")[2])
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(5000)]
        for one in idle:
            one.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        for one in idle:
            one.recv(1000)
        each = (rss(server) - before) * 1024 * 1024 / len(idle)
        for one in idle:
            one.close()
    say(
        "A long keepalive is cheap: 5,000 idle connections.",
        f"{each:.0f} bytes each in the worker",
    )


def pool() -> None:
    shown = []
    with (
        tempfile.TemporaryDirectory(prefix="celadon-bench-") as folder,
        postgres() as (port, _),
    ):
        os.environ["BENCH_POSTGRES"] = (
            f"host=127.0.0.1 port={port} user=celadon dbname=celadon sslmode=disable"
        )
        for size in (2, 8, 32):
            os.environ["POOL"] = str(size)
            log = Path(folder, "log")
            options = ("--access-logfile", str(log), "--access-logformat")
            with serving(1, *options, "%({lock_us}x)s %({db_us}x)s", app=APP) as server:
                text = wrk(server.url + "/query/0.02", 64)
            waits = [line.split() for line in log.read_text().splitlines()]
            log.unlink()
            lock = sum(int(us) for us, _ in waits) / len(waits) / 1000
            db = sum(int(us) for _, us in waits) / len(waits) / 1000
            shown.append(
                f"pool of {size:2}: {rate(text):5.0f}/s; a request waits {lock:4.0f} ms"
                f" for a connection (lock), {db:3.0f} ms for the database (db)"
            )
    say("A pool that is too small is what requests wait for (20 ms queries).", *shown)


def timeouts() -> None:
    with serving(1, "--request-timeout", "500ms", app=APP) as server:
        began = time.monotonic()
        status = status_of(server.url + "/sleep/5")
        took = time.monotonic() - began
        alive = status_of(server.url)
    say(
        "request_timeout ends a request that waits; its worker goes on.",
        f"after {took:.1f} s: {status}; the next request: {alive}",
    )
    with serving(1, "--timeout", "1s", app=APP) as server:
        began = time.monotonic()
        status = status_of(server.url + "/spin/10")
        server.wait("is ready", 2)
        took = time.monotonic() - began
    say(
        "timeout ends a worker whose loop is held.",
        f"no answer ({status}), another worker was ready after {took:.1f} s",
    )
    with serving(1, "--graceful-timeout", "5s", app=APP) as server:
        found: list[int] = []
        asked = threading.Thread(
            target=lambda: found.append(status_of(server.url + "/sleep/2"))
        )
        asked.start()
        time.sleep(0.5)
        server.process.send_signal(signal.SIGHUP)
        asked.join()
    say(
        "A graceful_timeout above the slowest request loses none at a reload.",
        f"{found}",
    )


def memory() -> None:
    options = ("--worker-max-rss", "150M")
    with serving(1, *options, app=APP) as server:
        get(server.url + "/grow/150")
        server.wait("is ready", 2)
        served = status_of(server.url)
    say(
        "worker_max_rss replaces a worker that has grown; nobody is refused meanwhile.",
        f"replaced; a request meanwhile: {served}",
        "what --preload saves: python bench/load/memory.py",
    )


def computing() -> None:
    shown = []
    for options in ((), ("--preempt", "5")):
        with serving(1, *options, app=APP) as server:
            stop = threading.Event()

            def hog(url: str = server.url, stop: threading.Event = stop) -> None:
                while not stop.is_set():
                    get(url + "/spin/0.05")

            thread = threading.Thread(target=hog)
            thread.start()
            text = wrk(server.url, 16)
            stop.set()
            thread.join()
        name = " ".join(options) or "without"
        shown.append(
            f"{name:>11}: hello {rate(text):6.0f}/s, p99 {run.latency(text, '99'):.1f} ms"
        )
    say("--preempt lets others have their turn beside 50 ms of Python.", *shown)


CLAIMS: dict[str, Callable[[], None]] = {
    f.__name__: f
    for f in (workers, concurrency, connections, pool, timeouts, memory, computing)
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("claims", nargs="*", choices=[*CLAIMS, []], metavar="claim")
    for name in parser.parse_args().claims or CLAIMS:
        CLAIMS[name]()


if __name__ == "__main__":
    main()
