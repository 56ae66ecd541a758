"""What four preloaded workers of a Django project with its admin take, master and all.

python bench/load/memory.py [--requests N]

PSS: each page is divided among the processes that share it.
"""

from __future__ import annotations

import argparse
import http.client
import subprocess
import sys
import threading
import time
from pathlib import Path

from supervise import HERE, free_port, wait_for

BIN = Path(sys.executable).parent
WORKERS = 4
TARGET = "django_admin_app:app"

SERVERS = {
    "celadon": ["celadon", "--preload", "-w", str(WORKERS)],
    "celadon, not preloaded": ["celadon", "-w", str(WORKERS)],
    "gunicorn gevent": ["gunicorn", "--preload", "-w", str(WORKERS), "-k", "gevent"],
    "gunicorn gthread": [
        *("gunicorn", "--preload", "-w", str(WORKERS)),
        *("-k", "gthread", "--threads", "8"),
    ],
    "gunicorn sync": ["gunicorn", "--preload", "-w", str(WORKERS)],
}


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in tree(int(child)))]


def pss(pid: int) -> int:
    """KiB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise ValueError(pid)


def ask(port: int, count: int) -> None:
    for _ in range(count):  # a connection each, so that all workers get some
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/admin/login/")
        answer = connection.getresponse()
        assert answer.status == 200, answer.status
        answer.read()
        connection.close()


def load(port: int, requests: int) -> None:
    threads = [
        threading.Thread(target=ask, args=(port, requests // 8)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def measure(command: list[str], requests: int) -> list[int]:
    """PSS in KiB of each process: the master, then the others."""
    port = free_port()
    process = subprocess.Popen(
        [str(BIN / command[0]), *command[1:], "-b", f"127.0.0.1:{port}", TARGET],
        cwd=HERE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        load(port, requests)
        time.sleep(2.0)  # what idle servers give back
        return [pss(pid) for pid in tree(process.pid)]
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    options = parser.parse_args()
    print(f"\n{WORKERS} workers of a Django project with its admin, PSS in MiB")
    for name, command in SERVERS.items():
        parts = measure(command, options.requests)
        each = " ".join(f"{part / 1024:.1f}" for part in parts)
        print(f"  {name:<24} {sum(parts) / 1024:7.1f}   ({each})")


if __name__ == "__main__":
    main()
