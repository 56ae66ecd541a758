"""What supervision costs: reloads under load, and a second worker on a second core.

python bench/load/supervise.py [--seconds S]
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
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
CONNECTIONS = 128
PAUSE = 4  # milliseconds between two requests of a connection that does not saturate
HUP_PERIOD = 10.0  # seconds


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def serving(port: int, *options: str, core: str | None = None) -> Iterator[int]:
    pin = ["taskset", "-c", core] if core else []
    command = [*pin, str(BIN / "celadon"), "apps:app", "-b", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        [*command, "--no-control-socket", *options],
        cwd=HERE,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(port)


def start_wrk(
    port: int,
    seconds: float,
    core: str | None,
    pause: int = 0,
    connections: int = CONNECTIONS,
) -> subprocess.Popen[str]:
    """`pause`: milliseconds that each connection waits between two requests."""
    pin = ["taskset", "-c", core] if core else []
    script = []
    if pause:
        file = Path(tempfile.gettempdir(), f"celadon-pause-{os.getpid()}.lua")
        file.write_text(f"function delay() return {pause} end\n")
        script = ["-s", str(file)]
    return subprocess.Popen(
        [
            *pin,
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds:g}",
            "--latency",
            *script,
            f"http://127.0.0.1:{port}/",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )


def read(wrk: subprocess.Popen[str]) -> tuple[float, float, str]:
    """Requests a second, p99 in ms, and what went wrong."""
    text = wrk.communicate()[0]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])  # type: ignore[index]
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    errors = " ".join(re.findall(r"(?:Socket errors|Non-2xx).*", text)) or "none"
    return rate, float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit], errors


def connections_for(port: int, rate: float) -> int:
    """How many that pause ask so often; wrk pauses for longer than it is told."""
    connections = CONNECTIONS
    for _ in range(3):
        found = read(start_wrk(port, 3, None, PAUSE, connections))[0]
        connections = round(connections * rate / found)
    return connections


def reloads(seconds: float) -> None:
    print("## A reload every 10 s at half the saturating rate, 2 workers\n")
    print("| | requests/s | p99 ms | errors |\n|---|---|---|---|")
    port = free_port()
    with serving(port, "--workers", "2") as pid:
        full = read(start_wrk(port, 5, None))[0]
        load = (None, PAUSE, connections_for(port, full / 2))
        quiet = read(start_wrk(port, seconds, *load))
        print(f"| undisturbed | {quiet[0]:,.0f} | {quiet[1]:.2f} | {quiet[2]} |")
        wrk = start_wrk(port, seconds, *load)
        end = time.monotonic() + seconds - 2
        while time.monotonic() + HUP_PERIOD < end + HUP_PERIOD:
            os.kill(pid, signal.SIGHUP)
            time.sleep(min(HUP_PERIOD, max(0.0, end - time.monotonic())))
        shaken = read(wrk)
        print(f"| with reloads | {shaken[0]:,.0f} | {shaken[1]:.2f} | {shaken[2]} |")
    print(f"\np99 ratio {shaken[1] / quiet[1]:.2f} (saturating rate {full:,.0f}/s)\n")


def pairs(seconds: float) -> None:
    print("## One pair of a wrk and a worker on one core, and two on two\n")
    port = free_port()
    with serving(port, core="0"):
        one = read(start_wrk(port, seconds, "0"))[0]
    ports = [free_port(), free_port()]
    with serving(ports[0], core="0"), serving(ports[1], core="1"):
        running = [
            start_wrk(port, seconds, str(core)) for core, port in enumerate(ports)
        ]
        apart = sum(read(wrk)[0] for wrk in running)
    port = free_port()
    with serving(port, "--workers", "2", "--worker-affinity"):
        running = [start_wrk(port, seconds, str(core)) for core in (0, 1)]
        together = sum(read(wrk)[0] for wrk in running)
    print("| | requests/s | x one |\n|---|---|---|")
    print(f"| one pair | {one:,.0f} | 1.00 |")
    print(
        f"| two pairs, a worker pinned to each core | {apart:,.0f} | {apart / one:.2f} |"
    )
    print(
        "| two pairs, one master with a worker on each core"
        f" | {together:,.0f} | {together / one:.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    reloads(seconds)
    pairs(min(seconds, 10))


if __name__ == "__main__":
    main()
