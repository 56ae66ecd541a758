"""A worker ends: threads of the application that go on, and what is called at its exit (S32)."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.servers import Command, wait_until
from tests.support.site import wait_ready

APP = """
import atexit, os, threading, time
def last_words():
    open(f"atexit-{os.getpid()}", "x").close()
def work():
    while not os.path.exists("done"): time.sleep(0.005)
    open(f"worked-{os.getpid()}", "x").close()
atexit.register(last_words)
threading.Thread(target=work, name="a stubborn one").start()
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""
GOES = "this worker ends without waiting any longer .*: 'a stubborn one'"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stubborn.py").write_text(APP)
    return tmp_path


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(
            signal.SIGTERM,
            marks=pytest.mark.alone("five seconds are between grace and a kill"),
        ),
        signal.SIGINT,
    ],
)
def test_s32_threads_that_are_no_daemons_hold_no_worker(
    folder: Path, number: int
) -> None:
    grace = "1" if number == signal.SIGTERM else "1m"  # a quick stop has less
    options = ["--workers", "2", "--graceful-timeout", grace]
    with Command("stubborn:app", *options, cwd=folder) as server:
        workers = wait_ready(server, 2)
        server.signal(number)
        assert server.wait() == 0
    assert {path.name for path in folder.glob("atexit-*")} == {
        f"atexit-{pid}" for pid in workers
    }
    assert sum("is killed" in line for line in server.lines) == 0
    server.said(GOES)


def test_s32_those_that_come_to_their_end_are_waited_for(folder: Path) -> None:
    with Command("stubborn:app", "--graceful-timeout", "2m", cwd=folder) as server:
        [worker] = wait_ready(server, 1)
        server.kill(worker, signal.SIGTERM)
        server.wait_line("stopping: finishing requests")
        (folder / "done").touch()
        wait_until(lambda: (None, (folder / f"atexit-{worker}").exists()))
        assert (folder / f"worked-{worker}").exists()
