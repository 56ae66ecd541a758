"""The setting `preempt`: a view that computes does not hold up the others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import raw
from tests.support.raw import TIMEOUT
from tests.support.servers import Command

WANTED = 10


def hellos_beside_a_hog(seconds: float, *options: str) -> int:
    with Command("tests.apps.hog:app", *options) as command, command.client() as hog:
        assert command.request(raw.get("/")).body == b"hello"
        hog.send(raw.get(f"/hog?until={WANTED}&seconds={seconds}"))
        with ThreadPoolExecutor() as pool:
            asked = [
                pool.submit(command.request, raw.get("/")) for _ in range(2 * WANTED)
            ]
            assert all(future.result().body == b"hello" for future in asked)
        return int(hog.response().body)


def test_others_are_answered() -> None:
    assert hellos_beside_a_hog(TIMEOUT, "--preempt", "5") >= WANTED


def test_without_it_one_view_runs_on() -> None:
    assert hellos_beside_a_hog(1) <= 1


@pytest.mark.parametrize("value", ["5", "5ms", "0.005s"])
def test_milliseconds(value: str) -> None:
    with Command("tests.apps.hog:app", "--print-config", "--preempt", value) as command:
        assert command.wait() == 0
        assert "preempt = 0.005  # command line" in command.out
