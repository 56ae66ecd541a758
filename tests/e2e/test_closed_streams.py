"""Places that streams take for long, and who is told that there are none left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import raw
from tests.support.metrics import value
from tests.support.servers import Command

APP = """
import time
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    yield b"data: 1\\n\\n"
    time.sleep(3600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "events.py").write_text(APP)
    return tmp_path


def test_that_no_more_are_accepted_is_told(folder: Path) -> None:
    options = ("--worker-connections", "1", "--graceful-timeout", "0.1")
    admin = ("--admin-bind", "127.0.0.1:0")
    with Command("events:app", *options, *admin, cwd=folder) as server:
        assert value(server, "celadon_accept_pauses_total") == 0
        with server.client() as client:
            client.send(raw.get("/tab"))
            client.read_until(b"data: 1")
            server.wait_line(r"worker_connections \(1\) are open: no more are accepted")
            assert value(server, "celadon_accept_pauses_total") == 1
