"""Files of gunicorn's, unchanged, under gunicorn and under celadon: they behave alike."""

from __future__ import annotations

import copy
import os
import pickle
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from celadon import config
from celadon.config.cfg import Cfg

from tests.support import raw
from tests.support.gunicorn import WORKER
from tests.support.servers import BIN, ROOT, Command, wait_until

# Every hook that both call, 30 common settings, names of the author's.
FILE = """
import multiprocessing, os

HERE = os.path.dirname(os.path.abspath(__file__))
CORES = multiprocessing.cpu_count()

def note(*words):
    with open(os.path.join(HERE, "events"), "a") as file:
        file.write(" ".join(map(str, words)) + "\\n")

bind = ["127.0.0.1:0", "unix:" + os.path.join(HERE, "socket")]
backlog = 511
workers = min(2, CORES * 2 + 1)
worker_class = "gthread"
threads = 4
worker_connections = 200
max_requests = 100000
max_requests_jitter = 50
timeout = 31
graceful_timeout = 20
keepalive = 5
limit_request_line = 4000
limit_request_fields = 50
limit_request_field_size = 4000
chdir = HERE
daemon = False
raw_env = ["COLOUR=green", "EMPTY="]
pidfile = os.path.join(HERE, "pid")
worker_tmp_dir = None
user = None
group = None
umask = 0o027
initgroups = False
tmp_upload_dir = None
forwarded_allow_ips = "127.0.0.1"
proxy_protocol = False
accesslog = os.path.join(HERE, "access.log")
access_log_format = '%(m)s %(U)s %(s)s %(b)s %({x-tag}i)s'
errorlog = "-"
loglevel = "info"
capture_output = False
proc_name = "shop"
pythonpath = os.path.join(HERE, "lib")
preload_app = True
reload = False
sendfile = None
reuse_port = False
wsgi_app = "shop:application"

def on_starting(server):
    note("on_starting", os.getpid() == server.pid, server.cfg.workers)

def when_ready(server):
    note("when_ready", os.getpid() == server.pid, len(server.address))
    server.log.info("ready says the hook")

def on_reload(server):
    note("on_reload", os.getpid() == server.pid)

def nworkers_changed(server, new_value, old_value):
    note("nworkers_changed", new_value, old_value)

def pre_fork(server, worker):
    note("pre_fork", os.getpid() == server.pid, worker.age)

def post_fork(server, worker):
    note("post_fork", os.getpid() == worker.pid, worker.ppid == server.pid)
    worker.log.info("forked says the hook")

def post_worker_init(worker):
    note("post_worker_init", worker.booted, worker.alive)

def pre_request(worker, req):
    note("pre_request", req.method, req.path, req.query, worker.pid == os.getpid())

def post_request(worker, req, environ, resp):
    note("post_request", req.uri, environ["PATH_INFO"], resp.status, resp.sent)

def worker_int(worker):
    note("worker_int", worker.pid == os.getpid())

def worker_exit(server, worker):
    note("worker_exit", worker.pid == os.getpid(), server.pid == worker.ppid)

def child_exit(server, worker):
    note("child_exit", os.getpid() == server.pid, worker.pid > 0)

def on_exit(server):
    note("on_exit", os.getpid() == server.pid)
"""

SHOP = """
import os, tags
def application(environ, start_response):
    if environ["PATH_INFO"] == "/fail": raise RuntimeError("on purpose")
    body = f"{os.environ['COLOUR']} {os.environ['EMPTY']!r} {tags.NAME} {os.getcwd()}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"),
                              ("Content-Length", str(len(body)))])
    return [body]
"""


class Server(Command):
    """Either server in a folder, with nothing but a word on its command line."""

    def __init__(self, module: str, folder: Path) -> None:
        self.folder = folder
        (folder / "gunicorn.conf.py").write_text(FILE)
        (folder / "shop.py").write_text(SHOP)
        (folder / "lib").mkdir()
        (folder / "lib" / "tags.py").write_text("NAME = 'tagged'\n")
        env = {"PYTHONPATH": str(ROOT)}
        name, _, worker = module.partition(" with ")
        options = ["-k", WORKER] if worker else []
        self.start([str(BIN / name), *options], folder, env)

    @property
    def port(self) -> int:
        return int(self.said(r"[Ll]istening at:? .*http://127.0.0.1:(\d+)")[1])

    def events(self, name: str) -> list[str]:
        try:
            lines = (self.folder / "events").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [line for line in lines if line.split()[0] == name]

    def wait_events(self, name: str, count: int) -> None:
        wait_until(lambda: (e := self.events(name), len(e) >= count))


@pytest.fixture(params=["celadon", "gunicorn", "gunicorn with our worker"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with Server(request.param, tmp_path) as running:
        yield running


def test_a_whole_life(server: Server) -> None:
    server.wait_events("post_worker_init", 2)
    answer = server.request(
        raw.get("/page?q=1").replace(b"\r\n\r\n", b"\r\nX-Tag: t\r\n\r\n")
    )
    assert answer.body.decode() == f"green '' tagged {server.folder}"
    server.wait_events("post_request", 1)  # it follows the answer
    assert server.request(raw.get("/fail")).status == 500
    assert server.request(b"GET /" + b"x" * 4100 + b" HTTP/1.1\r\n\r\n").status in (
        400,
        414,
    )
    assert (server.folder / "pid").read_text().strip() == str(server.process.pid)
    assert (server.folder / "socket").stat().st_mode & 0o777 == 0o750

    server.signal(signal.SIGTTIN)
    server.wait_events("post_worker_init", 3)
    server.signal(signal.SIGTTOU)
    server.wait_events("worker_exit", 1)
    server.signal(signal.SIGHUP)
    server.wait_events("on_reload", 1)
    server.wait_events("post_worker_init", 5)
    server.wait_events("child_exit", 3)
    assert server.request(raw.get("/again")).status == 200
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    assert not (server.folder / "pid").exists()
    assert not (server.folder / "socket").exists()
    check_events(server)
    log = (server.folder / "access.log").read_text()
    assert re.search(r"^GET /page 200 \d+ t$", log, re.MULTILINE)
    report = "\n".join(server.lines)
    assert "ready says the hook" in report
    assert "forked says the hook" in report


def check_events(server: Server) -> None:
    assert server.events("on_starting") == ["on_starting True 2"]
    assert server.events("when_ready") == ["when_ready True 2"]
    assert server.events("on_reload") == ["on_reload True"]
    assert server.events("on_exit") == ["on_exit True"]
    assert server.events("nworkers_changed")[:3] == [
        "nworkers_changed 2 None",
        "nworkers_changed 3 2",
        "nworkers_changed 2 3",
    ]
    ages = [line.split()[2] for line in server.events("pre_fork")]
    assert ages == ["1", "2", "3", "4", "5"]
    assert server.events("post_fork") == ["post_fork True True"] * 5
    assert server.events("post_worker_init") == ["post_worker_init False True"] * 5
    assert server.events("pre_request")[0] == "pre_request GET /page q=1 True"
    first, *_ = server.events("post_request")
    assert re.match(r"post_request /page\?q=1 /page 200( OK)? \d+$", first)
    assert server.events("worker_exit") == ["worker_exit True True"] * 5
    assert server.events("child_exit") == ["child_exit True True"] * 5
    assert set(server.events("worker_int")) == {"worker_int True"}


def test_a_hook_that_fails_at_the_start_stops_it(tmp_path: Path) -> None:
    for hook in (
        "on_starting",
        "when_ready",
        "pre_fork",
        "post_fork",
        "post_worker_init",
    ):
        folder = tmp_path / hook
        folder.mkdir()
        (folder / "gunicorn.conf.py").write_text(
            f"bind = '127.0.0.1:0'\ndef {hook}(*args): raise RuntimeError('on purpose')"
        )
        command = Command(
            "tests.apps.probe:app",
            bind=None,
            cwd=folder,
            env={"PYTHONPATH": str(ROOT)},
        )
        assert command.wait() != 0
        report = "\n".join(command.lines)
        assert "on purpose" in report
        assert f"{hook}" in report


def test_pre_request_that_fails_is_500(tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(
        "def pre_request(worker, req):\n"
        "    if req.path == '/no': raise PermissionError('on purpose')\n"
        "def post_request(worker, req): 1 / 0\n"
    )
    with Command(
        "tests.apps.probe:app", cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}
    ) as server:
        assert server.request(raw.get("/no")).status == 500
        server.wait_line("on purpose")
        assert server.request(raw.get("/")).body == b"hello"
        server.wait_line("the hook post_request failed")
        assert os.getpgid(server.worker) > 0


S18_APP = """
import io, tempfile
def temporary():
    file = tempfile.NamedTemporaryFile()
    file.write(b"no hello")
    file.flush()
    file.seek(3)
    return file
FILES = {
    "/file": lambda: open("five", "rb"),
    "/file/raw": lambda: open("five", "rb", buffering=0),
    "/file/both": lambda: open("five", "r+b"),
    "/file/temporary": temporary,
    "/read/memory": lambda: io.BytesIO(b"hello"),
}
def app(environ, start_response):
    path = environ["PATH_INFO"]
    wrap = environ["wsgi.file_wrapper"]
    if path == "/given":
        start_response("200 OK", [("Content-Length", "5")])
        return wrap(open("five", "rb"))
    start_response("200 OK", [])
    if path in FILES: return wrap(FILES[path]())
    if path == "/tuple": return (b"hello",)
    return iter([b"he", b"llo"]) if path == "/read/parts" else [b"hello"]
"""
S18_PATHS = [
    *("/", "/tuple", "/given", "/file", "/file/raw", "/file/both", "/file/temporary"),
    *("/read/memory", "/read/parts", "/", "/"),
]
S18_FILE = """
import inspect
def say(line):
    with open("said", "a") as file: file.write(line + "\\n")
class Hook:
    @property
    def __signature__(self):
        say("looked")
        return inspect.signature(lambda worker, req, environ, resp: None)
    def __call__(self, worker, req, environ, resp):
        say(f"{req.path} {resp.sent}")
post_request = Hook()
"""


def test_s18_a_hook_after_requests_changes_no_answer(tmp_path: Path) -> None:
    (tmp_path / "s18.py").write_text(S18_APP)
    (tmp_path / "gunicorn.conf.py").write_text(S18_FILE)
    (tmp_path / "five").write_bytes(b"hello")
    said = tmp_path / "said"
    with Command("s18:app", cwd=tmp_path) as server, server.client() as client:
        looked = 0
        for count, path in enumerate(S18_PATHS, 1):
            client.send(raw.get(path))
            answer = client.response()
            assert answer.body == b"hello"
            length = None if path.startswith("/read/") else "5"
            assert answer.get("Content-Length") == length
            lines = wait_until(
                lambda count=count: (  # type: ignore[misc]
                    lines := said.read_text().split("\n"),
                    sum(" 5" in line for line in lines) == count,
                )
            )
            assert lines[-2] == f"{path} 5"
            looked = looked or lines.count("looked")
            assert lines.count("looked") == looked > 0


ATTRIBUTES = """
import os
bind = "127.0.0.1:0"
raw_env = ["COLOUR=green"]
pidfile = "pid"
workers = 1
timeout = 40
preload_app = True

def say(*words):
    with open(os.path.join(os.path.dirname(__file__), "said"), "a") as file:
        file.write(" ".join(map(str, words)) + "\\n")

class Middleware:
    def __init__(self, app): self.app = app
    def __call__(self, environ, start_response):
        def start(status, headers, *rest):
            return start_response(status, [*headers, ("X-Wrapped", "yes")], *rest)
        return self.app(environ, start)

def on_starting(server):
    cfg = server.cfg
    say("address", server.address, cfg.address, server.master_pid, server.timeout)
    say("env", cfg.env, cfg.uid == os.geteuid(), cfg.gid == os.getegid())
    say("settings", cfg.settings["timeout"].get(), cfg.settings["timeout"].name)
    say("unset", cfg.accesslog, cfg.certfile, bool(cfg.is_ssl), cfg.daemon, cfg.worker_int(1))
    say("loaded", callable(server.app.wsgi()), server.worker_age)

def when_ready(server):
    say("pidfile", os.path.basename(server.pidfile.fname), server.pidfile.pid == server.pid)
    say("listeners", [str(each).startswith("http://127") for each in server.LISTENERS],
        server.LISTENERS[0].getsockname()[1] > 0)
    server.kill_worker(server.pid, 0)
    server.wakeup()

def post_fork(server, worker):
    worker.tmp.notify()
    worker.notify()
    worker.log.error_log.info("by the error log")
    say("worker", worker.timeout, worker.aborted, worker.max_requests > 1 << 30,
        worker.tmp.last_update() > 0, len(worker.sockets), server.worker_age)

def post_worker_init(worker):
    worker.wsgi = Middleware(worker.wsgi)
    say("app", worker.app.callable is not None, worker.app.wsgi() is worker.app.callable)

def post_request(worker, req, environ, resp):
    fields = dict(req.headers)
    say("req", req.peer_addr[0], req.trailers, req.body is not None, fields["CONTENT-TYPE"],
        fields["CONTENT-LENGTH"])
    say("resp", resp.response_length, resp.headers_sent, resp.chunked, resp.status_code)
    if req.path == "/last": worker.alive = False
"""
GREETING = """
def app(environ, start_response):
    fields = [] if environ["PATH_INFO"] == "/open" else [("Content-Length", "5")]
    start_response("200 OK", fields)
    return iter([b"he", b"llo"])
"""


def post(path: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/x\r\n"
    return f"{head}Content-Length: 2\r\nConnection: close\r\n\r\nhi".encode()


@pytest.mark.parametrize("name", ["celadon", "gunicorn"])
def test_what_hooks_ask_of_their_arguments(name: str, tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(ATTRIBUTES)
    (tmp_path / "greeting.py").write_text(GREETING)
    server = Command.__new__(Command)
    server.start([str(BIN / name), "greeting:app"], tmp_path)
    with server:
        port = int(server.said(r"[Ll]istening at:? .*http://127.0.0.1:(\d+)")[1])
        for path in ("/", "/open", "/last"):
            with raw.Client(("127.0.0.1", port)) as client:
                client.send(post(path))
                answer = client.response()
                assert (answer.body, answer.get("X-Wrapped")) == (b"hello", "yes")

        def said() -> list[str]:
            return (tmp_path / "said").read_text().splitlines()

        # One that a hook has ended is replaced.
        wait_until(lambda: (s := said(), sum(w.startswith("app") for w in s) == 2))
        server.wait_line("by the error log")
        once = [*dict.fromkeys(said())]
        assert [line for line in once if not line.startswith("worker")] == [
            "address [('127.0.0.1', 0)] [('127.0.0.1', 0)] 0 40" + DECIMAL[name],
            "env {'COLOUR': 'green'} True True",
            f"settings 40{DECIMAL[name]} timeout",
            "unset None None False False None",
            "loaded True 0",
            "pidfile pid True",
            "listeners [True] True",
            "app True True",
            "req 127.0.0.1 [] True text/x 2",
            "resp 5 True False 200",
            "resp None True True 200",
        ]
        workers = [line for line in once if line.startswith("worker")]
        assert workers == [f"worker 20.0 False True True 1 {n}" for n in (1, 2)]


def test_cfg_can_be_copied() -> None:
    cfg = Cfg(config.load({"workers": 3}, {}))
    for made in (copy.copy(cfg), copy.deepcopy(cfg), pickle.loads(pickle.dumps(cfg))):
        assert made.workers == 3
    made.workers = 4
    assert cfg.workers == 3


def test_what_a_hook_says_of_timeout_is_followed() -> None:
    cfg = Cfg(config.load({}, {}))
    for timeout, expected in ((300, 300), (60, 120), (0, 0), (200, 200)):
        cfg.set("timeout", timeout)
        assert cfg.request_timeout == expected
    cfg.request_timeout = 7
    cfg.timeout = 600
    assert cfg.request_timeout == 7


DECIMAL = {"celadon": ".0", "gunicorn": ""}


def test_a_hook_that_fails_is_shown_by_its_own_lines(tmp_path: Path) -> None:
    for hook in ("on_starting", "pre_fork", "post_fork", "post_worker_init", "on_exit"):
        (tmp_path / "gunicorn.conf.py").write_text(
            f"bind = '127.0.0.1:0'\ndef {hook}(server, *worker): server.nonsense\n"
        )
        env = {"PYTHONPATH": str(ROOT)}
        command = Command("tests.apps.probe:app", cwd=tmp_path, env=env)
        if hook == "on_exit":
            command.said("worker .* is ready")
            command.process.terminate()
        try:
            command.wait_line(rf"the hook {hook} failed: AttributeError: .*'nonsense'")
        finally:
            command.process.kill()
            command.wait()
        report = "\n".join(command.lines)
        assert f'gunicorn.conf.py", line 2, in {hook}' in report
        assert "/python/celadon/" not in report
