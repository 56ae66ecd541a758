"""A mode's server, its proxy and its clients, and what came of it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.clients.connection import Address
from tests.clients.crowd import Job
from tests.clients.modes import Mode
from tests.support import metrics, proxies
from tests.support.machine import free_port, plain_folder
from tests.support.servers import ROOT, Command, wait_until
from tests.support.site import wait_ready

CROWDS = 2  # processes of clients


@dataclass
class Outcome:
    mode: Mode
    seen: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[int, str]] = field(default_factory=list)  # seeds, and what
    log: list[str] = field(default_factory=list)  # of the server, where it was wrong

    @property
    def connections(self) -> int:
        return self.seen["connections"]

    def advice(self) -> Iterator[str]:
        """Each kind of fault, and how one of it is done again."""
        for what, seeds in self.kinds().items():
            yield f"    {len(seeds)} x {what}"
            if seeds[0]:
                again = f"{self.mode.name} --replay {seeds[0]}"
                yield f"      python -m tests.clients {again}"

    def kinds(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for seed, what in self.wrong:
            found.setdefault(what, []).append(seed)
        return found


@dataclass
class Place:
    """A mode's server, which clients can come to."""

    mode: Mode
    server: Command
    address: Address
    ran: Path

    def job(self, seconds: float, seed: int, **more: int) -> Job:
        return Job(
            self.address,
            self.mode.rules,
            self.mode.habits,
            seconds=seconds,
            seed=seed,
            ends=self.mode.ends,
            **{"at_once": self.mode.at_once // CROWDS} | more,
        )


@contextmanager
def place(mode: Mode) -> Iterator[Place]:
    with ExitStack() as stack:
        folder = stack.enter_context(plain_folder())
        ran = folder / "ran"
        ran.touch()
        path = folder / "server.sock"
        admin, port = free_port(), free_port()
        by_path = mode.unix or mode.proxy == "nginx"
        server = stack.enter_context(
            Command(
                "tests.clients.views:app",
                *mode.command(),
                *("--admin-bind", f"127.0.0.1:{admin}"),
                bind=f"unix:{path}" if by_path else f"127.0.0.1:{port}",
                cwd=ROOT,
                env={"CLIENTS_RAN": str(ran), "TMPDIR": str(folder)},
            )
        )
        wait_ready(server, mode.workers)
        address: Address = str(path) if by_path else ("127.0.0.1", port)
        if mode.proxy:
            if by_path:
                proxy = proxies.nginx(folder, [path, path])
            else:
                proxy = proxies.haproxy(folder, [(port, admin)] * 2)
            stack.enter_context(proxy)
            address = ("127.0.0.1", proxy.port)
        yield Place(mode, server, address, ran)


def run(mode: Mode, seconds: float, seed: int | None = None) -> Outcome:
    """Lets clients loose; a server that is told to end is followed by another."""
    outcome = Outcome(mode)
    seed = random.randrange(10**6) * 10**6 if seed is None else seed
    rounds = max(1, int(seconds / 2)) if mode.ends else 1
    for number in range(rounds):
        with place(mode) as there:
            _one_round(there, seconds / rounds, seed + number * 10_000, outcome)
    return outcome


def _one_round(there: Place, seconds: float, seed: int, outcome: Outcome) -> None:
    over = threading.Event()
    disturb = there.mode.disturb
    troubles: list[str] = []

    def trouble() -> None:
        try:
            if disturb:
                disturb(there.server, over)
        except BaseException as error:
            troubles.append(repr(error))

    disturbing = threading.Thread(target=trouble)
    disturbing.start()
    jobs = [
        there.job(60 if there.mode.ends else seconds, seed + number, step=CROWDS)
        for number in range(CROWDS)
    ]
    crowds = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.clients.crowd", job.text()],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for job in jobs
    ]
    before = len(outcome.wrong)
    for crowd in crowds:
        said, _ = crowd.communicate()
        _read(said, outcome)
        assert crowd.returncode == 0
    over.set()
    disturbing.join()
    assert troubles == [], there.server.lines[-50:]
    if there.mode.ends:
        assert there.server.wait() == 0, there.server.lines[-50:]
    elif not there.mode.proxy:
        wait_until(lambda: (n := _open(there.server), n == 0))
    if not there.mode.proxy:
        outcome.wrong += [(0, f"{each} ran twice") for each in _twice(there.ran)]
    if len(outcome.wrong) > before:
        outcome.log = list(there.server.lines)


def _read(said: str, outcome: Outcome) -> None:
    for line in said.splitlines():
        read = json.loads(line)
        if "seen" in read:
            outcome.seen += read["seen"]
        else:
            outcome.wrong.append((read["seed"], read["wrong"]))


def _open(server: Command) -> float:
    names = ("celadon_connections", "celadon_websockets")
    return sum(metrics.value(server, name) for name in names)


def _twice(ran: Path) -> list[str]:
    return [each for each, n in Counter(ran.read_text().split()).items() if n > 1]
