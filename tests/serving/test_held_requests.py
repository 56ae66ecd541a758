"""Requests that hold out against the end of their server, in a program that goes on."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.support.raw import get
from tests.support.servers import Started

PROGRAM = """
import gc, sys
import celadon
from celadon import green

ended = []
def hold_out():
    while not goes_on:
        try: green.sleep(0.02)
        except BaseException: pass

def wsgi(environ, start_response):
    hold_out()
    start_response("200 OK", [("X-A", "b")])
    ended.append("wsgi")
    return [b"x"]

async def asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    hold_out()
    try: await send({"type": "http.response.body", "body": b"x"})
    finally: ended.append("asgi")

goes_on = False
celadon.run(globals()[sys.argv[1]], bind="127.0.0.1:0", graceful_timeout=1, lifespan="off")
gc.collect()
goes_on = True
while not ended: green.sleep(0.02)
green.sleep(0.1)
print("over", *ended, file=sys.stderr, flush=True)
"""


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_one_goes_on_with_what_it_stands_on(tmp_path: Path, interface: str) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    poisoned = {"MALLOC_PERTURB_": "165"}  # memory that was freed
    command = (sys.executable, "program.py", interface)
    with Started(*command, cwd=tmp_path, env=poisoned) as server:
        with server.client() as client:
            client.send(get("/"))
            if interface == "asgi":
                client.read_until(b"\r\n\r\n")
            server.signal(signal.SIGTERM)
            server.wait_line(f"over {interface}")
        assert server.wait() == 0
