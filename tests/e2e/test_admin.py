"""The admin process: its pages, and the control socket behind `celadon ctl`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from celadon import config
from celadon.errors import UsageError

from tests.support import raw
from tests.support.raw import TIMEOUT, Client, Response
from tests.support.servers import CELADON, Command, wait_until
from tests.support.site import (
    Site,
    admin_processes,
    ask,
    gone,
    ready,
    renewed,
    wait_ready,
)


class Administered:
    """A site with admin pages and a control socket in its folder."""

    def __init__(self, site: Site, *options: str) -> None:
        self.socket = site.folder / "control"
        self.server = site.serve(
            "--admin-bind",
            "127.0.0.1:0",
            "--control-socket",
            str(self.socket),
            *options,
        )

    def __enter__(self) -> Administered:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.server.stop()

    def page(self, name: str, *fields: str) -> Response:
        port = int(self.server.said(r"admin pages at http://.*:(\d+)")[1])
        with Client(("127.0.0.1", port)) as client:
            lines = "".join(f"{field}\r\n" for field in fields)
            client.send(
                f"GET /-/{name} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode()
            )
            return client.response()

    def ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [CELADON, "ctl", "--control-socket", str(self.socket), *words],
            capture_output=True,
            text=True,
            timeout=60,
        )

    def asked(self, *words: str) -> dict[str, Any]:
        done = self.ctl("--json", *words)
        assert done.returncode == 0, done.stderr + done.stdout
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    @property
    def process(self) -> int:
        """The admin process itself."""
        return next(iter(admin_processes(self.server)), 0)


def test_pages_say_how_the_server_is(site: Site) -> None:
    with Administered(site, "--workers", "2") as admin:
        wait_ready(admin.server, 2)
        for name in ("live", "ready", "startup"):
            assert admin.page(name).status == 200
        stats = json.loads(admin.page("stats").body)
        assert stats["status"]["state"] == "serving"
        assert [w["state"] for w in stats["workers"]] == ["ready"] * 2
        assert admin.page("nothing").status == 404


def test_pages_answer_while_every_worker_is_blocked(site: Site) -> None:
    (site.folder / "site_app.py").write_text(
        "import os\n"
        "def app(environ, start_response):\n"
        "    while not os.path.exists('go'): pass\n"
        "    start_response('200 OK', [('Content-Length', '0')])\n"
        "    return []\n"
    )
    with Administered(site) as admin, admin.server.client() as client:
        (worker,) = wait_ready(admin.server, 1)
        client.send(raw.get("/"))
        admin.server.wait_line("the loop is held")
        assert admin.page("live").status == 200
        (slot,) = json.loads(admin.page("stats").body)["workers"]
        assert (slot["pid"], slot["requests"]) == (worker, 1)
        assert slot["held"] > 0.1
        (site.folder / "go").touch()
        assert client.response().status == 200


def test_before_the_first_worker_is_ready(site: Site) -> None:
    (site.folder / "site_app.py").write_text(
        "import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\n"
        "def app(e, s): s('200 OK', [('Content-Length', '0')]); return []\n"
    )
    with Administered(site) as admin:
        assert admin.page("startup").status == 503
        assert admin.page("ready").status == 503
        assert admin.page("live").status == 200
        (site.folder / "go").touch()
        wait_ready(admin.server, 1)
        assert admin.page("startup").status == 200
        assert admin.page("ready").status == 200


def test_what_is_not_open_needs_the_token(site: Site) -> None:
    options = ("--admin-allow-ips", "192.0.2.1", "--admin-token", "secret")
    with Administered(site, *options) as admin:
        wait_ready(admin.server, 1)
        assert admin.page("live").status == 200
        assert admin.page("stats").status == 401
        assert admin.page("stats", "Authorization: Bearer wrong").status == 401
        assert admin.page("stats", "Authorization: Bearer secret").status == 200
        assert admin.asked("config")["settings"]["admin_token"]["value"] == "***"


def test_pages_that_are_open_are_a_setting(site: Site) -> None:
    options = ("--admin-allow-ips", "192.0.2.1", "--admin-open", "live,stats")
    with Administered(site, *options) as admin:
        wait_ready(admin.server, 1)
        for page, status in (("live", 200), ("stats", 200), ("metrics", 401)):
            answer = admin.page(page)
            assert (answer.status, answer.reason != "Unknown") == (status, True), page


def comes_back(admin: Administered, old: int) -> None:
    wait_until(lambda: (p := admin.process, p not in (0, old)))


def test_a_killed_admin_process_is_back_and_nobody_noticed(site: Site) -> None:
    with Administered(site) as admin, admin.server.client() as client:
        (worker,) = wait_ready(admin.server, 1)
        for _ in range(3):
            killed = wait_until(lambda: (p := admin.process, p > 0))
            client.send(raw.get("/sleep"))
            os.kill(killed, signal.SIGKILL)
            comes_back(admin, killed)
            assert admin.page("live").status == 200
            assert client.response().body == f"1 {worker}".encode()
        assert ready(admin.server) == [worker]


def test_the_admin_process_leaves_with_its_master(site: Site) -> None:
    with Administered(site) as admin:
        wait_ready(admin.server, 1)
        pid = wait_until(lambda: (p := admin.process, p > 0))
        admin.server.process.kill()
        wait_until(lambda: (None, gone(pid)))


def test_commands(site: Site) -> None:
    with Administered(site, "--workers", "2") as admin:
        old = wait_ready(admin.server, 2)
        status = admin.asked("status")
        assert (status["state"], status["workers"]) == ("serving", 2)
        assert status["pid"] == admin.server.process.pid
        assert admin.asked("health")["live"] is True
        assert {w["pid"] for w in admin.asked("workers")["workers"]} == set(old)
        assert admin.asked("config")["settings"]["workers"]["value"] == 2
        admin.asked("workers", "add")
        wait_ready(admin.server, 3)
        admin.asked("workers", "remove")
        old = wait_ready(admin.server, 2)
        site.write(2)
        admin.asked("reload")
        renewed(admin.server, old)
        assert ask(admin.server)[0] == "2"
        victim = ready(admin.server)[0]
        admin.asked("workers", "kill", str(victim))
        admin.server.wait_line(f"worker {victim} was killed by SIGKILL")
        assert victim not in wait_ready(admin.server, 2)
        admin.asked("reopen")
        assert "pid" in admin.ctl("workers").stdout
        admin.asked("shutdown")
        assert admin.server.wait() == 0


def test_ctl_reload_tells_what_became_of_it(site: Site) -> None:
    with Administered(site) as admin:

        def last() -> tuple[str, str]:
            found = admin.asked("status")["last_reload"]
            return found["outcome"], found.get("error", "")

        old = wait_ready(admin.server, 1)
        assert last() == ("none", "")
        site.write(2)
        assert admin.ctl("reload").stdout == "done\n"
        renewed(admin.server, old)
        assert last() == ("done", "")
        site.spoil()
        failed = admin.ctl("reload")
        assert failed.returncode == 1
        assert "cannot import 'site_app': ZeroDivisionError" in failed.stdout
        assert last()[0] == "failed"
        assert "last_reload: failed, 2" in admin.ctl("status").stdout
        assert ask(admin.server)[0] == "2"
        site.write(3)
        (site.folder / "celadon.toml").write_text('workers = "many"')
        refused = admin.ctl("reload")
        assert refused.returncode == 1
        assert "workers: " in refused.stdout
        assert last()[0] == "refused"
        (site.folder / "celadon.toml").write_text("admin_token = 'x'\n")
        # Which renews the process that is to answer.
        assert admin.ctl("reload").stdout == "done\n"
        assert ask(admin.server)[0] == "3"


def reload_that_waits(
    admin: Administered, site: Site, beside: ThreadPoolExecutor
) -> Future[subprocess.CompletedProcess[str]]:
    """Of version 2, whose module is imported until the file `hold` is away."""
    (site.folder / "hold").touch()
    site.write(2)
    app = site.folder / "site_app.py"
    waits = "import os, time\nwhile os.path.exists('hold'): time.sleep(0.005)\n"
    app.write_text(waits + app.read_text())
    asked = beside.submit(admin.ctl, "reload")
    admin.server.wait_line("reloading")
    return asked


def test_a_refused_reload_is_not_the_end_of_the_one_under_way(site: Site) -> None:
    with Administered(site) as admin, ThreadPoolExecutor(1) as beside:
        wait_ready(admin.server, 1)
        first = reload_that_waits(admin, site, beside)
        (site.folder / "celadon.toml").write_text('workers = "many"')
        try:
            refused = admin.ctl("reload")
            assert (refused.returncode, "workers: " in refused.stdout) == (1, True)
            assert admin.asked("status")["last_reload"]["outcome"] == "running"
        finally:
            (site.folder / "hold").unlink()
        assert first.result().stdout == "done\n"
        assert admin.asked("status")["last_reload"]["outcome"] == "done"
        assert ask(admin.server)[0] == "2"


def test_drain_turns_readiness_off_and_serves(site: Site) -> None:
    with Administered(site) as admin:
        wait_ready(admin.server, 1)
        admin.asked("drain")
        assert admin.page("ready").status == 503
        assert admin.ctl("health").returncode == 1
        assert ask(admin.server)[0] == "1"
        admin.asked("drain", "off")
        assert admin.page("ready").status == 200


def test_drain_delay(site: Site) -> None:
    """design §2.4: not ready at once, new connections served, each told to close."""
    with Administered(site, "--drain-delay", "600") as admin:
        wait_ready(admin.server, 1)
        with admin.server.client() as early:
            early.send(raw.get("/"))
            assert early.response().get("Connection") is None
            admin.server.signal(signal.SIGTERM)
            admin.server.wait_line("stopping after drain_delay")
            assert admin.page("ready").status == 503
            assert admin.asked("status")["state"] == "stopping"
            answer = admin.server.request(raw.get("/"))
            assert (answer.status, answer.get("Connection")) == (200, "close")
            early.send(raw.get("/"))
            assert early.response().get("Connection") == "close"
        admin.server.signal(signal.SIGQUIT)
        assert admin.server.wait() == 0
    with Administered(site, "--drain-delay", "0.1") as admin:
        wait_ready(admin.server, 1)
        admin.server.signal(signal.SIGTERM)
        assert admin.server.wait() == 0


def test_stacks_of_those_that_answer_and_of_those_that_are_held(site: Site) -> None:
    (site.folder / "site_app.py").write_text(
        "import os, time\n"
        "def wait_here(): time.sleep(30)\n"
        "def app(environ, start_response):\n"
        "    if environ['PATH_INFO'] == '/wait': wait_here()\n"
        "    while environ['PATH_INFO'] == '/hold' and not os.path.exists('go'): pass\n"
        "    start_response('200 OK', [('Content-Length', '0')])\n"
        "    return []\n"
    )
    with (
        Administered(site, "--workers", "2") as admin,
        admin.server.client() as waiting,
    ):
        wait_ready(admin.server, 2)
        waiting.send(raw.get("/wait"))
        wait_until(lambda: (s := admin.asked("status"), s["requests"] == 1))
        answers = admin.asked("stacks")["workers"]
        assert [each["answered"] for each in answers] == [True, True]
        text = admin.ctl("stacks").stdout
        assert "in wait_here" in text
        assert "GET /wait" in text
        with admin.server.client() as holding:
            holding.send(raw.get("/hold"))
            admin.server.wait_line("the loop is held")
            answers = admin.asked("stacks")["workers"]
            assert sorted(each["answered"] for each in answers) == [False, True]
            done = admin.ctl("stacks")
            assert "its loop is held" in done.stdout
            (held,) = [each["pid"] for each in answers if not each["answered"]]
            assert re.fullmatch(
                rf"worker \d \(pid {held}\) did not answer: its loop is held, .*\n",
                done.stderr,
            )
            with ThreadPoolExecutor(1) as pool:
                patient = pool.submit(admin.ctl, "stacks", "10m")
                (site.folder / "go").touch()
                assert holding.response().status == 200
                done = patient.result()
            assert (done.returncode, done.stderr) == (0, "")
            assert "its loop is held" not in done.stdout
        assert "celadon ctl stacks [SECONDS]" in admin.ctl("stacks", "soon").stderr
        admin.server.signal(signal.SIGINT)
        assert admin.server.wait() == 0


def test_stacks_of_those_that_import_are_not_there_yet(site: Site) -> None:
    (site.folder / "site_app.py").write_text(
        "import os, time\n"
        "while not os.path.exists('go'): time.sleep(0.01)\n"
        "def app(environ, start_response): ...\n"
    )
    with Administered(site) as admin:
        admin.server.said(r"listening at (.*)")
        done = admin.ctl("stacks")
        assert done.stderr == "worker 0 imports its application still\n"
        (site.folder / "go").touch()
        wait_ready(admin.server, 1)
        assert admin.ctl("stacks").stderr == ""


@pytest.mark.row("S17")
def test_routes_are_told_letter_by_letter(site: Site) -> None:
    (site.folder / "site_app.py").write_text(
        "def app(environ, start_response):\n"
        "    environ['celadon.request'].route = '/caf\\u00e9/\"{x}\"/\\u20ac\\\\{y}'\n"
        "    start_response('200 OK', [('Content-Length', '0')])\n"
        "    return []\n"
    )
    with Administered(site) as admin:
        assert admin.server.request(raw.get("/")).status == 200

        def told() -> tuple[list[dict[str, Any]], bool]:
            # The answer is there a moment before it is counted.
            routes = json.loads(admin.page("stats").body)["routes"]
            return routes, bool(routes)

        [route] = wait_until(told)
        assert route["route"] == 'GET /caf\u00e9/"{x}"/\u20ac\\{y}'


def test_who_may_use_the_socket(site: Site) -> None:
    with Administered(site) as admin:
        wait_ready(admin.server, 1)
        assert admin.socket.stat().st_mode & 0o777 == 0o600
    assert not admin.socket.exists()
    done = admin.ctl("status")
    assert (done.returncode, "no server answers" in done.stderr) == (1, True)
    with Administered(site, "--control-socket-mode", "0o660") as admin:
        wait_ready(admin.server, 1)
        assert admin.socket.stat().st_mode & 0o777 == 0o660


NO_FOLDER = {"XDG_RUNTIME_DIR": "", "RUNTIME_DIRECTORY": ""}


def test_without_a_folder_the_socket_is_abstract(site: Site) -> None:
    """design §9: named after user and listener; only a path that was named may fail."""
    with Command("site_app:app", cwd=site.folder, env=NO_FOLDER) as server:
        wait_ready(server, 1)
        name = f"\0celadon-127.0.0.1-{server.port}-{os.getuid()}"
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(name)
            connection.sendall(b"status\n")
            size, text = connection.makefile("r").read().split("\n", 1)
        assert int(size) == len(text)
        assert json.loads(text)["workers"] == 1
    bad = Command(
        "site_app:app", "--control-socket", "/nowhere/control", cwd=site.folder
    )
    assert bad.wait() == 1
    assert "/nowhere/control" in "\n".join(bad.lines)


@pytest.mark.parametrize("folder", ["", "here", "x" * 100])
def test_each_server_has_a_socket_of_its_own(site: Site, folder: str) -> None:
    """Two of one account whose listeners are called alike, in folders that differ in
    letters which no name of a socket can have; also where the place for it is too deep."""
    env = dict(NO_FOLDER)
    if folder:
        (site.folder / folder).mkdir()
        env["XDG_RUNTIME_DIR"] = str(site.folder / folder)
    code = (site.folder / "site_app.py").read_text()
    with contextlib.ExitStack() as stack:
        pids = {}
        for name in ("ä", "ö"):
            place = site.folder / name
            place.mkdir()
            (place / "site_app.py").write_text(code)
            server = Command("site_app:app", bind="unix:s", cwd=place, env=env)
            stack.enter_context(server)
            wait_ready(server, 1)
            pids[place] = server.process.pid
            assert not any("control" in line for line in server.lines)
        for place, pid in pids.items():
            words = ("ctl", "--bind", "unix:s", "--json", "status")
            done = subprocess.run(
                [CELADON, *words],
                cwd=place,
                env={**os.environ, **env},
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
            )
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["pid"] == pid


@pytest.mark.parametrize(
    "data", [b"x" * 2000, b"\n", b"\0\xff\n", b"workers kill -1\n", b"status"]
)
def test_rubbish_on_the_control_socket(site: Site, data: bytes) -> None:
    with Administered(site) as admin:
        wait_ready(admin.server, 1)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(admin.socket))
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            reply = connection.makefile("rb").read()
        assert reply == b"" or b'"ok":false' in reply
        assert admin.asked("status")["workers"] == 1


def test_commands_that_are_none(site: Site) -> None:
    with Administered(site) as admin:
        wait_ready(admin.server, 1)
        done = admin.ctl("explode")
        assert (done.returncode, "unknown command 'explode'" in done.stderr) == (
            2,
            True,
        )
        assert "shutdown" in admin.ctl().stdout
        assert admin.ctl("workers", "kill", "1").returncode == 1
        assert admin.ctl("drain", "on").returncode == 1


def slow_heads(admin: Administered, count: int) -> list[socket.socket]:
    port = int(admin.server.said(r"admin pages at http://.*:(\d+)")[1])
    clients = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        client.sendall(b"GET /-/live HTTP/1.1\r\nHost: a\r\n")
        clients.append(client)
    return clients


def test_s13_a_probe_gets_in_whoever_was_there_before(site: Site) -> None:
    with Administered(site) as admin, contextlib.ExitStack() as stack:
        wait_ready(admin.server, 1)
        clients = [stack.enter_context(each) for each in slow_heads(admin, 300)]
        assert admin.page("live").status == 200
        # Not because its time was over: then it is told.
        assert clients[0].recv(100) == b""


def test_s12_the_admin_process_waits_for_nobody(site: Site) -> None:
    with Administered(site) as admin, contextlib.ExitStack() as stack:
        wait_ready(admin.server, 1)
        port = int(admin.server.said(r"admin pages at http://.*:(\d+)")[1])
        master = admin.server.process.pid
        os.kill(master, signal.SIGSTOP)
        try:
            for _ in range(280):
                client = stack.enter_context(Client(("127.0.0.1", port)))
                client.send(b"GET /-/config HTTP/1.1\r\nHost: localhost\r\n\r\n")
                client.close()
            for name in ("live", "ready"):
                assert admin.page(name).status == 200
        finally:
            os.kill(master, signal.SIGCONT)
        # Once the master has worked through what waits there.
        wait_until(lambda: (s := admin.page("config").status, s == 200))


SECRETS = {
    "raw_env": "PASSWORD=h1dd3n",
    "raw_paste_global_conf": "key=h1dd3n",
    "admin_token": "h1dd3n",
}


def test_s14_no_secret_is_shown(site: Site) -> None:
    options = [
        *("--env", SECRETS["raw_env"], "--admin-token", SECRETS["admin_token"]),
        *("--paste-global", SECRETS["raw_paste_global_conf"]),
    ]
    with Administered(site, *options) as admin:
        wait_ready(admin.server, 1)
        page = admin.page("config").body.decode()
        shown = json.loads(page)["settings"]
        assert shown["raw_env"]["value"] == ["PASSWORD=***"]
        assert "h1dd3n" not in page
        assert "h1dd3n" not in admin.ctl("config").stdout
    for words in (["config"], ["config", "--json"]):
        printed = subprocess.run(
            [CELADON, *words, *options], capture_output=True, text=True, check=True
        )
        assert "PASSWORD=***" in printed.stdout
        assert "h1dd3n" not in printed.stdout


@pytest.mark.parametrize("name", ["raw_env", "raw_paste_global_conf"])
def test_s14_nor_what_is_wrong_with_it(name: str) -> None:
    with pytest.raises(UsageError) as raised:
        config.load({name: "h1dd3n"})
    assert name in str(raised.value)
    assert "h1dd3n" not in str(raised.value)
