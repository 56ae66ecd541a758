"""Fairness: one client loops a view that computes for 50 ms in Python, sixteen ask for hello.

And native threads beside a busy loop: how many calls of 1 ms eight offload threads end.

    python bench/load/hog.py [--rounds N] [--seconds S]
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import urllib.request
from collections import defaultdict

import run
from run import BIN, CLIENT_CORE, SERVERS, Server, latency, running

OFFLOADS = {
    "/loop": "threads that sleep again and again",
    "/rate": "a greenlet's call each time",
}


def servers() -> list[Server]:
    known = {s.name: s for s in SERVERS}
    names = ("celadon + preempt 5", "celadon", "gunicorn gevent", "gunicorn gthread")
    return [known[name] for name in names]


def rate_of(text: str) -> float:
    found = re.search(r"Requests/sec:\s+([\d.]+)", text)
    return float(found[1]) if found else 0.0


def wrk(port: int, path: str, connections: int, seconds: int) -> subprocess.Popen[str]:
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{connections}"]
    command += [f"-d{seconds}", "--latency", "--timeout", "10"]
    return subprocess.Popen(
        [*command, f"http://127.0.0.1:{port}{path}"], stdout=subprocess.PIPE, text=True
    )


def beside_a_hog(server: Server, seconds: int) -> tuple[float, float, float]:
    """Hello requests/s, their p99 in ms, and the hog's requests/s."""
    with running(server, "apps:app") as (_, port):
        hog, hello = wrk(port, "/hog", 1, seconds + 1), wrk(port, "/", 16, seconds)
        hello_text, hog_text = hello.communicate()[0], hog.communicate()[0]
    return rate_of(hello_text), latency(hello_text, "99"), rate_of(hog_text)


def offload_rates(seconds: int, path: str) -> tuple[float, float]:
    """Calls/s of eight native threads alone, and beside a loop that is saturated."""
    celadon = next(s for s in SERVERS if s.name == "celadon")
    with running(celadon, "offload_app:app") as (_, port):
        rates = []
        for load in (False, True):
            busy = wrk(port, "/", 64, seconds + 2) if load else None
            url = f"http://127.0.0.1:{port}{path}?{seconds}"
            rates.append(float(urllib.request.urlopen(url, timeout=60).read()))
            if busy:
                busy.communicate()
    return rates[0], rates[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    args = parser.parse_args()
    found: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    calls: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for _ in range(args.rounds):
        for server in servers():
            if not server.module or run.importlib.util.find_spec(server.module):
                print(f"  {server.name}", file=sys.stderr)
                found[server.name].append(beside_a_hog(server, args.seconds))
        for path in OFFLOADS:
            calls[path].append(offload_rates(args.seconds, path))
    print(
        f"\n## hello, 16 connections, beside one that computes for 50 ms\n\nin {BIN}\n"
    )
    print("| server | hello/s | hello p99 ms | computing/s |\n|---|---|---|---|")
    for name, rows in found.items():
        rate, p99, hog = (
            statistics.median(column) for column in zip(*rows, strict=True)
        )
        print(f"| {name} | {rate:,.0f} | {p99:.1f} | {hog:.1f} |")
    print("\n## calls/s of 8 offload threads, 1 ms of native sleep each\n")
    for path, rates in calls.items():
        alone, beside = (statistics.median(c) for c in zip(*rates, strict=True))
        share = f"{beside / alone:.0%}"
        print(
            f"- {OFFLOADS[path]}: alone {alone:,.0f}, beside a saturated loop "
            f"{beside:,.0f}: {share}"
        )


if __name__ == "__main__":
    main()
