"""What it costs to see: a scrape of 8 workers, one while all are blocked, and how soon the
watchdog names what blocks.

    python bench/load/observe.py [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WORKERS = 8
TICK = os.sysconf("SC_CLK_TCK")
APP = """
import time
def app(environ, start_response):
    path = environ["PATH_INFO"]
    end = time.monotonic() + {"/block": 0.1, "/long": 1.0}.get(path, 0)
    while time.monotonic() < end: pass
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


class Server:
    """celadon with an admin listener; `lines` are its log with the time of each."""

    def __init__(
        self, folder: Path, workers: int, *options: str, app: str = APP
    ) -> None:
        (folder / "watched.py").write_text(app)
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "celadon", "watched:app", "-w", str(workers)),
                *("-b", "127.0.0.1:0", "--admin-bind", "127.0.0.1:0"),
                *("--no-control-socket", *options),
            ],
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[tuple[float, str]] = []
        self._more = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        self.url = self.wait(r"listening at (http\S+)")[1]
        self.admin = self.wait(r"admin pages at (http\S+)")[1]
        for count in range(1, workers + 1):
            self.wait("is ready", count)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._more:
                self.lines.append((time.monotonic(), line))
                self._more.notify_all()

    def wait(self, pattern: str, count: int = 1) -> re.Match[str]:
        """The line that is the `count`th to match."""
        with self._more:
            while True:
                found = [m for _, line in self.lines if (m := re.search(pattern, line))]
                if len(found) >= count:
                    return found[count - 1]
                if not self._more.wait(20):
                    raise SystemExit(f"no line {pattern!r}")

    def workers(self) -> list[int]:
        return [
            int(m[1])
            for _, line in self.lines
            if (m := re.search(r"worker (\d+) is ready", line))
        ]


@contextmanager
def serving(workers: int, *options: str, app: str = APP) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), workers, *options, app=app)
        try:
            yield server
        finally:
            server.process.terminate()
            server.process.wait()


def get(url: str) -> float:
    """Seconds for an answer."""
    began = time.perf_counter()
    with urllib.request.urlopen(url) as answer:
        answer.read()
    return time.perf_counter() - began


def cpu(pid: int) -> float:
    """Seconds so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def scrapes(rounds: int) -> None:
    with serving(WORKERS) as server:
        for _ in range(200):
            get(server.url)
        workers = server.workers()
        before = sum(map(cpu, workers))
        took = [get(server.admin + "/metrics") for _ in range(rounds * 20)]
        spent = sum(map(cpu, workers)) - before
        shown = urllib.request.urlopen(server.admin + "/metrics").read().decode()
        inside = re.search(r"celadon_scrape_seconds_sum (\S+)", shown)
        count = re.search(r"celadon_scrape_seconds_count (\S+)", shown)
        assert inside
        assert count
        print(
            f"scrape of {WORKERS} workers: {1000 * statistics.median(took):.2f} ms at the "
            f"client (median of {len(took)}), "
            f"{1000 * float(inside[1]) / float(count[1]):.2f} ms inside, "
            f"{len(shown)} bytes; CPU of all workers meanwhile: {spent:.2f} s"
        )


def scrape_while_blocked() -> None:
    with serving(2, "--watchdog-threshold", "0") as server:
        clients = [
            threading.Thread(target=get, args=(server.url + "/long",)) for _ in range(4)
        ]
        for client in clients:
            client.start()
        time.sleep(0.3)
        took = max(get(server.admin + "/metrics") for _ in range(5))
        for client in clients:
            client.join()
        print(
            f"scrape while both of 2 workers are blocked: {1000 * took:.1f} ms at most"
        )


def detection(rounds: int) -> None:
    """From the moment that the threshold is passed to the line in the log."""
    late = []
    with serving(1, "--watchdog-threshold", "100ms") as server:
        for count in range(1, rounds + 1):
            began = time.monotonic()
            threading.Thread(target=get, args=(server.url + "/long",)).start()
            server.wait("the loop is held for", count)
            at = next(
                at
                for at, line in server.lines
                if at > began and "the loop is held for" in line
            )
            late.append(at - began - 0.1)
            server.wait("the loop was held for", count)
    print(
        f"the watchdog's line is there {1000 * statistics.median(late):.0f} ms after its "
        f"threshold (median of {rounds}), {1000 * max(late):.0f} ms at most"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    scrapes(rounds)
    scrape_while_blocked()
    detection(rounds)


if __name__ == "__main__":
    main()
