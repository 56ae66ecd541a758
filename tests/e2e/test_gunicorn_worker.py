"""`gunicorn -k celadon.contrib.gunicorn.Worker`: what gunicorn's users rely on."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.gunicorn import Gunicorn
from tests.support.raw import get
from tests.support.servers import ROOT, wait_until
from tests.support.site import TOGETHER, all_at_once, gone

APP = (
    TOGETHER
    + """
import ctypes, json, os, time
IMPORTED_BY = os.getpid()
def stick():
    while True: ctypes.CDLL(None).sleep(1)  # a signal ends one
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/sleep": time.sleep(0.5)
    if path.startswith("/together"): together(int(path[9:]))
    if path == "/long": time.sleep(60)
    if path == "/stuck": stick()
    if path == "/die": os._exit(1)
    body = json.dumps([VERSION, os.getpid(), IMPORTED_BY]).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
VERSION = 1
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own_app.py").write_text(APP)
    return tmp_path


def ask(server: Gunicorn, path: str = "/") -> list[int]:
    answer = server.request(get(path))
    assert answer.status == 200
    found: list[int] = json.loads(answer.body)
    return found


def test_requests_overlap_and_no_connection_is_lost_at_a_reload(folder: Path) -> None:
    with Gunicorn("own_app:app", "-w", "1", cwd=folder) as server:
        ask(server)
        all_at_once(10, lambda: ask(server, "/together10"))
        [first] = server.workers()
        (folder / "own_app.py").write_text(APP + "VERSION = 22\n")
        with server.client() as client:
            client.send(get("/sleep"))
            server.signal(signal.SIGHUP)
            answer = client.response()
            assert answer.status == 200, "\n".join(server.lines[-25:])
            assert json.loads(answer.body)[1] == first
        wait_until(lambda: (None, gone(first)))
        assert ask(server)[0] == 22


def test_max_requests(folder: Path) -> None:
    with Gunicorn("own_app:app", "--max-requests", "50", cwd=folder) as server:
        pids = {ask(server)[1] for _ in range(200)}
        assert len(pids) >= 3
        server.wait_line("has served max_requests")


def test_a_stuck_loop_is_reported_and_aborted(folder: Path) -> None:
    hook = "def worker_abort(worker): worker.log.info('aborted says the hook')"
    (folder / "gunicorn.conf.py").write_text(hook)
    with Gunicorn("own_app:app", "--timeout", "2", cwd=folder) as server:
        _, pid, _ = ask(server)
        with server.client() as client:
            client.send(get("/stuck"))
            server.wait_line("own_app.py.* in app")
            server.wait_line("WORKER TIMEOUT")
            server.wait_line("aborted says the hook")
            wait_until(lambda: (None, gone(pid)))
        assert ask(server)[1] != pid


def test_signals_and_hooks(folder: Path) -> None:
    (folder / "gunicorn.conf.py").write_text(
        "def worker_int(worker): worker.log.info('interrupted says the hook')\n"
        "def post_worker_init(worker): worker.log.info('init %s', worker.booted)\n"
        "def worker_exit(server, worker): worker.log.info('exit says the hook')\n"
    )
    log = folder / "access.log"
    options = ["--access-logfile", str(log), "--access-logformat", "%(U)s"]
    with Gunicorn("own_app:app", "-w", "1", *options, cwd=folder) as server:
        ask(server)
        server.wait_line("init False")
        log.rename(folder / "old.log")
        server.signal(signal.SIGUSR1)
        # Its master, which makes the file, is told before the worker is.
        wait_until(lambda: (ask(server, "/after"), log.exists() and log.read_text()))
        assert set(log.read_text().split()) == {"/after"}
        server.signal(signal.SIGTTIN)
        server.wait_line("init False")
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_line("init False")
        assert len(server.workers()) == 3
        assert ask(server)[0] == 1
        server.signal(signal.SIGINT)
        assert server.wait() == 0
        server.wait_line("interrupted says the hook")
        server.wait_line("exit says the hook")


HANDLERS = """
import signal, sys
def told(before, number, frame):
    with open("told.log", "a") as log: log.write(signal.Signals(number).name + "\\n")
    if before: before(number, frame)
    if number == signal.SIGTERM: sys.exit(1)
for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGQUIT):
    before = signal.getsignal(number) if {chained} else None
    signal.signal(number, lambda *it, before=before: told(before, *it))
"""


@pytest.mark.parametrize("chained", [False, True])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGQUIT"])
def test_handlers_that_an_application_sets_are_called(
    folder: Path, name: str, chained: bool
) -> None:
    """They come behind gunicorn's, and stay: what is under way ends all the same."""
    (folder / "told_app.py").write_text(APP + HANDLERS.format(chained=chained))
    told = folder / "told.log"
    with Gunicorn("told_app:app", "-w", "1", cwd=folder) as server:
        worker = ask(server)[1]
        os.kill(worker, signal.SIGUSR1)
        wait_until(lambda: (None, told.exists() and "SIGUSR1" in told.read_text()))
        assert ask(server)[1] == worker
        server.said(f"{name} is the server's while it serves; .* is called beside it")
        with server.client() as client:
            client.send(get("/sleep"))
            server.signal(getattr(signal, name))
            wait_until(lambda: (None, name in told.read_text()))
            if name == "SIGTERM":
                assert client.response().status == 200
        assert server.wait() == 0
    assert told.read_text().split() == ["SIGUSR1", name]


def test_limits_and_what_is_refused(folder: Path) -> None:
    options = ["--limit-request-line", "100", "--keep-alive", "1"]
    with Gunicorn("own_app:app", *options, cwd=folder) as server:
        assert server.request(get("/" + "x" * 200)).status == 414
        with server.client() as client:
            began = time.monotonic()
            client.send(get("/"))
            client.response()
            assert client.sock.recv(1) == b""
            assert time.monotonic() - began > 0.9
    with Gunicorn("own_app:app", "--strip-header-spaces", cwd=folder) as server:
        assert server.wait() != 0
        server.wait_line("strip_header_spaces is refused: the parser is strict")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGQUIT", "SIGINT"])
def test_one_that_is_told_to_stop_while_it_starts(folder: Path, name: str) -> None:
    (folder / "gunicorn.conf.py").write_text(
        f"""
import os, signal
def post_fork(server, worker):
    if not os.path.exists("told"):
        open("told", "w").close()
        worker.init_signals = lambda: (
            os.kill(os.getpid(), signal.{name}), type(worker).init_signals(worker))
"""
    )
    with Gunicorn("own_app:app", "-w", "1", cwd=folder) as server:
        wait_until(lambda: (None, len(server.workers()) == 2))
        assert ask(server)[1] == server.workers()[1]


def test_preloaded_and_reloaded(folder: Path) -> None:
    (folder / "gunicorn.conf.py").write_text(
        "def post_worker_init(worker): worker.log.info('there is one')\n"
    )
    with Gunicorn("own_app:app", "--preload", "-w", "2", cwd=folder) as server:
        # gunicorn itself loses a signal that comes right after a fork.
        server.wait_line("there is one")
        server.wait_line("there is one")
        assert ask(server)[2] == server.process.pid
        all_at_once(11, lambda: ask(server, "/together11"))
    with Gunicorn("own_app:app", "--reload", cwd=folder) as server:
        assert ask(server)[0] == 1
        # Its thread may not have looked yet: until it has, there is another change.
        wait_until(lambda: (v := _change_unless(server, folder), v == 333))


def _change_unless(server: Gunicorn, folder: Path) -> int:
    version = ask(server)[0]
    if version == 1:
        (folder / "new").write_text(APP + "VERSION = 333\n")
        (folder / "new").rename(folder / "own_app.py")
    return version


def test_workers_end_with_their_master(folder: Path) -> None:
    with Gunicorn("own_app:app", "-w", "2", cwd=folder) as server:
        ask(server)
        wait_until(lambda: (None, len(server.workers()) == 2))
        server.process.kill()
        for pid in server.workers():
            wait_until(lambda pid=pid: (None, gone(pid)))  # type: ignore[misc]


def test_lines_go_to_handlers_where_the_log_is_configured(folder: Path) -> None:
    own = folder / "own.log"
    (folder / "gunicorn.conf.py").write_text(
        f"""
logconfig_dict = {{
    "version": 1, "root": {{"handlers": ["err"]}},
    "formatters": {{"own": {{"format": "OWN %(message)s"}}}},
    "handlers": {{"err": {{"class": "logging.StreamHandler"}},
                 "own": {{"class": "logging.FileHandler", "filename": {str(own)!r},
                           "formatter": "own"}}}},
    "loggers": {{"gunicorn.access": {{"handlers": ["own"], "level": "INFO"}}}},
}}
access_log_format = "%(m)s %(U)s"
"""
    )
    with Gunicorn("own_app:app", cwd=folder) as server:
        ask(server, "/one")
        wait_until(lambda: (t := own.read_text(), t == "OWN GET /one\n"))


@pytest.mark.parametrize("how", ["its default", "a file", "a module"])
def test_celadons_own_settings_stand_in_gunicorns_file(folder: Path, how: str) -> None:
    names = {"its default": "gunicorn.conf.py", "a file": "x.py", "a module": "own.py"}
    options = {"its default": "", "a file": "-c x.py", "a module": "-c python:own"}
    (folder / names[how]).write_text(
        "def celadon_setup(): pass\nceladon_request_timeout = 0.2\n"
    )
    env = {"PYTHONPATH": f"{ROOT}:{folder}"}
    with Gunicorn("own_app:app", *options[how].split(), cwd=folder, env=env) as server:
        assert server.request(get("/long")).status == 504
