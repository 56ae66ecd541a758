"""What is said of a worker that dies with requests under way."""

from __future__ import annotations

from pathlib import Path

import pytest
from celadon.command.asking import ask

from tests.support import raw
from tests.support.servers import Command, wait_until

APP = """
import ctypes, faulthandler, os, time
if os.path.exists("own"): faulthandler.enable(file=open("own", "a"))
def app(environ, start_response):
    path = environ["PATH_INFO"]
    open("begun" + path.replace("/", "-"), "w").close()
    if path == "/wait": time.sleep(3600)
    if path == "/exit": os._exit(7)
    if path == "/fault": ctypes.string_at(0)
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dying.py").write_text(APP)
    return tmp_path


def begun(folder: Path, name: str) -> None:
    wait_until(lambda: (None, (folder / f"begun-{name}").exists()))


def test_a_crash_says_where_it_was_and_which_requests_it_had(folder: Path) -> None:
    with Command("dying:app", cwd=folder) as server:
        server.may_crash = True
        with server.client() as waiting, server.client() as client:
            waiting.send(raw.get("/wait?secret=1"))
            begun(folder, "wait")
            client.send(raw.get("/fault"))
            server.wait_line("Fatal Python error: Segmentation fault")
            server.wait_line(r"dying\.py\", line \d+ in app")
            server.wait_line(
                r"was killed by SIGSEGV, with 2 requests: GET /wait, GET /fault$"
            )
        with server.client() as client:
            client.send(raw.get("/exit"))
            server.wait_line(r"exited with status 7, with 1 request: GET /exit$")


def test_an_application_may_have_its_crashes_elsewhere(folder: Path) -> None:
    (folder / "own").touch()
    with Command("dying:app", cwd=folder) as server, server.client() as client:
        server.may_crash = True
        client.send(raw.get("/fault"))
        server.wait_line(r"was killed by SIGSEGV, with 1 request: GET /fault$")
        assert not [line for line in server.lines if "Fatal" in line]
    assert "Segmentation fault" in (folder / "own").read_text()


def test_of_many_requests_some_are_named(folder: Path) -> None:
    place = str(folder / "control")
    with Command("dying:app", "--control-socket", place, cwd=folder) as server:
        clients = [server.client() for _ in range(20)]
        for client in clients:
            client.send(raw.get("/wait"))
        wait_until(lambda: (s := ask(place, "status"), s["requests"] == 20))
        server.kill(server.worker)
        line = server.wait_line(r"was killed by SIGKILL, with 20 requests: (.*)")[1]
        assert line == ", ".join(["GET /wait"] * 16) + " and others"
        for client in clients:
            client.close()
