"""Whole answers leave while the same turn computes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.servers import Command

# A call into C that returns once the test has written to a pipe, with or without the GIL.
CALLING = """
import ctypes, os
pipe = os.open("go", os.O_RDWR)
buffer = ctypes.create_string_buffer(1)
calls = {"with": ctypes.PyDLL(None).read, "without": ctypes.CDLL(None).read}
class Closing(list):
    def close(self): calls["with"](pipe, buffer, 1)
def app(environ, start_response):
    call = calls.get(environ["QUERY_STRING"])
    if call: call(pipe, buffer, 1)
    start_response("200 OK", [("Content-Length", "4")])
    return (Closing if environ["PATH_INFO"] == "/closing" else list)([b"done"])
"""


@pytest.mark.row("S28")
@pytest.mark.parametrize(
    "paths", [("/", "/?with"), ("/", "/?without"), ("/closing", "/")]
)
def test_an_answer_does_not_wait_for_what_runs_behind_it(
    tmp_path: Path, paths: tuple[str, str]
) -> None:
    (tmp_path / "calling.py").write_text(CALLING)
    go = tmp_path / "go"
    os.mkfifo(go)
    with Command("calling:app", cwd=tmp_path) as server, server.client() as client:
        for _ in range(3):
            client.send(b"".join(map(raw.get, paths)))
            assert client.response().body == b"done"
            go.write_bytes(b"x")  # who holds the loop waits for that
            assert client.response().body == b"done"
