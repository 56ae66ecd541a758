"""Children that an application forks: processes of their own, with their own end (G24)."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.support.raw import get
from tests.support.servers import Command, wait_until
from tests.support.site import wait_ready

APP = """
import atexit, json, multiprocessing, os, signal, sys, threading, time, traceback
from celadon import green
here = os.getpid()
log = open("kept.log", "w")
calls = open("calls.log", "a", buffering=1)
atexit.register(lambda: os.getpid() != here and calls.write("atexit\\n"))
mp = multiprocessing.get_context("fork")

def stay(told):
    os.write(told, b"x")
    while True: time.sleep(60)

def child(path):
    log.write("of " + path)
    if path == "/exit": sys.exit(3)
    if path == "/text": sys.exit("it is over")
    if path == "/raise": raise ValueError("on purpose")
    if path == "/interrupt": raise KeyboardInterrupt

def status_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def killed(number):
    r, told = os.pipe()
    pid = os.fork()
    if pid == 0: stay(told)
    if number != signal.SIGINT: os.read(r, 1)  # of that, also before it runs
    os.kill(pid, number)
    return status_of(pid)

def forked(path):
    pid = os.fork()
    if pid == 0:
        child(path)
        return None
    return status_of(pid)

def in_greenlet(path):
    return green.spawn(forked, path.removeprefix("/greenlet")).get()

def pool():
    # Its end terminates processes that wait.
    with mp.Pool(2) as workers: return workers.map(abs, [-1, -2])

def process(path):
    one = mp.Process(target=child, args=(path.removeprefix("/mp"),))
    one.start()
    one.join()
    return one.exitcode

def body(path):
    if path.startswith("/signal"): return killed(int(path.removeprefix("/signal/")))
    if path.startswith("/greenlet"): return in_greenlet(path)
    if path.startswith("/mp"): return process(path)
    return pool() if path == "/pool" else forked(path)

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path.startswith("/later"):
        def parts(): yield json.dumps(body(path.removeprefix("/later"))).encode()
        start_response("200 OK", [])
        return parts()
    text = json.dumps(body(path)).encode()
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]
"""
HOOKS = """
def post_request(worker, req, environ, resp):
    with open("posts.log", "a") as posts: posts.write(req.path + "\\n")
"""
ENDS = {
    "/return": 0,
    "/exit": 3,
    "/text": 1,
    "/raise": 1,
    "/interrupt": -signal.SIGINT,
}


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
def test_g24_a_child_has_an_end_of_its_own(
    tmp_path: Path, preload: tuple[str, ...]
) -> None:
    (tmp_path / "fork_app.py").write_text(APP)
    (tmp_path / "conf.py").write_text(HOOKS)

    def lines(name: str) -> list[str]:
        return (tmp_path / name).read_text().splitlines()

    with Command(
        "fork_app:app", "--config", "conf.py", *preload, cwd=tmp_path
    ) as server:
        wait_ready(server, 1)

        def ask(path: str) -> object:
            return json.loads(server.request(get(path)).body)

        asked = []
        for way in ("", "/greenlet", "/later"):
            for path, status in ENDS.items():
                (tmp_path / "kept.log").write_text("")
                assert ask(way + path) == status, (way, path)
                asked.append(way + path)
                assert (tmp_path / "kept.log").read_text().strip("\0") == "of " + path
        assert lines("calls.log") == ["atexit"] * len(asked)
        wait_until(lambda: (None, len(lines("posts.log")) >= len(asked)))
        assert lines("posts.log") == asked
        assert ask("/mp/exit") == 3
        assert ask("/mp/raise") == 1
        for number in (
            *(signal.SIGTERM, signal.SIGQUIT),
            signal.SIGHUP,
            signal.SIGUSR1,
        ):
            assert ask(f"/signal/{number}") == -number
        for _ in range(5):
            assert ask(f"/signal/{int(signal.SIGINT)}") == -signal.SIGINT
        assert ask("/pool") == [1, 2]
        assert not any("exited" in line for line in server.lines)
    assert server.process.returncode == 0


def test_g24_a_child_of_the_master_has_signals_of_its_own(tmp_path: Path) -> None:
    """One that a hook forks; the server stops by the same signal all the same."""
    (tmp_path / "fork_app.py").write_text(APP)
    (tmp_path / "conf.py").write_text(
        "import os, signal\n"
        "def when_ready(server):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        while True: signal.pause()\n"
        "    os.kill(pid, signal.SIGTERM)\n"
        "    print('ended by', -os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)\n"
        "def worker_exit(server, worker): when_ready(server)\n"
    )
    with Command("fork_app:app", "--config", "conf.py", cwd=tmp_path) as server:
        wait_ready(server, 1)
    assert server.process.returncode == 0
    assert [line.strip() for line in server.out] == ["ended by 15"] * 2


HALF = """
import os, signal

def app(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [])
    if path == "/half": return half()
    if path == "/fork":
        pid = os.fork()
        while pid == 0: signal.pause()
        return [str(pid).encode()]
    return [b"here"]

def half():
    yield b"half of it"
    raise ValueError("on purpose")
"""


@pytest.mark.parametrize("is_held", [True, False], ids=["held", "new"])
def test_rs09_a_broken_answer_is_reset_though_a_child_was_forked(
    tmp_path: Path, is_held: bool
) -> None:
    """An end of file would be that of a whole answer; the child may hold it too."""
    (tmp_path / "half.py").write_text(HALF)
    broken = b"GET /half HTTP/1.0\r\n\r\n"
    with Command("half:app", cwd=tmp_path) as server:
        before = server.client()
        before.send(get("/"))
        before.response()
        child = int(server.request(get("/fork")).body)
        try:
            with before if is_held else server.client() as client:
                client.send(broken)
                with pytest.raises(ConnectionResetError):
                    client.read_to_end()
        finally:
            before.close()
            os.kill(child, signal.SIGKILL)
