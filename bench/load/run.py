"""Measures celadon beside its peers: one worker on one core, wrk on the other.

Rounds are interleaved, so that a noisy minute hits everyone; ratios within a run are what
counts. CPU time per request is read from /proc for the server and its children, user and
system apart.

    python bench/load/run.py [--rounds N] [--seconds S] [--only NAME,...] [--work NAME,...]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BIN = Path(sys.executable).parent
TICK = os.sysconf("SC_CLK_TCK")
SERVER_CORE, CLIENT_CORE = "0", "1"
THREADS = 1  # of servers that block


@dataclass(frozen=True)
class Server:
    name: str
    command: str  # with {port} and {app}
    module: str = ""  # that must be importable
    asgi: bool = False


SERVERS = [
    Server("C epoll server", f"{ROOT}/build/release/bench/epoll_server {{port}}"),
    Server(
        "celadon",
        "{bin}/celadon {app} -b 127.0.0.1:{port} --worker-connections 20000 --log-level error",
        "celadon",
    ),
    Server(
        "celadon without extras",
        "{bin}/celadon {app} -b 127.0.0.1:{port} --worker-connections 20000 --log-level error "
        "--no-metrics --watchdog-threshold 0 --timeout 0 --request-id-header= "
        "--no-trace-context",
        "celadon",
    ),
    Server(
        "celadon + access log",
        "{bin}/celadon {app} -b 127.0.0.1:{port} --worker-connections 20000 --log-level error "
        "--access-logfile /tmp/celadon-bench-access.log",
        "celadon",
    ),
    Server(
        "celadon + preempt 5",
        "{bin}/celadon {app} -b 127.0.0.1:{port} --worker-connections 20000 --log-level error "
        "--preempt 5",
        "celadon",
    ),
    Server("bjoern", "{python} {here}/serve.py bjoern {app} {port}", "bjoern"),
    Server("fastpysgi", "{python} {here}/serve.py fastpysgi {app} {port}", "fastpysgi"),
    Server(
        "peregrine",
        "{bin}/peregrine --port {port} --protocol wsgi --keep-alive 75000 "
        "--max-connections 20000 {app}",
        "peregrine",
    ),
    Server(
        "granian",
        "{bin}/granian --interface wsgi --port {port} --workers 1 --no-ws --log-level error "
        "--blocking-threads {threads} --backlog 20000 --backpressure 20000 {app}",
        "granian",
    ),
    Server(
        "gunicorn gevent",
        "{bin}/gunicorn -k gevent -w 1 --worker-connections 20000 -b 127.0.0.1:{port} "
        "--keep-alive 75 --log-level error {app}",
        "gevent",
    ),
    Server(
        "gunicorn gthread",
        "{bin}/gunicorn -k gthread --threads 64 -w 1 -b 127.0.0.1:{port} --keep-alive 75 "
        "--log-level error {app}",
        "gunicorn",
    ),
    Server(
        "uvicorn asyncio",
        "{bin}/uvicorn --loop asyncio --http httptools --port {port} --log-level error "
        "--no-access-log --timeout-keep-alive 75 {app}",
        "uvicorn",
        asgi=True,
    ),
]


@dataclass(frozen=True)
class Work:
    name: str
    path: str
    connections: int
    script: str = ""
    app: str = "apps:app"
    skip: tuple[str, ...] = ()


WORKS = [
    Work("hello, 64 connections", "/", 64),
    Work("hello, pipelined 16 deep", "/", 64, "pipeline.lua"),
    Work("sleep 10 ms, 1,000 connections", "/sleep", 1000),
    Work("sleep 10 ms, 10,000 connections", "/sleep", 10000),
    Work("Flask hello", "/", 64, app="apps:flask_app"),
    Work("1 MiB from memory", "/mega", 16),
    Work("1 MiB file", "/file", 16),
]
SINGLE_THREADED = ("bjoern", "fastpysgi", "peregrine", "C epoll server")


@dataclass
class Result:
    rate: list[float] = field(default_factory=list)
    user: list[float] = field(default_factory=list)
    system: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    rss: list[float] = field(default_factory=list)
    errors: int = 0


def children(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            # A thread may have ended since.
            text = (task / "children").read_text()
            for child in text.split():
                found += children(int(child))
    return found


def cpu_of(pid: int) -> tuple[float, float]:
    user = system = 0.0
    for one in children(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        user += int(fields[11]) / TICK
        system += int(fields[12]) / TICK
    return user, system


def memory_of(pid: int) -> float:
    total = 0
    for one in children(pid):
        match = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{one}/status").read_text())
        total += int(match[1]) if match else 0
    return total / 1024


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def start(server: Server, app: str, port: int) -> subprocess.Popen[bytes]:
    command = server.command.format(
        port=port, app=app, bin=BIN, python=sys.executable, here=HERE, threads=THREADS
    )
    return subprocess.Popen(
        ["taskset", "-c", SERVER_CORE, *command.split()],
        cwd=HERE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextlib.contextmanager
def running(server: Server, app: str) -> Iterator[tuple[int, int]]:
    port = free_port()
    if server.asgi:
        app = app.replace(":app", ":asgi")
    process = start(server, app, port)
    try:
        for _ in range(400):
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", port)),
            ):
                break
            if process.poll() is not None:
                raise RuntimeError(f"{server.name} did not start")
            time.sleep(0.025)
        yield process.pid, port
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        if process.poll() is None:
            process.kill()
            process.wait()


def load(port: int, work: Work, seconds: int) -> str:
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{work.connections}"]
    command += [f"-d{seconds}", "--latency", "--timeout", "10"]
    if work.script:
        command += ["-s", str(HERE / work.script)]
    command.append(f"http://127.0.0.1:{port}{work.path}")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}


def latency(text: str, percentile: str) -> float:
    match = re.search(rf"{percentile}%\s+([\d.]+)(us|ms|s|m)\b", text)
    return float(match[1]) * _UNITS[match[2]] if match else float("nan")


def measure(server: Server, work: Work, seconds: int, result: Result) -> None:
    with running(server, work.app) as (pid, port):
        # A listener may be there long before its workers are.
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{work.path}", timeout=30):
            pass
        load(port, work, 1)  # warm-up
        user0, system0 = cpu_of(pid)
        text = load(port, work, seconds)
        user1, system1 = cpu_of(pid)
        rss = memory_of(pid)
    match = re.search(r"(\d+) requests in ([\d.]+)(s|m)", text)
    count = int(match[1]) if match else 0
    if not count:
        result.errors += 1
        return
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    result.errors += int(errors[1]) if errors else 0
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    result.rate.append(float(rate[1]) if rate else 0)
    result.user.append((user1 - user0) / count * 1e6)
    result.system.append((system1 - system0) / count * 1e6)
    result.p50.append(latency(text, "50"))
    result.p99.append(latency(text, "99"))
    result.rss.append(rss)


def report(work: Work, results: dict[str, Result]) -> None:
    print(f"\n## {work.name}\n")
    print(
        "| server | requests/s | user µs | system µs | total µs | x celadon | p50 ms | p99 ms |"
        " RSS MiB | errors |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    mid = statistics.median
    own = results.get("celadon")
    base = mid(own.user) + mid(own.system) if own and own.user else float("nan")
    for name, r in results.items():
        if not r.user:
            print(f"| {name} | - | - | - | - | - | - | - | - | failed |")
            continue
        user, system = mid(r.user), mid(r.system)
        print(
            f"| {name} | {mid(r.rate):,.0f} | {user:.2f} | {system:.2f} | {user + system:.2f} "
            f"| {(user + system) / base:.2f} | {mid(r.p50):.2f} | {mid(r.p99):.2f} "
            f"| {mid(r.rss):.0f} | {r.errors} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--only", default="", help="names of servers, comma-separated")
    parser.add_argument(
        "--work", default="", help="parts of names of work, separated by semicolons"
    )
    args = parser.parse_args()
    wanted = [s for s in args.only.split(",") if s]
    servers = [
        s
        for s in SERVERS
        if (not wanted or s.name in wanted)
        and (not s.module or importlib.util.find_spec(s.module))
    ]
    missing = [
        s.name for s in SERVERS if s.module and not importlib.util.find_spec(s.module)
    ]
    print(
        f"CPython {platform.python_version()}, {platform.release()}, {os.cpu_count()} cores"
    )
    print(
        f"`{' '.join(['bench/run.sh', *sys.argv[1:]])}`, median of {args.rounds} rounds"
    )
    if missing:
        print("not installed: " + ", ".join(missing))
    for work in WORKS:
        if args.work and not any(part in work.name for part in args.work.split(";")):
            continue
        results = {s.name: Result() for s in servers if runs(s, work)}
        for number in range(args.rounds):
            for server in servers:
                if server.name in results:
                    print(
                        f"  round {number + 1}: {work.name}: {server.name}",
                        file=sys.stderr,
                    )
                    try:
                        measure(server, work, args.seconds, results[server.name])
                    except (RuntimeError, subprocess.CalledProcessError) as error:
                        print(f"  {error}", file=sys.stderr)
        report(work, results)


def runs(server: Server, work: Work) -> bool:
    sleeps = work.path == "/sleep"
    if work.path == "/file" and server.asgi:
        return False
    if server.name == "C epoll server":
        return work.path == "/" and work.app == "apps:app"
    if sleeps and server.name in SINGLE_THREADED:
        return False  # one at a time: 100 requests a second
    if sleeps and server.name == "granian":
        return False
    if work.connections > 5000 and server.name not in ("celadon", "uvicorn asyncio"):
        return False
    if server.name in ("celadon + access log", "celadon + preempt 5"):
        return work.name.startswith("hello, 64")
    return not (server.asgi and work.app == "apps:flask_app")


if __name__ == "__main__":
    main()
