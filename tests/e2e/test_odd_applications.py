"""Applications that fork, signal, collect, trace and wait in odd places, all at once."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.odd import EXPECTED
from tests.support import raw
from tests.support.servers import Command, wait_until

CLIENTS = 16
REQUESTS = 60  # of each client


@pytest.fixture(scope="module")
def server() -> Iterator[Command]:
    with Command("tests.apps.odd:make()") as command:
        yield command


def descriptors(server: Command) -> int:
    return len(list(Path(f"/proc/{server.worker}/fd").iterdir()))


@pytest.mark.parametrize("path", EXPECTED)
def test_alone(server: Command, path: str) -> None:
    answer = server.request(raw.get(path))
    assert (answer.status, answer.body.decode()) == (200, EXPECTED[path])


def test_all_at_once_under_signals(server: Command) -> None:
    wrong: list[str] = []

    def ask(seed: int) -> None:
        chance = random.Random(seed)
        with server.client() as client:
            for path in chance.choices(list(EXPECTED), k=REQUESTS):
                client.send(raw.get(path))
                answer = client.response()
                if answer.body.decode() != EXPECTED[path]:
                    wrong.append(f"{path}: {answer.status} {answer.body!r}")

    before = descriptors(server)
    threads = [threading.Thread(target=ask, args=(n,)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for number in (signal.SIGUSR1, signal.SIGCHLD, signal.SIGWINCH):
            os.kill(server.worker, number)
        threads[0].join(0.002)
        threads = [thread for thread in threads if thread.is_alive()] or threads
    assert wrong == []
    wait_until(lambda: (descriptors(server), descriptors(server) <= before))
    assert server.stop() == 0
