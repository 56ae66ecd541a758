"""A server that may start no thread: it serves, and says what it goes without."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import raw
from tests.support.machine import NO_ROOM_FOR_THREADS
from tests.support.servers import Command

APP = """
import sys

def app(environ, start_response):
    print("printed", environ["PATH_INFO"], flush=True)
    if environ["PATH_INFO"] == "/file":
        body = environ["wsgi.file_wrapper"](open(__file__, "rb"))
        start_response("200 OK", [])
        return body
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


@pytest.mark.row("C17")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_without_threads_it_serves(tmp_path: Path, workers: str) -> None:
    (tmp_path / "plain.py").write_text(APP)
    (tmp_path / "sitecustomize.py").write_text(NO_ROOM_FOR_THREADS)
    log = tmp_path / "access.log"
    with Command(
        "plain:app",
        *("--workers", workers, "--access-logfile", str(log)),
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
    ) as command:
        command.said("the watchdog is off: no room for another thread")
        command.said("the loop writes the access log itself")
        with command.client() as client:
            client.send(raw.get("/first"))
            assert client.response().body == b"ok"
            client.send(raw.get("/file"))
            assert client.response().body == APP.encode()
        command.out.wait("printed /first")
        assert command.stop() == 0
    assert [line.split()[6] for line in log.read_text().splitlines()] == [
        "/first",
        "/file",
    ]
