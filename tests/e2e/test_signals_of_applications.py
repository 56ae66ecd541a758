"""Handlers of signals that an application sets, and stops that nobody hears (G29, S06)."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_container import may_unshare
from tests.support.raw import get
from tests.support.servers import CELADON, Command, Started, wait_until
from tests.support.site import wait_ready

APP = """
import faulthandler, os, signal, sys, time
def told(number, frame):
    with open("told.log", "a") as log: log.write(signal.Signals(number).name + "\\n")
    if number == signal.SIGTERM: sys.exit(1)
for name in "SIGTERM SIGUSR1 SIGUSR2 SIGHUP SIGWINCH SIGTTIN SIGTTOU".split():
    signal.signal(getattr(signal, name), told)
def app(environ, start_response):
    if environ["PATH_INFO"] == "/until":
        open("begun", "w").close()
        while not os.path.exists("go"): time.sleep(0.002)
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
WAYS = pytest.mark.parametrize("options", [(), ("--preload",)], ids=["", "preload"])


def until_there(path: Path, text: str = "") -> None:
    wait_until(lambda: (None, path.exists() and text in path.read_text()))


@WAYS
def test_g29_handlers_that_an_application_sets_are_called(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "told_app.py").write_text(APP)
    told = tmp_path / "told.log"
    with Command("told_app:app", *options, cwd=tmp_path) as server:
        wait_ready(server, 1)
        worker = int(server.request(get("/")).body)
        for name in ["SIGUSR1", "SIGUSR2", "SIGHUP", "SIGWINCH", "SIGTTIN", "SIGTTOU"]:
            server.kill(worker, getattr(signal, name))
            until_there(told, name)
        assert int(server.request(get("/")).body) == worker
        for name in ("SIGTERM", "SIGUSR1"):
            server.said(f"{name} is the server's while it serves.* told, is called")
        # It ends what is under way, whatever the handler would do.
        with server.client() as slow:
            slow.send(get("/until"))
            until_there(tmp_path / "begun")
            server.signal(signal.SIGTERM)
            until_there(told, "SIGTERM")
            (tmp_path / "go").touch()
            assert slow.response().status == 200
        assert server.wait() == 0
    assert told.read_text().split().count("SIGTERM") == 1


def test_g29_a_handler_of_faulthandler_is_called(tmp_path: Path) -> None:
    (tmp_path / "faults_app.py").write_text(
        "import faulthandler, os, signal\n"
        "faults = open('faults.log', 'w')\n"
        "for number in (signal.SIGUSR1, signal.SIGUSR2):\n"
        "    faulthandler.register(number, file=faults)\n"
        "def app(environ, start_response):\n"
        "    os.kill(os.getpid(), int(environ['PATH_INFO'][1:]))\n"
        "    start_response('200 OK', [('Content-Length', '0')])\n"
        "    return []\n"
    )
    with Command("faults_app:app", cwd=tmp_path) as server:
        wait_ready(server, 1)
        for number, count in ((signal.SIGUSR2, 1), (signal.SIGUSR1, 2)):
            assert server.request(get(f"/{int(number)}")).status == 200
            assert (tmp_path / "faults.log").read_text().count(" in app\n") == count
        server.said("SIGUSR1 is the server's while it serves; the handler of C code")


STARTED = """
import asyncio, os, signal
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        global ends, loop
        ends, loop = asyncio.Event(), asyncio.get_running_loop()
        def told(*_): loop.call_soon_threadsafe(ends.set)
        {sets}
        await send({{"type": "lifespan.startup.complete"}})
        await receive()
        await send({{"type": "lifespan.shutdown.complete"}})
        return
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    open("begun", "w").close()
    await ends.wait()
    await send({{"type": "http.response.body", "body": b"told"}})
if __name__ == "__main__":
    import celadon
    celadon.run(app, bind="127.0.0.1:0", graceful_timeout=3600)
"""


@pytest.mark.parametrize("way", ["command", "preload", "run"])
@pytest.mark.parametrize(
    "sets",
    [
        "loop.add_signal_handler(signal.SIGTERM, told)",
        "signal.signal(signal.SIGTERM, told)",
    ],
    ids=["of the loop", "of Python"],
)
def test_g29_handlers_that_an_application_sets_in_its_start(
    tmp_path: Path, sets: str, way: str
) -> None:
    """So that streams end which last as long as the server."""
    (tmp_path / "told_app.py").write_text(STARTED.format(sets=sets))
    if way == "run":
        server: Any = Started(sys.executable, "told_app.py", cwd=tmp_path)
    else:
        more = ("--preload",) if way == "preload" else ()
        grace = ("--graceful-timeout", "3600")
        server = Command("told_app:app", *grace, *more, cwd=tmp_path)
    with server:
        with server.client() as slow:
            slow.send(get("/"))
            until_there(tmp_path / "begun")
            server.said("SIGTERM is the server's while it serves.*told, is called")
            server.signal(signal.SIGTERM)
            assert slow.response().body == b"told"
        assert server.wait() == 0


IMPORTING = """
import os, signal, time
signal.signal(signal.SIGTERM, {handler})
open("importing", "w").close()
while not os.path.exists("go"): time.sleep(0.002)
def app(environ, start_response): pass
"""


@WAYS
@pytest.mark.parametrize("handler", ["lambda *_: None", "signal.SIG_DFL"])
def test_g29_a_stop_while_the_application_is_imported(
    tmp_path: Path, options: tuple[str, ...], handler: str
) -> None:
    """Also where the application takes the signal for itself, it is not lost."""
    (tmp_path / "slow_app.py").write_text(IMPORTING.format(handler=handler))
    with Command(
        "slow_app:app", "--graceful-timeout", "3600", *options, cwd=tmp_path
    ) as server:
        until_there(tmp_path / "importing")
        server.signal(signal.SIGTERM)
        if "DFL" not in handler:
            if not options:
                server.wait_line("stopping")
            (tmp_path / "go").touch()
        assert server.wait() == (-signal.SIGTERM if options and "DFL" in handler else 0)


def test_g29_a_stop_that_the_parent_has_blocked(tmp_path: Path) -> None:
    (tmp_path / "told_app.py").write_text(APP)

    def block() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

    with Command("told_app:app", cwd=tmp_path, preexec=block) as server:
        wait_ready(server, 1)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


def test_s06_process_1_is_told_to_end_while_it_imports(tmp_path: Path) -> None:
    """The system gives it no signal that it has no handler for."""
    (tmp_path / "slow_app.py").write_text(
        IMPORTING.format(handler="signal.SIGTERM and signal.getsignal(signal.SIGTERM)")
    )
    if not may_unshare():
        pytest.skip("this machine lends no namespaces")
    command = f"exec {shlex.quote(CELADON)} --bind 127.0.0.1:0 --preload slow_app:app"
    unshare = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    with Started(*unshare, "sh", "-c", command, cwd=tmp_path) as server:
        until_there(tmp_path / "importing")
        pid = server.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        assert server.wait() == 0


def test_s06_what_a_master_is_told_before_it_hears(tmp_path: Path) -> None:
    """By default one of these would end it, another one stop it."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "celadon.conf.py").write_text(
        "import os, time\n"
        "open('importing', 'w').close()\n"
        "while not os.path.exists('go'): time.sleep(0.005)\n"
    )
    with Command("app:app", cwd=tmp_path) as server:
        until_there(tmp_path / "importing")
        for name in ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGTTIN"):
            server.process.send_signal(getattr(signal, name))
        (tmp_path / "go").touch()
        wait_ready(server, 2)
        for line in ("reloading", "SIGUSR2 is ignored", "2 workers are wanted"):
            server.said(line)
