"""Synchronous and asynchronous code on one server: a wait of 10 ms in a synchronous view,
awaited, and in a call that blocks in `async def`; what else is served beside such calls; and
what it costs a WSGI application that an ASGI one is mounted beside it.

As run.py measures.

    python bench/load/both.py [--rounds N] [--seconds S] [--only NAME,...] [--work PART;...]
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
from dataclasses import replace

import databases
import hog
import run
from run import Server, Work, latency

_KNOWN = {s.name: s for s in run.SERVERS}
OURS = _KNOWN["celadon"]
ASYNC = replace(OURS, name="celadon, ASGI", asgi=True)
MOUNTED = replace(
    OURS, name="celadon + mount", command=f"{OURS.command} --mount /live=apps:asgi"
)
OTHER = _KNOWN["uvicorn asyncio"]

WORKS = {
    # Of celadon's first one, which is WSGI, both are a synchronous view.
    Work("a wait of 10 ms, awaited, 64 connections", "/sleep", 64): (
        *(OURS.name, ASYNC.name, OTHER.name),
    ),
    Work("a call that blocks for 10 ms, 64 connections", "/block", 64): (
        *(OURS.name, ASYNC.name, OTHER.name),
    ),
    Work("hello, 64 connections", "/", 64): (OURS.name, MOUNTED.name),
}
BESIDE = "hello, 16 connections, beside 4 whose calls block for 10 ms"


def beside(server: Server, seconds: int) -> tuple[float, float]:
    """Requests/s of hello, and the 99th percentile of their milliseconds."""
    with run.running(server, "apps:app") as (_, port):
        blocks = hog.wrk(port, "/block", 4, seconds + 1)
        hello = hog.wrk(port, "/", 16, seconds)
        text = hello.communicate()[0]
        blocks.communicate()
    return hog.rate_of(text), latency(text, "99")


def show_beside(servers: list[Server], rounds: int, seconds: int) -> None:
    found: dict[str, list[tuple[float, float]]] = {s.name: [] for s in servers}
    for number in range(rounds):
        for server in servers:
            print(f"  round {number + 1}: {BESIDE}: {server.name}", file=sys.stderr)
            found[server.name].append(beside(server, seconds))
    print(f"\n## {BESIDE}\n\n| server | requests/s | p99 ms |\n|---|---|---|")
    for name, rows in found.items():
        rate, p99 = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"| {name} | {rate:,.0f} | {p99:.2f} |")


def main() -> None:
    every = [OURS, ASYNC, MOUNTED, OTHER]
    there = [s for s in every if importlib.util.find_spec(s.module)]
    args, servers = databases.read_words(__doc__, there)
    databases.measure_all(WORKS, args, servers)
    if not args.work or any(part in BESIDE for part in args.work.split(";")):
        of_both = [s for s in servers.values() if s is not MOUNTED]
        show_beside(of_both, args.rounds, args.seconds)


if __name__ == "__main__":
    main()
