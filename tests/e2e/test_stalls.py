"""Requests that wait for a lock and will for ever."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.servers import Command

APP = "tests.apps.stuck_locks:app"


@pytest.mark.slow("a wait is looked at after 10 s")
def test_who_waits_for_ever_is_said_with_the_reason() -> None:
    with Command(APP, "--graceful-timeout", "1") as server:
        assert server.request(raw.get("/leave")).body == b"ok"
        clients = []
        for path in ("/x", "/y", "/want", "/hold", "/wait"):
            clients.append(server.client())
            clients[-1].send(raw.get(path))
        server.lines.wait_all(
            r"CRITICAL\] greenlet (\d+) \(GET /x\) waits for a lock for \d+ s and will "
            r"for ever: they wait for each other: greenlet \1 \(GET /x\) -> greenlet "
            r"(\d+) \(GET /y\) -> greenlet \1 \(GET /x\)",
            r"CRITICAL\] greenlet \d+ \(GET /want\) waits for a lock for \d+ s and will "
            "for ever: who took it has ended without a release",
            r"WARNING\] greenlet \d+ \(GET /wait\) waits for a lock for \d+ s, which "
            r"greenlet \d+ \(GET /hold\) holds",
        )
        # Others are served meanwhile.
        assert server.request(raw.get("/")).body == b"ok"
        for client in clients:
            client.close()


# As a C library locks: neither we nor CPython hear of it.
LOCKING = """
import ctypes, fcntl, time
libc = ctypes.CDLL(None)
files = [open("kept.lock"), open("kept.lock")]
def app(environ, start_response):
    file = files[environ["PATH_INFO"] == "/second"]
    libc.flock(file.fileno(), fcntl.LOCK_EX)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


def test_g26_who_holds_a_lock_on_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "locking_app.py").write_text(LOCKING)
    (tmp_path / "kept.lock").touch()
    with Command("locking_app:app", cwd=tmp_path) as server, server.client() as client:
        with open(tmp_path / "kept.lock") as ours:
            fcntl.flock(ours, fcntl.LOCK_EX)
            client.send(raw.get("/first"))
            server.said(
                rf"it waits for a lock of {tmp_path}/kept.lock, which process "
                rf"{os.getpid()} holds"
            )
        assert client.response().body == b"ok"
        client.send(raw.get("/second"))
        server.said("kept.lock, which this process itself holds, by another greenlet")
        server.kill(server.worker)
