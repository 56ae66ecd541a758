"""Reloads that fail, at every step of one: nothing of them is seen, and the next good one works (S04)."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.load import FOREVER, Load
from tests.support.raw import TIMEOUT, Client, get
from tests.support.servers import CELADON, Command, wait_until
from tests.support.site import Site, kill_worker, ready, renewed, wait_ready
from tests.support.statsd import Daemon

APP = """
import os
if "BROKEN" in os.environ:
    raise ImportError("on purpose")
def app(environ, start_response):
    text = f"1 {os.getpid()}"
    if environ["PATH_INFO"] == "/names":
        text = " ".join([os.environ["NAME"], os.environ["GIVEN"]])
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text.encode()]
"""
CONFIGURATION = """
import os
bind = ["127.0.0.1:0", "unix:{folder}/{name}.sock"]
admin_bind = ["unix:{folder}/{name}.admin"]
workers = 2
os.environ["NAME"] = "{name}"
raw_env = ["GIVEN={name}"]
{more}
"""
LOG = """
logconfig_dict = {"root": {"handlers": ["nowhere"]}}
"""
LATE = """
def post_fork(server, worker):
    if os.path.exists("first"):
        raise ValueError("on purpose")
    open("first", "x").close()
"""
# By the step that fails: what the configuration has then.
STEPS = {
    "a setting": "no_such_setting = 1",
    "the file": "1 / 0",
    "a user": "user = 'nobody-of-that-name'",
    "the logs": LOG,
    "an address": "bind.append('{taken}')",
    "an admin address": "admin_bind.append('{taken}')",
    "a hook": "def on_reload(server): raise ValueError('on purpose')",
    "a hook that leaves": "def on_reload(server): raise SystemExit(3)",
    "the fork": "def pre_fork(server, worker): raise ValueError('on purpose')",
    "the boot": "def post_worker_init(worker): raise ValueError('on purpose')",
    "the import": "raw_env.append('BROKEN=1')",
    "the second boot": LATE,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "names.py").write_text(APP)
    configure(tmp_path, "one")
    return tmp_path


@pytest.fixture
def taken() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield f"127.0.0.1:{other.getsockname()[1]}"


def configure(folder: Path, name: str, more: str = "") -> None:
    text = CONFIGURATION.format(folder=folder, name=name, more=more)
    (folder / "celadon.conf.py").write_text(text)


def serve(folder: Path) -> Command:
    return Command("names:app", "--header-timeout", "2m", bind=None, cwd=folder)


def answers(path: Path, page: str = "/") -> bool:
    try:
        with Client(str(path)) as client:
            client.send(get(page))
            return client.response().status == 200
    except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError):
        return False


def is_served(server: Command, folder: Path, name: str) -> None:
    """All of the configuration `name`, and nothing of another one."""

    def look() -> tuple[object, bool]:
        ends = {"sock": "/", "admin": "/-/live"}
        found = {
            path.name
            for end, page in ends.items()
            for path in folder.glob(f"*.{end}")
            if answers(path, page)
        }
        return found, found == {f"{name}.sock", f"{name}.admin"}

    wait_until(look)
    for _ in range(8):
        assert server.request(get("/names")).body.decode() == f"{name} {name}"


@pytest.mark.parametrize("step", STEPS)
def test_s04_nothing_is_seen_of_a_reload_that_fails(
    folder: Path, taken: str, step: str
) -> None:
    with serve(folder) as server:
        old = wait_ready(server, 2)
        is_served(server, folder, "one")
        configure(folder, "two", STEPS[step].replace("{taken}", taken))
        with Load(server, 1, 7, FOREVER) as load:
            server.signal(signal.SIGHUP)
            server.wait_line("everything stays as it is|the old ones stay")
            if step == "the second boot":  # the first one had served
                wait_until(lambda: (None, not (folder / "two.sock").exists()))
            else:
                assert ready(server) == old
            is_served(server, folder, "one")
            load.wait_for_more(20)
        assert load.wrong == []
        assert load.closed == 0
        # Who comes later has the settings of before as well.
        victim, other = wait_until(lambda: (r := ready(server), len(r) == 2))
        server.kill(victim)
        assert other in wait_ready(server, 2)
        is_served(server, folder, "one")
        with Load(server, 1, 7, FOREVER) as load:
            old = ready(server)
            configure(folder, "three")
            server.signal(signal.SIGHUP)
            renewed(server, old)
            is_served(server, folder, "three")
        assert load.wrong == []
        assert load.closed == 0


REFUSED = "def on_reload(server): raise ValueError('on purpose')"


def test_s04_the_core_has_the_options_of_before(folder: Path) -> None:
    """What nobody could start in is no limit for those who come later."""
    with serve(folder) as server:
        wait_ready(server, 2)
        for more in ("", REFUSED, REFUSED):
            configure(folder, "two", f"startup_timeout = 0.001\n{more}")
            server.signal(signal.SIGHUP)
            server.wait_line("everything stays as it is|the old ones stay")
            kill_worker(server, ready(server)[0])


@pytest.mark.parametrize("step", ["a hook", "the boot"])
def test_s04_statsd_is_told_where_it_was_before(folder: Path, step: str) -> None:
    with udp() as one, udp() as two:
        host = 'statsd_host = "{}"\n'
        configure(folder, "one", host.format(one.address))
        with serve(folder) as server:
            wait_ready(server, 2)
            configure(folder, "two", host.format(two.address) + STEPS[step])
            server.signal(signal.SIGHUP)
            server.wait_line("everything stays as it is|the old ones stay")
            for _ in range(2):
                two.read_all()
                one.lines.act()
                kill_worker(server, ready(server)[0])
                one.lines.wait("workers:2")
            before = len(two.lines)
            assert server.request(get("/")).status == 200
            one.lines.wait("requests:1")
            two.read_all()
            assert [*two.lines[before:]] == ["until here"]


def udp() -> Daemon:
    return Daemon(socket.AF_INET, ("127.0.0.1", 0))


def test_s04_the_logs_are_those_of_before(folder: Path) -> None:
    """Which were open all the time, standard error too."""
    more = """
errorlog, capture_output = "{folder}/two.log", True
logconfig_dict = {{"handlers": {{"two": {{"class": "logging.NullHandler"}}}},
                  "root": {{"handlers": ["two"]}}}}
def {hook}: raise ValueError("on purpose")
"""
    with serve(folder) as server:
        wait_ready(server, 2)
        for hook in ("on_reload(server)", "post_fork(server, worker)"):
            configure(folder, "two", more.format(folder=folder, hook=hook))
            server.signal(signal.SIGHUP)
            server.wait_line("everything stays as it is|the old ones stay")
            assert (folder / "two.log").exists()
            victim = ready(server)[0]
            server.kill(victim)
            server.wait_line(f"worker {victim} was killed")
            wait_ready(server, 2)
            configure(folder, "one")


def test_s04_the_log_level_is_that_of_before(folder: Path) -> None:
    """Which was set while it ran: for workers that stay, that come, and that are told."""
    says = """
control_socket = "{folder}/control"
def post_worker_init(worker):
    worker.log.debug("a worker has its settings, %s", worker.pid)
"""
    configure(folder, "one", says.format(folder=folder))
    with serve(folder) as server:
        wait_ready(server, 2)
        words = [CELADON, "ctl", "--control-socket", str(folder / "control")]
        subprocess.run([*words, "log-level", "debug"], check=True, timeout=TIMEOUT)
        configure(folder, "two", says.format(folder=folder) + STEPS["the boot"])
        server.signal(signal.SIGHUP)
        server.wait_line("the old ones stay")
        for victim in ready(server):
            kill_worker(server, victim)
        for pid in ready(server):
            assert any(f"its settings, {pid}" in line for line in server.lines)


def test_s04_back_and_forth_before_anybody_has_booted(folder: Path) -> None:
    """What is to close is open still, and is taken back."""
    waiting = """
def post_fork(server, worker):
    import time
    while not os.path.exists("go"): time.sleep(0.005)
"""
    with serve(folder) as server:
        old = wait_ready(server, 2)
        for name in ("two", "one", "two"):
            configure(folder, name, waiting)
            server.signal(signal.SIGHUP)
            server.wait_line("reloading")
            assert answers(folder / "one.sock")
        # Those that nobody waits for any more end, one that has a bad file changes nothing.
        configure(folder, "three", "no_such_setting = 1")
        server.signal(signal.SIGHUP)
        server.wait_line("everything stays as it is")
        (folder / "go").touch()
        renewed(server, old)
        is_served(server, folder, "two")
        assert not any("in use" in line for line in server.lines)


def test_hooks_of_a_module_find_what_they_found_before(site: Site) -> None:
    """What a reload that is refused has read is nowhere."""
    conf = site.folder / "site_conf.py"
    text = (
        "NAME = {name!r}\nworkers = {workers!r}\n"
        "def post_fork(server, worker): server.log.info('forked by %s', NAME)\n"
    )
    conf.write_text(text.format(name="the first", workers=1))
    with site.serve("--config", "python:site_conf") as server:
        [worker] = wait_ready(server, 1)
        server.wait_line("forked by the first")
        conf.write_text(text.format(name="another one", workers="none"))
        server.signal(signal.SIGHUP)
        server.wait_line("workers: expected a number above 0")
        server.lines.forget()
        kill_worker(server, worker)
        server.wait_line("forked by the first")
        conf.write_text("1 / 0\n")
        server.signal(signal.SIGHUP)
        server.wait_line("config: python:site_conf cannot be read")
        conf.write_text(text.format(name="the last of all", workers=1))
        server.signal(signal.SIGHUP)
        server.wait_line("forked by the last of all")
