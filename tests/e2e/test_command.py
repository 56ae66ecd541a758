"""The `celadon` command as a user meets it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import celadon
import pytest

from tests.support import raw
from tests.support.servers import CELADON, ROOT, Command, Started, wait_until
from tests.support.site import wait_ready

PROBE = "tests.apps.probe:app"


def run(
    *args: str, env: Mapping[str, str | None] | None = None
) -> subprocess.CompletedProcess[str]:
    """With a port that nobody else has, where `env` says nothing else; what is None there
    is left out."""
    words = {**os.environ, "CELADON_BIND": "127.0.0.1:0", **(env or {})}
    return subprocess.run(
        [CELADON, *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=raw.TIMEOUT,
        env={name: value for name, value in words.items() if value is not None},
    )


@pytest.mark.row("T24")
def test_serves_and_stops_on_sigterm() -> None:
    """The signal is seen while the loop waits in C."""
    with Command(PROBE) as server:
        assert server.request(raw.get()).body == b"hello"
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    server_log = "\n".join(server.lines)
    assert "stopping: finishing requests" in server_log
    assert "Traceback" not in server_log


@pytest.mark.parametrize(
    ("target", "options", "body"),
    [
        ("tests.apps.probe", [], b"hello"),
        ("tests.apps.probe:make()", [], b"made"),
        ("tests.apps.probe:make('hi')", [], b"hi"),
        ("tests.apps.probe:make", ["--factory"], b"made"),
    ],
)
def test_targets(target: str, options: list[str], body: bytes) -> None:
    with Command(target, *options) as server:
        assert server.request(raw.get()).body == body


NO_WSGI = """
import functools
async def coroutine(scope, receive, send): pass
class Asgi:
    async def __call__(self, scope, receive, send): pass
class Old:
    def __init__(self, scope): pass
asgi, wrapped = Asgi(), functools.partial(coroutine)
async def generator(scope, receive, send): yield
def make(): return wsgi
def make_with(settings=None): return wsgi
def three(environ, start_response, more): pass
def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
def passed_on(*args): return wsgi(*args)
class Called:
    def __call__(self, environ, start_response): return wsgi(environ, start_response)
called = Called()
class Made:
    def __init__(self, environ, start_response): self.parts = wsgi(environ, start_response)
    def __iter__(self): return iter(self.parts)
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("generator", "is an asynchronous generator"),
        *((name, "takes no two arguments") for name in ("Old", "three")),
        *(
            (name, rf"write kinds:{name}\(\), or --factory")
            for name in ("make", "make_with")
        ),
    ],
)
def test_s23_what_is_no_application_is_refused_before_it_serves(
    tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "kinds.py").write_text(NO_WSGI)
    with Command(f"kinds:{name}", cwd=tmp_path) as server:
        assert server.wait() == 4
        server.said(said)


@pytest.mark.parametrize("name", ["wsgi", "passed_on", "called", "Made", "make()"])
def test_s23_others_are_served(tmp_path: Path, name: str) -> None:
    (tmp_path / "kinds.py").write_text(NO_WSGI)
    with Command(f"kinds:{name}", cwd=tmp_path) as server:
        assert server.request(raw.get()).body == b"ok"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("generator", "is an asynchronous generator"),
        ("three", "takes no two arguments"),
        ("make", "makes an application: give what it returns"),
    ],
)
@pytest.mark.parametrize("how", ["run", "Server"])
def test_s23_from_python_too(tmp_path: Path, how: str, name: str, said: str) -> None:
    (tmp_path / "kinds.py").write_text(NO_WSGI)
    code = f"import celadon, kinds; celadon.{how}(kinds.{name}, bind='127.0.0.1:0')"
    with Started(sys.executable, "-c", code, cwd=tmp_path) as server:
        assert server.wait() == 1
        server.said(f"AppError: .*{said}")


@pytest.mark.row("S19")
@pytest.mark.parametrize("bad", ["1 / 0", "def app(environ): pass"])
def test_why_a_worker_does_not_boot_is_in_the_error_log(
    tmp_path: Path, bad: str
) -> None:
    (tmp_path / "bad_app.py").write_text(bad + "\n")
    log = tmp_path / "error.log"
    with Command("bad_app:app", "--error-logfile", str(log), cwd=tmp_path) as server:
        assert server.wait() == 4
    text = log.read_text()
    assert "bad_app" in text
    assert "ZeroDivisionError" in text or "takes no two arguments" in text


@pytest.mark.row("S19")
@pytest.mark.parametrize(
    ("words", "hooks", "said"),
    [
        (("--preload",), "", "ZeroDivisionError: "),
        ((), "def on_starting(server): 1 / 0", "ZeroDivisionError: "),
        (("--bind", "192.0.2.1:0"), "", "cannot bind to '192.0.2.1:0'"),
        (("--pid", "/nosuch/x"), "", "pidfile: /nosuch/x: No such file"),
    ],
)
def test_why_a_server_does_not_start_is_in_the_error_log(
    tmp_path: Path, words: tuple[str, ...], hooks: str, said: str
) -> None:
    """And on standard error, once also where that is the log, or goes there."""
    (tmp_path / "bad_app.py").write_text("1 / 0\n")
    (tmp_path / "celadon.conf.py").write_text(hooks)
    log = tmp_path / "error.log"
    told = []
    for more in ([str(log)], ["-"], [str(log), "--capture-output"]):
        log.write_text("")
        options = ("--error-logfile", *more, *words)
        with Command("bad_app:app", *options, cwd=tmp_path) as server:
            assert server.wait() in (1, 4)
        told.append(
            [text.count(said) for text in ("\n".join(server.lines), log.read_text())]
        )
    count = told[0][0]
    assert count > 0
    assert told == [[count, count], [count, 0], [0, count]]


@pytest.mark.row("S19")
def test_who_names_the_control_socket_reads_no_configuration(tmp_path: Path) -> None:
    path = tmp_path / "here.ctl"
    with Command(PROBE, "--control-socket", str(path)) as server:
        server.said("worker .* is ready")
        (tmp_path / "celadon.conf.py").write_text("open('run', 'x').close()\n1 / 0\n")
        for words in (["ctl", "status"], ["top", "--once", "--interval", "0.01"]):
            for named in (["--control-socket", str(path)], []):
                done = subprocess.run(
                    [CELADON, *words, *named],
                    cwd=tmp_path,
                    capture_output=True,
                    text=True,
                    timeout=raw.TIMEOUT,
                    env={**os.environ, "CELADON_CONTROL_SOCKET": str(path)},
                )
                assert done.returncode == 0, done.stderr
        assert not (tmp_path / "run").exists()


@pytest.mark.row("T25", "EN12")
def test_names_are_taken_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "OneShop.py").write_text(
        "def MakeIt(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Length', '4')])\n"
        "    return [str(environ['wsgi.multiprocess']).encode()]\n"
    )
    with Command("OneShop:MakeIt", "--workers", "2", cwd=tmp_path) as server:
        assert server.request(raw.get()).body == b"True"


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        ([], 2, "no application given"),
        (["--bnid", "x", "a:b"], 2, "did you mean --bind"),
        (
            ["--workers", "some", PROBE],
            2,
            "workers: expected a number above 0, or auto",
        ),
        (["--workers", "0", PROBE], 2, "workers: expected a number above 0, or auto"),
        (["--certfile", "x", PROBE], 2, "x: No such file or directory"),
        (["--keep-alive", "soon", PROBE], 2, "keepalive: expected a duration"),
        (["--metrics-buckets", "1,1", PROBE], 2, "metrics_buckets: expected up to 64"),
        (["--metrics-buckets", "0,1", PROBE], 2, "metrics_buckets: expected up to 64"),
        (["--metrics-buckets", ",", PROBE], 2, "metrics_buckets: expected up to 64"),
        (["--worker-class", "tornado", PROBE], 2, "worker_class"),
        (["a:b", "c:d"], 2, "one target only"),
        (["no_such_module:app"], 4, "no module 'no_such_module'"),
        (["tests.apps.probe:nothing"], 4, "no attribute 'nothing'"),
        (["tests.apps.probe:log"], 4, "is not callable"),
        (["tests.apps.probe:make(x)"], 4, "literal arguments"),
        (["tests.apps.broken:app"], 4, "ZeroDivisionError"),
        (["tests.apps.leaving:app"], 4, "SystemExit"),
        (["--bind", "127.0.0.1:http", PROBE], 2, "bind: expected HOST:PORT"),
        (["--bind", "unix:", PROBE], 2, "cannot bind"),
        (["--bind", "fd://77", PROBE], 1, "cannot bind"),
        (["--bind", "unix:/" + "x" * 107, PROBE], 2, "the path is too long"),
        (["--bind", "unix:/\udcff", PROBE], 2, "bind: 'unix:/\\udcff' is no text in"),
        (["--pid", "/\udcff", PROBE], 2, "pidfile: '/\\udcff' is no text in UTF-8"),
        (["--chdir", "/nonexistent", PROBE], 2, "chdir"),
        (["--access-logfile", "/nonexistent/x", PROBE], 2, "accesslog: no directory"),
        (["--access-logfile", "/", PROBE], 2, "accesslog: '/' is a directory"),
        (["--bind", "unix:/nonexistent/x", PROBE], 1, "no such file or directory"),
        (["--backlog", "9" * 20, PROBE], 2, "backlog: expected at most"),
        (["--keep-alive", "9" * 20, PROBE], 2, "keepalive: expected at most"),
        (["--limit-request-body", "9" * 20, PROBE], 2, "limit_request_body: expected"),
        (["--body-buffer", "0", PROBE], 2, "body_buffer: expected at least 1 byte"),
        (["./some/probe.py:app"], 4, "probe:app with --chdir some"),
        (["probe.py"], 4, "is a file, a module is wanted: probe:app"),
        (["--forwarded-allow-ips", "wrong", PROBE], 2, "forwarded_allow_ips"),
    ],
)
def test_mistakes_get_one_clear_line(
    args: list[str], status: int, message: str
) -> None:
    done = run(*args)
    assert done.returncode == status, done.stderr
    assert message in done.stderr
    assert f"{Path(celadon.__file__).parent}/" not in done.stderr  # no frame of ours


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], 1, "usage: "),
        (["--help"], 0, "usage: "),
        (["nowhere.py"], 1, "there is no file 'nowhere.py'"),
    ],
)
def test_a_program_of_meinhelds_that_is_not_there(
    words: list[str], status: int, said: str
) -> None:
    command = [sys.executable, "-m", "celadon.contrib.meinheld", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == status
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words", [("config",), ("config", "--json"), ("--help",), ("check", PROBE)]
)
def test_a_reader_that_has_seen_enough(words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [CELADON, *words], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


def test_an_application_that_fails_to_import_shows_its_own_traceback() -> None:
    done = run("tests.apps.broken:app")
    assert "broken.py" in done.stderr
    assert "1 / 0" in done.stderr


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_streams_that_are_closed_at_the_start_lead_nowhere(
    tmp_path: Path, closed: tuple[int, ...]
) -> None:
    """No socket and no log gets their numbers, and so what an application prints."""

    def close() -> None:
        for number in closed:
            os.close(number)

    path, log = tmp_path / "s", tmp_path / "log"
    options = ("--error-logfile", str(log), "--pid", str(tmp_path / "pid"))
    with Command(PROBE, *options, bind=f"unix:{path}", preexec=close) as server:
        wait_until(lambda: (None, log.exists() and "is ready" in log.read_text()))
        with raw.Client(str(path)) as client:
            client.send(raw.get())
            assert client.response().body == b"hello"
        worker = re.search(r"worker (\d+) is ready", log.read_text())
        assert worker
        for pid in (server.process.pid, worker[1]):
            for number in closed:
                assert os.readlink(f"/proc/{pid}/fd/{number}") == os.devnull


def test_version_help_and_configuration() -> None:
    assert run("--version").stdout.startswith("celadon 0.")
    text = run("--help").stdout
    for flag in (
        "--bind",
        "--keep-alive",
        "--limit-request-field_size",
        "--access-logfile",
    ):
        assert flag in text
    done = run("--check-config", PROBE)
    assert (done.returncode, done.stdout.strip()) == (0, "configuration is fine")
    shown = run("--print-config", "--keep-alive", "7").stdout
    assert "keepalive = 7  # command line" in shown
    given = {"CELADON_KEEPALIVE": "8", "PORT": "99", "CELADON_BIND": None}
    shown = run("--print-config", env=given).stdout
    assert "keepalive = 8  # environment CELADON_KEEPALIVE" in shown
    assert "bind = 0.0.0.0:99" in shown


def test_unknown_environment_setting_is_an_error() -> None:
    done = run("--print-config", env={"CELADON_WORKRES": "1"})
    assert (done.returncode, "did you mean 'workers'" in done.stderr) == (2, True)
    done = run(
        "--print-config", env={"CELADON_SERVICE_HOST": "1", "CELADON_PORT_80_TCP": "x"}
    )
    assert done.returncode == 0


def test_several_addresses_and_unix_sockets(tmp_path: Path) -> None:
    path = str(tmp_path / "celadon.sock")
    with Command(PROBE, "--bind", f"unix:{path}", "--umask", "0o077") as server:
        assert server.request(raw.get()).body == b"hello"
        assert os.stat(path).st_mode & 0o777 == 0o700
        with raw.Client(path) as client:
            client.send(raw.get())
            assert client.response().body == b"hello"
    assert not os.path.exists(path)


def test_a_stale_unix_socket_is_replaced_a_live_one_is_not(tmp_path: Path) -> None:
    path = str(tmp_path / "celadon.sock")
    with Command(PROBE, bind=f"unix:{path}") as server:
        wait_ready(server, 1)
        done = run("--bind", f"unix:{path}", PROBE)
        assert (done.returncode, "already in use" in done.stderr) == (1, True)
        server.process.kill()
        server.wait()
    assert os.path.exists(path)
    with Command(PROBE, bind=f"unix:{path}") as server:
        wait_ready(server, 1)


def test_inherited_descriptor() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        fd = listener.fileno()
        with Started(CELADON, "--bind", f"fd://{fd}", PROBE, pass_fds=[fd]):
            with raw.Client(("127.0.0.1", port)) as client:
                client.send(raw.get())
                assert client.response().body == b"hello"


def test_access_log(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    fmt = '%(h)s %(m)s %(U)s %(q)s %(H)s %(s)s %(B)s %(b)s "%({x-a}i)s" "%({Content-Type}o)s" %(z)s'
    with Command(
        PROBE, "--access-logfile", str(path), "--access-logformat", fmt
    ) as server:
        server.request(raw.get("/sleep?s=0", 'X-A: say "hi"\x80'))
        with server.client() as client:
            client.send(raw.get("/none", method="HEAD"))
            client.response(head_only=True)
        with server.client() as client:
            client.send(b"BAD\r\n\r\n")
            client.responses()
    lines = path.read_text().splitlines()
    assert lines[0] == (
        '127.0.0.1 GET /sleep s=0 HTTP/1.1 200 5 5 "say \\x22hi\\x22\\x80" "text/plain" -'
    )
    assert lines[1].startswith("127.0.0.1 HEAD /none  HTTP/1.1 404 0 -")
    assert lines[2].startswith("127.0.0.1 - -  HTTP/1.1 400")


def test_default_access_log_on_stdout_and_reopen(tmp_path: Path) -> None:
    with Command(PROBE, "--access-logfile", "-") as server:
        server.request(raw.get("/"))
    assert '"GET / HTTP/1.1" 200 5 "-" "-"' in server.out[0]
    path = tmp_path / "access.log"
    with Command(PROBE, "--access-logfile", str(path)) as server:
        server.request(raw.get("/one"))
        path.rename(tmp_path / "old.log")
        server.signal(signal.SIGUSR1)
        # Who makes the file and who writes there need not be one process.
        while not path.exists() or "/two" not in path.read_text():
            server.request(raw.get("/two"))
    assert "/one" in (tmp_path / "old.log").read_text()


def test_error_log_file_and_wsgi_errors(tmp_path: Path) -> None:
    with Command(PROBE) as server:
        server.request(raw.get("/errors"))
        server.request(raw.get("/fail"))
        server.wait_line("said by the application")
        server.wait_line("ValueError: failed on purpose")
    path = tmp_path / "error.log"
    sock = str(tmp_path / "sock")
    with Command(PROBE, "--error-logfile", str(path), bind=f"unix:{sock}") as server:
        wait_until(lambda: (None, os.path.exists(sock)))
        with raw.Client(sock) as client:
            client.send(raw.get("/errors"))
            client.response()
    assert "listening at unix:" in path.read_text()
    assert "said by the application" in path.read_text()


def alone() -> Command:
    """`celadon.run`, without a master."""
    code = (
        "import celadon.patch; celadon.patch.all()\n"
        "import celadon; from tests.apps.probe import app\n"
        "celadon.run(app, bind='127.0.0.1:0')"
    )
    return Started(sys.executable, "-c", code)


def test_without_a_master_the_first_sigint_drains_the_second_is_quick() -> None:
    with alone() as server, server.client() as client, server.client() as other:
        client.send(raw.get("/sleep?s=0.2"))
        other.send(raw.get("/"))
        other.response()
        server.signal(signal.SIGINT)
        answer = client.response()
        assert (answer.body, answer.get("Connection")) == (b"slept", "close")
        assert server.wait() == 0
    with alone() as server, server.client() as client:
        client.send(raw.get("/sleep?s=60"))
        with server.client() as other:
            other.send(raw.get("/"))
            other.response()
        server.signal(signal.SIGINT)
        server.wait_line("stopping: finishing")
        server.signal(signal.SIGINT)
        assert server.wait() == 0


def test_cn16_late_requests_on_kept_connections_are_answered_in_a_drain() -> None:
    with Command(PROBE) as server:
        with server.client() as idle, server.client() as busy:
            idle.send(raw.get())
            assert idle.response().get("Connection") is None
            busy.send(raw.get("/gate"))
            with server.client() as other:
                other.send(raw.get())
                other.response()
                server.signal(signal.SIGTERM)
                server.wait_line("stopping: finishing")
                idle.send(raw.get("/open"))
                late = idle.response()
            assert (late.body, late.get("Connection")) == (b"open", "close")
            assert busy.response().get("Connection") == "close"
        assert server.wait() == 0


def test_graceful_timeout_cancels_what_is_left() -> None:
    with (
        Command(PROBE, "--graceful-timeout", "0.1") as server,
        server.client() as client,
    ):
        client.send(raw.get("/sleep?s=60"))
        with server.client() as other:
            other.send(raw.get())
            other.response()
        server.signal(signal.SIGTERM)
        server.wait_line("cancelling 1 requests")
        assert server.wait() == 0


def test_run_from_a_script(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import celadon\n"
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    return [b'scripted']\n"
        "celadon.run(app, bind='127.0.0.1:0')\n"
        "print('returned')\n"
    )
    with Started(sys.executable, str(script)) as server:
        assert server.request(raw.get()).body == b"scripted"
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert server.out == ["returned"]


HERE = """
import json, sys, celadon, helper, in_lib
def app(environ, start_response):
    found = {name: sys.modules[name].__file__ for name in ("celadon", "helper", "in_lib")}
    body = json.dumps([environ["SCRIPT_NAME"], found]).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.mark.row("S20")
@pytest.mark.parametrize("by", ["script", "module"])
@pytest.mark.parametrize("name", ["gunicorn.conf.py", "celadon.conf.py"])
@pytest.mark.parametrize("moved", [False, True])
def test_modules_of_the_project_are_found(
    tmp_path: Path, by: str, name: str, moved: bool
) -> None:
    """By the application and by the configuration file, and the same for both ways."""
    place = tmp_path / "moved" if moved else tmp_path
    for folder in (place, tmp_path / "lib"):
        folder.mkdir(exist_ok=True)
    (tmp_path / "helper.py").write_text("PREFIX = '/by/helper'\n")
    (place / "here.py").write_text(HERE)
    (tmp_path / "lib" / "in_lib.py").touch()
    setting = "celadon_root_path" if name == "gunicorn.conf.py" else "root_path"
    (tmp_path / name).write_text(f"from helper import PREFIX as {setting}\n")
    command = [CELADON] if by == "script" else [sys.executable, "-m", "celadon"]
    options = ["--pythonpath", str(tmp_path / "lib"), "--bind", "127.0.0.1:0"]
    options += ["--chdir", "moved"] if moved else []
    with Started(*command, *options, "here:app", cwd=tmp_path) as server:
        prefix, found = json.loads(server.request(raw.get("/by/helper/")).body)
    assert prefix == "/by/helper"
    assert found == {
        "celadon": celadon.__file__,
        "helper": str(tmp_path / "helper.py"),
        "in_lib": str(tmp_path / "lib" / "in_lib.py"),
    }
    for words, line in (
        (["config"], "root_path = /by/helper "),
        (["migrate", name], "  root_path = '/by/helper'\n"),
    ):
        shown = subprocess.run(
            [*command, *words], cwd=tmp_path, capture_output=True, text=True
        )
        assert line in shown.stdout, shown.stderr


def test_importing_celadon_patches_and_starts_nothing() -> None:
    code = (
        "import threading, time, _thread, gc; before = (time.sleep, threading.Lock, "
        "_thread.get_ident, threading.local, threading.active_count(), len(gc.callbacks));"
        "import celadon; after = (time.sleep, threading.Lock, _thread.get_ident, "
        "threading.local, threading.active_count(), len(gc.callbacks));"
        "assert before == after; from celadon import green; assert green.stats() is None"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=raw.TIMEOUT)


def test_no_green_serves_one_request_at_a_time() -> None:
    with Command(PROBE, "--no-green") as server:
        server.wait_line("one request at a time")
        with server.client() as a, server.client() as b:
            began = time.monotonic()
            a.send(raw.get("/sleep?s=0.2"))
            b.send(raw.get("/sleep?s=0.2"))
            assert a.response().body == b.response().body == b"slept"
            assert time.monotonic() - began >= 0.4


def test_options_have_settings_behind_them() -> None:
    """Every flag of the command has a row, and the defaults parse as they are shown."""
    from celadon.config import flags
    from celadon.config.settings import SETTINGS

    known = {a.dest for a in flags.make_parser()._actions}
    for row in SETTINGS.values():
        assert row.name in known or row.file_only
        value: Any = row.default
        assert row.parse(value) == value, row.name


OLDEST_GREENLET = "3.5.3" if sys.version_info >= (3, 14) else "3.1"


@pytest.mark.parametrize(
    "old", ["2.0.2", "3.0.9", *["3.5.2"] * (OLDEST_GREENLET > "3.1")]
)
def test_r10_a_greenlet_that_is_too_old_is_named(old: str) -> None:
    code = (
        f"import greenlet, sys; greenlet.__version__ = {old!r}\n"
        "from celadon.__main__ import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--version"], capture_output=True, text=True
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert (
        f"celadon needs greenlet {OLDEST_GREENLET} or newer, and greenlet {old} is installed"
        in last
    )
