"""Views of every kind, and what the process holds: for tests that look for leaks."""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import greenlet
from celadon import green

TEXT = [("Content-Type", "text/plain")]
SHARED = object()
gate = green.Event()
lock = threading.Lock()
local = threading.local()


class Body:
    """An iterable with close() and a share of the counted object."""

    def __init__(self, pieces: int) -> None:
        self.left = pieces
        self.share = SHARED

    def __iter__(self) -> Iterator[bytes]:
        while self.left:
            self.left -= 1
            yield b"piece"

    def close(self) -> None:
        self.share = None


def app(environ: dict[str, Any], start_response: Any) -> Any:
    environ["share"] = local.share = SHARED
    name = environ["PATH_INFO"][1:] or "hello"
    return globals()["view_" + name](environ, start_response)


def plain(start_response: Any, body: bytes = b"ok") -> list[bytes]:
    start_response("200 OK", TEXT)
    return [body]


def view_hello(environ: Any, start_response: Any) -> Any:
    return plain(start_response)


def view_read(environ: Any, start_response: Any) -> Any:
    return plain(start_response, b"%d" % len(environ["wsgi.input"].read()))


def view_unread(environ: Any, start_response: Any) -> Any:
    return plain(start_response, environ["wsgi.input"].read(3))


def view_stream(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", TEXT)
    return Body(5)


def view_write(environ: Any, start_response: Any) -> Any:
    write = start_response("200 OK", TEXT)
    write(b"written")
    return Body(1)


def view_fail(environ: Any, start_response: Any) -> Any:
    raise ValueError("on purpose")


def view_late(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", TEXT)

    def body() -> Iterator[bytes]:
        yield b"first"
        raise ValueError("on purpose")

    return body()


def view_file(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", TEXT)
    file = tempfile.TemporaryFile()
    file.write(b"f" * 5000)
    file.seek(0)
    return environ["wsgi.file_wrapper"](file)


def view_large_file(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", TEXT)
    file = tempfile.TemporaryFile()
    file.truncate(50 << 20)
    return environ["wsgi.file_wrapper"](file)


def view_large(environ: Any, start_response: Any) -> Any:
    return plain(start_response, b"l" * (20 << 20))


def view_endless(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", TEXT)
    return iter(lambda: b"e" * 10_000, b"")


def view_sleep(environ: Any, start_response: Any) -> Any:
    green.sleep(0.001)
    return plain(start_response)


def view_lock(environ: Any, start_response: Any) -> Any:
    with lock:
        green.sleep(0)
    return plain(start_response)


def view_timeout(environ: Any, start_response: Any) -> Any:
    try:
        with green.Timeout(0.001):
            green.sleep(5)
    except green.Timeout:
        pass
    return plain(start_response)


def view_spawn(environ: Any, start_response: Any) -> Any:
    killed = green.spawn(green.sleep, 5)
    green.spawn(green.sleep, 0).join()
    killed.kill()
    return plain(start_response)


def view_cycle(environ: Any, start_response: Any) -> Any:
    environ["self"] = environ
    return plain(start_response)


parked = 0


def view_park(environ: Any, start_response: Any) -> Any:
    global parked
    parked += 1
    gate.wait()
    parked -= 1
    return plain(start_response)


def view_parked(environ: Any, start_response: Any) -> Any:
    """How many are, said with as few new objects as possible: each could pin an arena."""
    return plain(start_response, b"%d" % parked)


def view_open(environ: Any, start_response: Any) -> Any:
    gate.set()
    return plain(start_response)


def view_close(environ: Any, start_response: Any) -> Any:
    gate.clear()
    return plain(start_response)


def view_held(environ: Any, start_response: Any) -> Any:
    """What the process holds now, this request and its own objects included."""
    gc.collect()
    objects = gc.get_objects()
    held = {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "greenlets": sum(isinstance(o, greenlet.greenlet) for o in objects),
        "objects": len(objects),
        "shared": sys.getrefcount(SHARED),
        "none": sys.getrefcount(None),
    }
    return plain(start_response, json.dumps(held).encode())
