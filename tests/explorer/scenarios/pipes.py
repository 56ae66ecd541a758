"""Pipes with a name: who opens one waits for its other end, and leaves nothing behind."""

from __future__ import annotations

import errno
import io
import os
import shutil
import tempfile
from contextlib import suppress
from typing import Any

from celadon import green
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


@scenario(orders=1)
def number_of_what_was_closed_unseen(stage: Stage) -> Any:
    """Who waits for what is closed gets nothing of what has its number next."""
    reading, writing = os.pipe()
    waits, opened = green.Event(), green.Event()
    fresh: list[int] = []
    got: dict[str, Any] = {}

    def read(name: str) -> None:
        try:
            got[name] = os.read(reading, 10)
        except OSError as error:
            got[name] = error.errno

    def old() -> None:
        waits.set()
        read("old")

    def new() -> None:
        waits.wait()
        io.FileIO(reading).close()
        fresh.extend(os.pipe())
        assert fresh[0] == reading
        opened.set()
        read("new")

    def feed() -> None:
        opened.wait()
        if fresh:
            os.write(fresh[1], b"second")

    def close() -> None:
        """Also for those who were killed: nobody shall wait for ever."""
        feeder.join()
        if fresh:
            with suppress(BrokenPipeError):
                os.write(fresh[1], b"other")
        reader.join()
        with suppress(OSError):
            os.close(reading)

    def end(one: Any, event: Any) -> None:
        """For the one who was killed."""
        one.join()
        event.set()

    waiter = stage.spawn("old", old)
    reader = stage.spawn("new", new)
    feeder = stage.spawn("feed", feed)
    stage.spawn("close", close, deliver=())
    stage.spawn("in its stead", lambda: end(waiter, waits), deliver=())
    stage.spawn("likewise", lambda: end(reader, opened), deliver=())

    def check() -> None:
        for fd in (writing, *fresh[1:]):
            os.close(fd)
        assert got.get("old") in (None, errno.EBADF), got
        assert got.get("new", b"other").startswith((b"second", b"other")), got

    return check
