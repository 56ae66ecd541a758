"""The application in the master: imported once, its pages shared by all workers.

What it opens while it is imported is shared as well, which sockets do not bear, and what
threads it starts exist in the master alone. So both are listed, with where they were
made.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import io
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from celadon import logging
from celadon.base import origins


def load(import_application: Callable[[], Any], gc_freeze: bool) -> Any:
    """Imports, and logs what stays open. What the import raises comes out."""
    before = _descriptors()
    places = _Places()
    with places.recorded():
        app = import_application()
    if gc_freeze:
        # Workers' collectors leave alone what they share, else each would copy it.
        gc.collect()
        gc.freeze()
    for line in sorted(_shared(before, places)):
        logging.logger.warning("preload: %s", line)
    for line in sorted(_threads(places)):
        logging.logger.warning("preload: %s", line)
    return app


class _Places:
    """Where descriptors and threads were made, while it is recorded."""

    def __init__(self) -> None:
        self.descriptors: dict[int, str] = {}
        self.threads: dict[int, str] = {}
        self._is_over = False

    def _note(self, places: dict[int, str], number: int | None) -> None:
        if number is not None and not self._is_over:
            places[number] = _place()

    @contextlib.contextmanager
    def recorded(self) -> Iterator[None]:
        """The functions that make them are others meanwhile, and then as before.

        But where the import has put something else: that calls ours, which then only
        passes on.
        """
        opened, made, started = open, socket.socket.__init__, threading.Thread.start

        def open_file(*args: Any, **kwargs: Any) -> Any:
            file = opened(*args, **kwargs)
            with contextlib.suppress(OSError, AttributeError, ValueError):
                self._note(self.descriptors, file.fileno())
            return file

        def make_socket(self_: socket.socket, *args: Any, **kwargs: Any) -> None:
            made(self_, *args, **kwargs)
            self._note(self.descriptors, self_.fileno())

        def start(thread: threading.Thread) -> None:
            started(thread)
            self._note(self.threads, thread.ident)

        with (
            _instead(builtins, "open", open_file),
            _instead(io, "open", open_file),
            _instead(socket.socket, "__init__", make_socket),
            _instead(threading.Thread, "start", start),
        ):
            yield
        self._is_over = True


@contextlib.contextmanager
def _instead(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if getattr(owner, name) is value:
            setattr(owner, name, before)


def _place() -> str:
    """The line of code that is not the standard library's or ours, innermost first."""
    frame: FrameType | None = sys._getframe(3)
    first = frame
    while frame is not None and _is_library(frame.f_code.co_filename):
        frame = frame.f_back
    at = frame or first
    return f"{at.f_code.co_filename}:{at.f_lineno}" if at is not None else "?"


def _is_library(file: str) -> bool:
    is_place = not file.startswith("<")
    return not is_place or origins.is_ours(file) or origins.is_standard(file)


def _descriptors() -> dict[int, str]:
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one that lists them
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


def _shared(before: dict[int, str], places: _Places) -> Iterator[str]:
    for number, what in _descriptors().items():
        if before.get(number) == what:
            continue
        place = places.descriptors.get(number)
        made = f"made at {place}" if place else "made by native code"
        yield f"{_describe(number, what)} is shared by all workers, {made}"


def _describe(number: int, what: str) -> str:
    if not what.startswith("socket:"):
        return f"descriptor {number}, {what},"
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as sock:
        for end, name in ((sock.getpeername, "to"), (sock.getsockname, "at")):
            with contextlib.suppress(OSError):
                return f"a socket {name} {_address(end())}"
    return f"socket {number}"


def _address(address: Any) -> str:
    if isinstance(address, tuple):
        return f"{address[0]}:{address[1]}"
    return str(address or "no address")


def _threads(places: _Places) -> Iterator[str]:
    for thread in threading.enumerate():
        if thread is threading.main_thread():
            continue
        place = places.threads.get(thread.ident or 0)
        made = f", started at {place}" if place else ""
        yield f"the thread {thread.name!r} does not run in workers{made}"
