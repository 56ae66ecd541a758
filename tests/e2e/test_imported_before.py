"""Modules of the application that others import before it is loaded (R01, S02): nothing
in them is the whole process's where each request must have its own."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.gunicorn import Gunicorn
from tests.support.servers import Command
from tests.support.site import TOGETHER, all_at_once, ready, renewed, wait_ready

SHOP = """
import logging, threading
class State(threading.local): user = None
state, lock = State(), threading.Lock()
class Formatter(logging.Formatter): pass
"""
APP = (
    TOGETHER
    + """
import time
from shop import state, lock
def app(environ, start_response):
    me = environ["QUERY_STRING"]
    state.user = me
    together(6)
    with lock:
        time.sleep(0.001)  # another request wants it now
        body = b"ok" if state.user == me else f"{me} sees {state.user}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
)
NATIVE = """
import threading
def app(environ, start_response):
    import shop
    from celadon import patch
    body = f"{type(threading.Lock()).__module__} {patch.patched('time', 'sleep')}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
INI = """
[loggers]
keys=root
[handlers]
keys=c
[formatters]
keys=f
[logger_root]
handlers=c
[handler_c]
class=StreamHandler
formatter=f
args=(sys.stderr,)
[formatter_f]
class=shop.Formatter
"""
LOGGING = {
    "version": 1,
    "formatters": {"f": {"()": "shop.Formatter"}},
    "handlers": {"c": {"class": "logging.StreamHandler", "formatter": "f"}},
    "root": {"handlers": ["c"]},
}
# What the master reads, by the name of the file, and the words that name it.
READ = {
    "log.ini": (INI, ["--log-config", "log.ini"]),
    "log.json": (json.dumps(LOGGING), ["--log-config-json", "log.json"]),
    "gunicorn.conf.py": ("import shop", []),
    "celadon.conf.py": ("from shop import Formatter", []),
    "settings.py": ("import shop", ["--config", "python:settings"]),
    "hooks.conf.py": (
        "def on_starting(server): import shop",
        ["--config", "hooks.conf.py"],
    ),
    "fork.conf.py": (
        "def post_fork(server, worker): import shop",
        ["--config", "fork.conf.py"],
    ),
    "late.conf.py": (
        "import os, shop\nworker_class = os.environ.get('NOWHERE', 'gthread')",
        ["--config", "late.conf.py"],
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "shop_app.py").write_text(APP)
    (tmp_path / "native.py").write_text(NATIVE)
    return tmp_path


def each_sees_its_own(server: Command) -> None:
    answers: list[str] = []
    numbers = iter(range(6))

    def ask() -> None:
        answer = server.request(raw.get(f"/?u{next(numbers)}"))
        answers.append(answer.body.decode())

    all_at_once(6, ask)
    assert answers == ["ok"] * 6


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("preload", [False, True], ids=["", "preloaded"])
def test_r01_s02_what_the_master_reads_imports_the_application(
    folder: Path, name: str, preload: bool
) -> None:
    text, words = READ[name]
    (folder / name).write_text(text)
    options = [*words, *(["--preload"] if preload else [])]
    with Command("shop_app:app", *options, cwd=folder) as server:
        each_sees_its_own(server)


def test_r01_a_worker_class_of_gunicorn_swaps_or_names(folder: Path) -> None:
    """There the configuration is run before anybody knows who will serve."""
    (folder / "gunicorn.conf.py").write_text("import shop")
    (folder / "shop.py").write_text(SHOP.replace("State(),", "threading.local(),"))
    with Gunicorn("shop_app:app", "-w", "1", cwd=folder) as server:
        each_sees_its_own(server)
        line = server.said("shop was imported before .*")[0]
        assert "State, a class of threading.local" in line


def test_s02_who_asks_for_no_greenlets_gets_a_native_library(folder: Path) -> None:
    """Also where only the code of a file says so."""
    for text, native in (
        ("import shop\ngreen = False", True),
        ("import os, shop\nworker_class = os.environ.get('NOWHERE', 'sync')", True),
        ("import shop\ngreen_patch = 'os'", False),
    ):
        (folder / "celadon.conf.py").write_text(text)
        with Command("native:app", cwd=folder) as server:
            lock, sleep = server.request(raw.get("/")).body.decode().split()
            assert (lock, sleep) == ("_thread", str(not native))


def test_s02_greenlets_come_and_go_with_a_restart_only(folder: Path) -> None:
    (folder / "celadon.toml").write_text("green = true")
    with Command("shop_app:app", cwd=folder) as server:
        wait_ready(server, 1)
        old = ready(server)
        (folder / "celadon.toml").write_text("green = false")
        server.signal(signal.SIGHUP)
        renewed(server, old)
        server.said("green changes with a restart, not with a reload")
        each_sees_its_own(server)
