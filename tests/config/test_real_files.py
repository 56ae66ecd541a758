"""`gunicorn.conf.py` as people have it: checked, served, and answered as gunicorn does.

Each is what a template, a library's documentation or a platform tells its readers to write, in
other words. `say` of a file notes what its hooks saw; both servers must note the same.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.raw import Client, Response
from tests.support.servers import BIN, CELADON, Command, wait_until

SAY = """
import os
def say(*words):
    with open(os.environ["SAID"], "a") as file:
        file.write(" ".join(map(str, words)) + "\\n")
"""
SHOP = """
import json, os
from importlib.util import find_spec
def app(environ, start_response):
    told = {
        "path": environ["PATH_INFO"], "script": environ["SCRIPT_NAME"],
        "scheme": environ["wsgi.url_scheme"], "name": NAME, "folder": os.getcwd(),
        "env": {name: os.environ.get(name) for name in ("COLOUR", "MADE_BY_HOOK")},
        "library": find_spec("of_the_library") is not None,
    }
    environ["wsgi.errors"].write("served\\n")
    body = json.dumps(told).encode()
    start_response("200 OK", [("Content-Type", "application/json"),
                              ("Content-Length", str(len(body)))])
    return [body]
NAME = "plain"
def make(name="made"):
    global NAME
    NAME = name
    return app
"""


@dataclass(frozen=True)
class Case:
    """`said`: what hooks note; `log`: lines of celadon's log; `refused`: why it does not start;
    `status`: what the server exits with.

    gunicorn is asked `beside`, unless it could not serve it here.
    """

    conf: str
    said: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    refused: str = ""
    env: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ("shop:app",)
    beside: bool = True
    access: str = ""
    status: int = 0


CASES = {
    "nothing but a comment": Case("# bind and workers come from the command line\n"),
    "workers by the number of processors": Case(
        "import multiprocessing\nworkers = min(multiprocessing.cpu_count() * 2 + 1, 3)\n"
        "max_workers = 4\n"
    ),
    "all from the environment": Case(
        "for key, value in list(os.environ.items()):\n"
        "    if key.startswith('GUNICORN_SET_'):\n"
        "        locals()[key[len('GUNICORN_SET_'):].lower()] = value\n"
        "def when_ready(server): say(server.cfg.workers, server.cfg.keepalive > 6)\n",
        said=("2 True",),
        env={"GUNICORN_SET_WORKERS": "2", "GUNICORN_SET_KEEPALIVE": "7"},
    ),
    "defaults where the environment has nothing": Case(
        "workers = int(os.getenv('APP_WORKERS', '2'))\n"
        "timeout = int(os.getenv('APP_TIMEOUT', 90))\n"
        "loglevel = os.getenv('APP_LOG_LEVEL', 'INFO')\n"
        "def when_ready(server): say(server.cfg.workers, server.cfg.timeout + 0.0)\n",
        said=("2 90.0",),
    ),
    "web concurrency of a platform": Case(
        "def when_ready(server): say(server.cfg.workers)\n",
        said=("2",),
        env={"WEB_CONCURRENCY": "2"},
    ),
    "heartbeats in memory": Case(
        "worker_tmp_dir = '/dev/shm'\n", log=("worker_tmp_dir has no effect",)
    ),
    "preloaded, and something opened after the fork": Case(
        "preload_app = True\nworkers = 2\nconnection = None\n"
        "def post_fork(server, worker):\n"
        "    global connection\n"
        "    connection = object()\n"
        "    os.environ['MADE_BY_HOOK'] = 'after the fork'\n"
        "    say('fork', worker.pid == os.getpid())\n",
        said=("fork True", "fork True"),
    ),
    "a tracer after the fork": Case(
        "def post_fork(server, worker):\n"
        "    server.log.info('Worker spawned (pid: %s)', worker.pid)\n"
        "    resource = {'service.name': 'shop', 'worker': worker.pid}\n"
        "    say(sorted(resource))\n",
        said=("['service.name', 'worker']",),
        log=(r"Worker spawned \(pid: \d+\)",),
    ),
    "metrics of several processes": Case(
        "import tempfile\n"
        "os.environ.setdefault('PROMETHEUS_MULTIPROC_DIR', tempfile.mkdtemp())\n"
        "from prometheus_client import multiprocess\n"
        "def child_exit(server, worker):\n"
        "    multiprocess.mark_process_dead(worker.pid)\n"
        "    say('gone', worker.pid > 0)\n",
        said=("gone True",),
    ),
    "a library made green after the fork": Case(
        "worker_class = 'gevent'\n"
        "def post_fork(server, worker):\n"
        "    try:\n"
        "        from psycogreen.gevent import patch_psycopg\n"
        "        patch_psycopg()\n"
        "    except ImportError:\n"
        "        pass\n"
        "    worker.log.info('Made green')\n",
        log=("Made green",),
    ),
    "monkey patches at its head": Case(
        "try:\n    from gevent import monkey\n    monkey.patch_all()\n"
        "except ImportError:\n    pass\n"
        "worker_class = 'gevent'\nworker_connections = 200\n",
    ),
    "titles of processes": Case(
        "proc_name = 'shop'\n"
        "def post_worker_init(worker):\n"
        "    try:\n        import setproctitle\n"
        "        setproctitle.setproctitle('[ready] ' + setproctitle.getproctitle())\n"
        "    except ImportError:\n        pass\n"
        "    say('ready')\n",
        said=("ready",),
    ),
    "threads, and limits that are off": Case(
        "worker_class = 'gthread'\nthreads = 20\ntimeout = 60\nkeepalive = 2\n"
        "limit_request_line = 0\nlimit_request_field_size = 0\nmax_requests = 1000\n"
        "max_requests_jitter = 50\n",
        log=("requests run on greenlets, not on threads",),
    ),
    "logs to the standard streams": Case(
        "accesslog = '-'\nerrorlog = '-'\ncapture_output = True\n"
        "access_log_format = '%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s %(L)s'\n"
    ),
    "a format of its own": Case(
        "accesslog = 'access.log'\n"
        "access_log_format = '%(m)s %(U)s %(q)s %(H)s %(s)s %({host}i)s'\n",
        access="GET /page a=1 HTTP/1.1 200 shop\n",
    ),
    "dictConfig with all of it": Case(
        "logconfig_dict = {'version': 1, 'disable_existing_loggers': False,\n"
        " 'root': {'level': 'INFO', 'handlers': ['console']},\n"
        " 'formatters': {'json': {'format': '{\"message\": \"%(message)s\"}'}},\n"
        " 'handlers': {'console': {'class': 'logging.StreamHandler', 'formatter': 'json',\n"
        "                          'stream': 'ext://sys.stderr'}},\n"
        " 'loggers': {'gunicorn.error': {'level': 'INFO', 'handlers': ['console'],\n"
        "                                'propagate': False},\n"
        "             'gunicorn.access': {'level': 'INFO', 'handlers': ['console'],\n"
        "                                 'propagate': False}}}\n"
        "accesslog = '-'\n",
        log=(r'^\{"message": "listening at http',),
    ),
    "dictConfig by gunicorn's own handlers": Case(
        "logconfig_dict = {'loggers': {\n"
        "  'gunicorn.error': {'level': 'DEBUG', 'handlers': ['error_console'],\n"
        "                     'propagate': False, 'qualname': 'gunicorn.error'},\n"
        "  'shop': {'level': 'DEBUG', 'handlers': ['console']}}}\n",
        log=(r"^\[\d{4}-.*\] \[\d+\] \[INFO\] listening at",),
    ),
    "a file for fileConfig": Case(
        "logconfig = 'logging.ini'\n",
        files={
            "logging.ini": "[loggers]\nkeys=root, gunicorn.error\n[handlers]\nkeys=err\n"
            "[formatters]\nkeys=own\n[logger_root]\nlevel=INFO\nhandlers=err\n"
            "[logger_gunicorn.error]\nlevel=INFO\nhandlers=err\npropagate=0\n"
            "qualname=gunicorn.error\n[handler_err]\nclass=StreamHandler\n"
            "formatter=own\nargs=(sys.stderr, )\n[formatter_own]\nformat=ini %(message)s\n"
        },
        log=("^ini listening at",),
    ),
    "a file for fileConfig that names its folder": Case(
        "logconfig = os.path.abspath('logging.ini')\n"
        "def when_ready(server): say(os.path.exists('own.log'))\n",
        files={
            "logging.ini": "[loggers]\nkeys=root\n[handlers]\nkeys=own\n[formatters]\nkeys=\n"
            "[logger_root]\nlevel=INFO\nhandlers=own\n"
            "[handler_own]\nclass=FileHandler\nargs=('%(here)s/own.log',)\n"
        },
        said=("True",),
    ),
    "JSON for dictConfig": Case(
        "logconfig_json = 'logging.json'\n",
        files={
            "logging.json": json.dumps(
                {
                    "version": 1,
                    "formatters": {"own": {"format": "json %(message)s"}},
                    "handlers": {
                        name: {"class": "logging.StreamHandler", "formatter": "own"}
                        for name in ("console", "error_console")
                    },
                }
            )
        },
    ),
    "a logger of its own": Case(
        "from gunicorn.glogging import Logger\n"
        "class Quiet(Logger):\n"
        "    def access(self, resp, req, environ, request_time):\n"
        "        if req.path != '/health': super().access(resp, req, environ, request_time)\n"
        "logger_class = Quiet\n",
        refused="logger_class is refused: the error log goes through Python's logging",
    ),
    "statsd that nobody reads": Case(
        "statsd_host = '127.0.0.1:9'\nstatsd_prefix = 'shop'\ndogstatsd_tags = 'a:b'\n"
    ),
    "a certificate": Case(
        "certfile = 'tls.crt'\nkeyfile = 'tls.key'\n",
        refused="tls.crt: No such file or directory",
    ),
    "a context for TLS": Case(
        "def ssl_context(conf, default): return default()\n",
    ),
    "a certificate where there is one": Case(
        "certificate = '/nosuch/tls.crt'\n"
        "if os.path.exists(certificate):\n    certfile = certificate\n"
    ),
    "ready, as a proxy wants to see it": Case(
        "def when_ready(server):\n    open('app-initialized', 'w').close()\n"
        "    say(os.path.exists('app-initialized'))\n",
        said=("True",),
    ),
    "what the start prepares": Case(
        "preload_app = True\n"
        "def on_starting(server):\n"
        "    os.environ['COLOUR'] = 'of the start'\n    server.log.info('Getting ready')\n"
        "    say('starting', server.cfg.proc_name, len(server.address))\n",
        said=("starting shop 1",),
        words=("-n", "shop", "shop:app"),
        log=("Getting ready",),
    ),
    "each hook says a word": Case(
        "def on_starting(server): say('starting')\n"
        "def when_ready(server): say('when ready')\n"
        "def pre_fork(server, worker): say('before', worker.age)\n"
        "def post_fork(server, worker): say('after', worker.age)\n"
        "def post_worker_init(worker): say('init', worker.alive)\n"
        "def pre_request(worker, req): say('asked', req.method, req.uri, req.headers[0][0])\n"
        "def post_request(worker, req, environ, resp): say('told', resp.status, resp.sent > 9)\n"
        "def worker_exit(server, worker): say('exit')\n"
        "def child_exit(server, worker): say('child')\n"
        "def nworkers_changed(server, new, old): say('workers', new, old)\n"
        "def on_exit(server): say('end')\n",
        said=(
            *("starting", "when ready", "before 1", "after 1", "init True"),
            *("asked GET /page?a=1 HOST", "told 200 OK True", "exit", "child"),
            *("workers 1 None", "end"),
        ),
    ),
    "an end that a hook asks for": Case(
        "import sys\ndef child_exit(server, worker):\n"
        "    say('child')\n    sys.exit(5)\n",
        said=("child",),
        status=5,
    ),
    "told to end once more while it ends": Case(
        "import signal\n"
        "def on_exit(server):\n"
        "    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):\n"
        "        os.kill(os.getpid(), number)\n    say('end')\n",
        said=("end",),
    ),
    "what to do where a worker hangs": Case(
        "def worker_int(worker):\n"
        "    import threading, sys, traceback\n"
        "    names = {t.ident: t.name for t in threading.enumerate()}\n"
        "    for ident, frame in sys._current_frames().items():\n"
        "        worker.log.debug(''.join(traceback.format_stack(frame)))\n"
        "def worker_abort(worker): worker.log.info('worker received SIGABRT signal')\n"
    ),
    "how long each took": Case(
        "import time\n"
        "def pre_request(worker, req): req.start_time = time.time()\n"
        "def post_request(worker, req, environ, resp):\n"
        "    say(req.path, resp.status_code, time.time() - req.start_time >= 0)\n",
        said=("/page 200 True",),
    ),
    "a hook of an object": Case(
        "import functools\n"
        "def note(word, server): say(word, server.cfg.workers)\n"
        "when_ready = functools.partial(note, 'ready')\n",
        said=("ready 1",),
    ),
    "behind a proxy that ends TLS": Case(
        "forwarded_allow_ips = '*'\n"
        "secure_scheme_headers = {'X-FORWARDED-PROTO': 'https'}\n"
        "proxy_allow_ips = '*'\n"
    ),
    "variables of the application": Case("raw_env = ['COLOUR=green', 'OTHER=a=b']\n"),
    "a folder, and more of them to import from": Case(
        "chdir = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'site')\n"
        "pythonpath = '../lib, ../other'\n",
        files={"site/shop.py": SHOP, "lib/of_the_library.py": "", "other/x.py": ""},
    ),
    "the application in the file": Case("wsgi_app = 'shop:app'\n", words=()),
    "a factory with arguments": Case("", words=("shop:make('by a call')",)),
    "a user, and files as only its group may": Case(
        "user = None\ngroup = None\numask = 0o007\ninitgroups = False\ndaemon = False\n"
    ),
    "reload while it is developed": Case(
        "DEBUG = os.environ.get('APP_DEBUG', '') == '1'\nreload = DEBUG\n"
        "reload_extra_files = ['shop.py'] if DEBUG else []\n",
        env={"APP_DEBUG": "1"},
    ),
    "numbers that are texts": Case(
        "timeout = '31'\ngraceful_timeout = '5'\nworkers = '1'\nbacklog = '64'\n"
    ),
    "a pid file": Case(
        "pidfile = 'shop.pid'\nproc_name = 'shop'\n"
        "def when_ready(server): say(open('shop.pid').read().strip() == str(server.pid))\n",
        said=("True",),
    ),
    "values of the project": Case(
        "from shop_settings import WORKERS\nworkers = WORKERS\n"
        "def when_ready(server): say(server.num_workers)\n",
        said=("2",),
        files={"shop_settings.py": "WORKERS = 2\n"},
    ),
    "the server's name and helpers of its own": Case(
        "__version__ = '1.0'\n_private = 1\nSERVER_NAME = 'x'\n"
        "def helper(): return 1\nclass Settings: workers = 3\nworkers = helper()\n"
    ),
    "a worker of tornado's": Case(
        "worker_class = 'tornado'\n",
        refused="a class with a loop of its own cannot run here",
    ),
    "one request at a time": Case("worker_class = 'sync'\nworkers = 1\ntimeout = 30\n"),
    "no master in front": Case(
        "daemon = True\n", refused="daemon is refused: use systemd or a container"
    ),
    "middleware around the application": Case(
        "class Wrapped:\n"
        "    def __init__(self, app): self.app = app\n"
        "    def __call__(self, environ, start_response):\n"
        "        environ['SCRIPT_NAME'] = '/wrapped'\n"
        "        return self.app(environ, start_response)\n"
        "def post_worker_init(worker): worker.wsgi = Wrapped(worker.wsgi)\n"
    ),
    "a formatter found by the name of the file's module": Case(
        "import logging\n"
        "class Own(logging.Formatter):\n"
        "    def format(self, record): return 'own ' + record.getMessage()\n"
        "logconfig_dict = {'formatters': {'own': {'()': '__config__.Own'}}, 'handlers': {\n"
        "    name: {'class': 'logging.StreamHandler', 'formatter': 'own'}\n"
        "    for name in ('console', 'error_console')}}\n",
    ),
    "lines of the application, where a dictConfig says nothing of the root": Case(
        "import logging\n"
        "logconfig_dict = {'handlers': {\n"
        "    'console': {'class': 'logging.FileHandler', 'filename': 'console.log'},\n"
        "    'error_console': {'class': 'logging.StreamHandler'}}}\n"
        "def post_worker_init(worker):\n"
        "    logging.getLogger('shop').info('a line of the shop')\n"
        "    say('a line of the shop' in open('console.log').read())\n",
        said=("True",),
    ),
    "a handler that the file gives to the server's logger": Case(
        "import logging\n"
        "logging.getLogger('gunicorn.error').addHandler(logging.FileHandler('own.log'))\n"
        "def when_ready(server):\n"
        "    server.log.info('to both')\n"
        "    say(open('own.log').read().count('to both'))\n",
        said=("1",),
    ),
    "hooks by their names": Case(
        "when_ready = 'hooks.ready'\npost_fork = 'hooks.forked'\n",
        files={
            "hooks.py": SAY + "def ready(server): say('ready', server.num_workers)\n"
            "def forked(server, worker): say('forked', worker.age)\n"
        },
        said=("ready 1", "forked 1"),
    ),
    "a module that may be imported once only": Case(
        "",
        files={
            "deploy/__init__.py": "",
            "deploy/conf.py": SAY + "from prometheus_client import Counter\n"
            "starts = Counter('shop_starts', 'How often')\nworkers = 2\n"
            "def when_ready(server): say(server.num_workers)\n",
        },
        words=("-c", "python:deploy.conf", "shop:app"),
        said=("2",),
    ),
    "flags in a variable, with values that have commas": Case(
        "workers = 1\ndef when_ready(server): say(server.num_workers)\n",
        env={"GUNICORN_CMD_ARGS": "--workers=2 -e 'COLOUR=green,red' --umask 007"},
        said=("2",),
    ),
    "a dataclass": Case(
        "import typing as t\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Settings:\n"
        "    workers: int = 2\n    names: 't.ClassVar[list[str]]' = []\n"
        "workers = Settings().workers\n"
        "def when_ready(server): say(server.num_workers, Settings.__annotations__['workers'])\n",
        said=("2 <class 'int'>",),
    ),
    "a file that the start opens": Case(
        "def on_starting(server):\n"
        "    server.state = open('state', 'a+')\n"
        "    server.state.write('started ')\n    server.state.flush()\n"
        "def post_fork(server, worker):\n"
        "    server.state.write('forked ')\n    server.state.flush()\n"
        "    server.state.seek(0)\n    say(server.state.read())\n",
        said=("started forked ",),
    ),
    "two addresses": Case(
        "umask = 0o007\n"
        "def when_ready(server):\n"
        "    say(len(server.LISTENERS), oct(os.stat('shop.sock').st_mode & 0o777))\n",
        words=("-b", "unix:shop.sock", "shop:app"),
        said=("2 0o770",),
    ),
    "spaces around values": Case(
        "accesslog = ' access.log '\nloglevel = 'info '\n"
        "access_log_format = ' %(m)s %(U)s %(s)s '\nproc_name = ' shop '\n",
        access="GET /page 200\n",
    ),
    "a file of PasteDeploy": Case(
        "workers = 1\n",
        files={
            "shop.ini": "[app:main]\nuse = call:pasted:make\n"
            "[server:main]\nuse = egg:gunicorn#main\nworkers = 1\n",
            "pasted.py": "from shop import app\ndef make(*args, **kwargs): return app\n",
        },
        words=("--paste", "shop.ini"),
    ),
}


AT_THE_END = ("exit", "child", "end", "gone True")


def serve(program: str, case: Case, folder: Path) -> tuple[Response, Command]:
    """Its answer, and the server, which has ended."""
    folder.mkdir()
    (folder / "gunicorn.conf.py").write_text(SAY + case.conf)
    for name, text in {"shop.py": SHOP, **case.files}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "said").touch()
    server = Command.__new__(Command)
    words = [str(BIN / program), "-b", "127.0.0.1:0", *case.words]
    server.start(words, folder, environ(case, folder))
    with server:
        port = int(server.said(r"[Ll]istening at:? .*http://127.0.0.1:(\d+)")[1])
        with Client(("127.0.0.1", port)) as client:
            client.send(
                b"GET /page?a=1 HTTP/1.1\r\nHost: shop\r\nX-Forwarded-Proto: https\r\n"
                b"Connection: close\r\n\r\n"
            )
            answer = client.response()
        # Each worker is there, so that none is told to end before its hooks ran.
        early = [line for line in case.said if line not in AT_THE_END]
        wait_until(lambda: (s := said(folder), all(map(s.__contains__, early))))
        wait_until(lambda: (s := said(folder), len(s) >= len(early)))
        server.signal(signal.SIGTERM)
        assert server.wait() == case.status
    assert sorted(said(folder)) == sorted(case.said)
    return answer, server


def said(folder: Path) -> list[str]:
    return (folder / "said").read_text().splitlines()


def environ(case: Case, folder: Path) -> dict[str, str]:
    return {"SAID": str(folder / "said"), **case.env}


@pytest.mark.parametrize("name", CASES)
def test_a_file_does_what_it_does_under_gunicorn(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    folder = tmp_path / "celadon"
    if case.refused:
        folder.mkdir()
        (folder / "gunicorn.conf.py").write_text(SAY + case.conf)
        (folder / "shop.py").write_text(SHOP)
        for words in (("--check-config",), ()):
            done = check(case, folder, *words)
            assert done.returncode in (1, 2)
            assert case.refused in done.stderr
            assert len(done.stderr.splitlines()) <= 2
        return
    answer, server = serve("celadon", case, folder)
    assert answer.status == 200, "\n".join(server.lines)
    done = check(case, folder, "--check-config")
    assert (done.returncode, done.stdout) == (0, "configuration is fine\n"), done.stderr
    for pattern in case.log:
        assert any(re.search(pattern, line) for line in server.lines), server.lines
    if case.access:
        assert (folder / "access.log").read_text() == case.access
    if not case.beside:
        return
    other, _ = serve("gunicorn", case, tmp_path / "gunicorn")
    text = other.body.decode().replace(str(tmp_path / "gunicorn"), str(folder))
    assert (answer.status, answer.body.decode()) == (other.status, text)
    if case.access:
        assert (tmp_path / "gunicorn/access.log").read_text() == case.access


def check(case: Case, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CELADON, *options, "-b", "127.0.0.1:0", *case.words],
        cwd=folder,
        env={**os.environ, **environ(case, folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )
