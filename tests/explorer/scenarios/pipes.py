"""Pipes with a name: who opens one waits for its other end, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from typing import Any

from celadon.testing import Stage

from tests.explorer.catalogue import scenario


@scenario(orders=1, proves=("G21",))
def pipe_with_a_name(stage: Stage) -> Any:
    folder = tempfile.mkdtemp()
    stage.at_end(lambda: shutil.rmtree(folder))
    path = f"{folder}/pipe"
    os.mkfifo(path)
    before = len(os.listdir("/proc/self/fd"))
    held: list[int] = []
    got: list[bytes] = []

    def read() -> None:
        with open(path, "rb", 0) as file:
            got.append(file.read(5))

    def write() -> None:
        # Who is killed has had an end, perhaps.
        with suppress(BrokenPipeError), open(path, "wb", 0) as file:
            file.write(b"hello")

    def stand_in() -> None:
        """For the one who was killed: the other shall not wait for ever."""
        reader.join()
        held.append(os.open(path, os.O_RDONLY | os.O_NONBLOCK))

    def stand_in_too() -> None:
        writer.join()
        held.append(os.open(path, os.O_RDWR | os.O_NONBLOCK))
        os.write(held[-1], b"other")

    reader = stage.spawn("reader", read)
    writer = stage.spawn("writer", write)
    stage.spawn("in its stead", stand_in, deliver=())
    stage.spawn("likewise", stand_in_too, deliver=())

    def check() -> None:
        for fd in held:
            os.close(fd)
        assert len(os.listdir("/proc/self/fd")) == before
        assert got in ([], [b"hello"], [b"other"]), got

    return check
