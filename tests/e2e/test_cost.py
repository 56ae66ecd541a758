"""What a request costs in calls that can be counted: no clock, no load, no noise.

The C library of a server is counted from within (tests/support/counting.c). Of several
batches the best one counts: in others a second begins, or the machine is busy.
"""

from __future__ import annotations

import mmap
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import machine, raw
from tests.support.servers import Command

SOURCE = Path(__file__).parent.parent / "support" / "counting.c"
HELLO = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
BATCHES = 12
EACH = 32


class Counted:
    """A server, and the calls of its worker."""

    def __init__(self, command: Command, folder: Path) -> None:
        self.command = command
        with (folder / str(command.worker)).open("rb") as file:
            self.cells = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)

    def calls(self) -> tuple[int, int]:
        clock, malloc = struct.unpack_from("LL", self.cells)
        return clock, malloc

    def each(self, batch: Callable[[], None]) -> tuple[float, float]:
        """Readings of the clock and calls of malloc a request, in the best batch."""
        clocks: list[float] = []
        mallocs: list[float] = []
        for _ in range(BATCHES):
            before = self.calls()
            batch()
            after = self.calls()
            clocks.append((after[0] - before[0]) / EACH)
            mallocs.append((after[1] - before[1]) / EACH)
        return min(clocks), min(mallocs)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("counting") / "counting.so"
    compiler = machine.program("cc", "gcc")
    command = [
        compiler,
        "-O1",
        "-shared",
        "-fPIC",
        str(SOURCE),
        "-o",
        str(made),
        "-ldl",
    ]
    subprocess.run(command, check=True)
    return made


@pytest.fixture
def server(library: Path, tmp_path: Path) -> Iterator[Counted]:
    env = {"LD_PRELOAD": str(library), "COUNTING_FOLDER": str(tmp_path)}
    (tmp_path / "hello.py").write_text(HELLO)
    with Command("hello:app", cwd=tmp_path, env=env) as command:
        yield Counted(command, tmp_path)


def test_a_request_that_waits_for_nobody_reads_the_clock_twice(
    server: Counted,
) -> None:
    """Once when it is there, once when it is over; and all its memory is there already."""
    with server.command.client() as client:

        def one_by_one() -> None:
            for _ in range(EACH):
                client.send(raw.get())
                assert client.response().status == 200

        clocks, mallocs = server.each(one_by_one)
        assert clocks <= 2
        assert mallocs <= 1


def test_pipelined_requests_share_what_they_can(server: Counted) -> None:
    with server.command.client() as client:

        def pipelined() -> None:
            client.send(raw.get() * EACH)
            for _ in range(EACH):
                assert client.response().status == 200

        clocks, mallocs = server.each(pipelined)
        assert clocks < 1.5
        assert mallocs < 1
