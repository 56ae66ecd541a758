"""`celadon.run()` again and again in one process: each start makes its state anew."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.support.raw import Client, get
from tests.support.servers import Started

SCRIPT = """
import os, signal, sys
import celadon
from celadon.errors import UsageError
HANDLERS = {{n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}}
def app(environ, start_response):
    sys.stdout.write(("x" * 1023 + "\\n") * 2000)
    sys.stdout.flush()
    start_response("200 OK", [("Content-Length", "0")])
    return []
for bind in {binds}:
    try:
        celadon.run(app, bind=bind, workers={workers})
    except (UsageError, OSError) as error:
        print("refused", error, file=sys.stderr, flush=True)
    for number, handler in HANDLERS.items():
        assert signal.getsignal(number) is handler, number
    print("over", file=sys.stderr, flush=True)
"""
GOOD, BAD = "127.0.0.1:0", "unix:/no/such/folder/sock"


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    "binds", [[BAD, GOOD], [GOOD, GOOD], [GOOD, BAD, GOOD]], ids=["bg", "gg", "gbg"]
)
def test_s26_a_start_after_another(
    tmp_path: Path, binds: list[str], workers: int
) -> None:
    (tmp_path / "script.py").write_text(SCRIPT.format(binds=binds, workers=workers))
    with Started(sys.executable, "script.py", cwd=tmp_path) as server:
        for bind in binds:
            if bind == BAD:
                server.wait_line("refused ")
            else:
                port = int(server.wait_line(r"listening at http://.*:(\d+)")[1])
                with Client(("127.0.0.1", port)) as client:
                    client.send(get("/"))
                    assert client.response().status == 200
                server.signal(signal.SIGTERM)
                server.wait_line("stopped")
            server.wait_line("^over$")
        assert server.wait() == 0
