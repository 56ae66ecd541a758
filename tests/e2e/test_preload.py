"""`--preload`: the application is imported once, in the master."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.support.raw import get
from tests.support.servers import Command
from tests.support.site import (
    TOGETHER,
    Site,
    all_at_once,
    ask,
    kill_worker,
    wait_ready,
)

APP = (
    TOGETHER
    + """
import asyncio, gc, json, os, queue, threading, time
IMPORTED_BY = os.getpid()
lock, jobs = threading.Lock(), queue.Queue()
local = threading.local()
local.x = 1
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/together":
        with lock:
            pass
        together(12)
    if path == "/queue":
        threading.Timer(0.01, jobs.put, [1]).start()
        jobs.get(timeout=5)
    if path == "/asyncio":
        asyncio.run(asyncio.sleep(0.01))
    body = json.dumps([IMPORTED_BY, os.getpid(), gc.get_freeze_count()]).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def write(folder: Path, text: str) -> None:
    (folder / "pre_app.py").write_text(text)


def pids(server: Command, path: str = "/") -> tuple[int, int, int]:
    imported, worker, frozen = json.loads(server.request(get(path)).body)
    return imported, worker, frozen


def test_the_master_imports_and_workers_serve_on_greenlets(tmp_path: Path) -> None:
    write(tmp_path, APP)
    with Command("pre_app:app", "--preload", "-w", "2", cwd=tmp_path) as server:
        workers = wait_ready(server, 2)
        for path in ("/", "/queue", "/asyncio"):
            imported, worker, frozen = pids(server, path)
            assert imported == server.process.pid
            assert worker in workers
            assert frozen > 10_000
        all_at_once(12, lambda: pids(server, "/together"))
        # The one that comes in its place has not imported anything either.
        workers = kill_worker(server, workers[0])
        seen = set()
        while seen != set(workers):
            imported, worker, _ = pids(server)
            assert imported == server.process.pid
            seen.add(worker)


def test_what_is_open_at_the_fork_is_listed_with_its_place(tmp_path: Path) -> None:
    write(
        tmp_path,
        """
import os, socket, threading, tempfile
from pathlib import Path
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
closed = socket.socket()
closed.close()
file = open(Path(__file__).parent / "some.txt", "w")
thread = threading.Thread(target=threading.Event().wait, name="exporter", daemon=True)
thread.start()
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return []
""",
    )
    with Command("pre_app:app", "--preload", cwd=tmp_path) as server:
        wait_ready(server, 1)
        said = [line for line in server.lines if "preload: " in line]
        at = str(tmp_path / "pre_app.py")
        for pattern, number in (
            ("a socket at 127.0.0.1:", 4),
            ("a socket to 127.0.0.1:", 5),
            (f"{tmp_path}/some.txt,", 8),
            ("the thread 'exporter' does not run in workers", 10),
        ):
            matching = [line for line in said if pattern in line]
            assert len(matching) == 1, said
            assert matching[0].endswith(f" at {at}:{number}")
        assert len(said) == 4
        assert server.request(get("/")).status == 200


def test_a_reload_keeps_the_code_and_says_so(site: Site) -> None:
    with site.serve("--preload") as server:
        assert ask(server)[0] == "1"
        [first] = wait_ready(server, 1)
        site.write(2)
        server.signal(signal.SIGHUP)
        server.wait_line("preload_app: the code stays what it was")
        server.wait_line(f"worker {first} exited with status 0")
        assert ask(server)[0] == "1"


def test_an_application_that_cannot_be_imported_opens_nothing(tmp_path: Path) -> None:
    write(tmp_path, "1 / 0")
    with Command("pre_app:app", "--preload", cwd=tmp_path) as server:
        assert server.wait() == 4
        server.wait_line("ZeroDivisionError")
        assert not any("listening" in line for line in server.lines)


def test_the_setting_does_not_change_by_a_reload(site: Site) -> None:
    (site.folder / "celadon.conf.py").write_text("preload_app = False\n")
    with site.serve() as server:
        [first] = wait_ready(server, 1)
        (site.folder / "celadon.conf.py").write_text("preload_app = True\n")
        site.write(2)
        server.signal(signal.SIGHUP)
        server.wait_line("preload_app changes with a restart")
        server.wait_line(f"worker {first} exited with status 0")
        assert ask(server)[0] == "2"


WRAPPED = """
import builtins, io, json, os, socket, threading
{first}
calls = []
def wrap(owner, name):
    before = getattr(owner, name)
    def agent(*args, **kwargs):
        calls.append(name)
        return before(*args, **kwargs)
    setattr(owner, name, agent)
wrap(threading.Thread, "start"); wrap(threading.Thread, "join"); wrap(socket.socket, "__init__")
wrap(builtins, "open")
done = []
def app(environ, start_response):
    calls.clear()
    thread = threading.Thread(target=done.append, args=[1])
    thread.start(); thread.join()
    with open(os.devnull), io.open(os.devnull), socket.socket(): pass
    body = json.dumps([sorted(calls), thread.is_alive(), len(done)]).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.mark.parametrize(
    ("first", "options"),
    [
        ("", ()),
        ("", ("--no-green",)),
        ("import celadon.patch; celadon.patch.install()", ("--no-green",)),
    ],
)
def test_g25_what_an_import_has_put_in_place_stays(
    tmp_path: Path, first: str, options: tuple[str, ...]
) -> None:
    """Wrappers as agents have them, and a patch that the application asks for itself."""
    write(tmp_path, WRAPPED.format(first=first))
    with Command("pre_app:app", "--preload", *options, cwd=tmp_path) as server:
        wait_ready(server, 1)
        for count in (1, 2):
            calls, alive, done = json.loads(server.request(get("/")).body)
            assert calls == ["__init__", "join", "open", "start"]
            assert (alive, done) == (False, count)
        assert not any("Traceback" in line for line in server.lines)
        assert not any("preload: " in line for line in server.lines)
