"""An application that configures logging for itself: the server's lines are there still."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.servers import Command, wait_until
from tests.support.site import gone, wait_ready

INI = """
[loggers]
keys=root
[handlers]
keys=
[formatters]
keys=
[logger_root]
handlers=
"""
WAYS = {
    "dictConfig": "logging.config.dictConfig({'version': 1})",
    "fileConfig": "logging.config.fileConfig('logging.ini')",
    "disable": "logging.disable(logging.CRITICAL)",
}
APP = """
import logging, logging.config
{way}
logging.getLogger("gunicorn.error").addHandler(logging.FileHandler("added.log"))
def app(environ, start_response):
    environ["wsgi.errors"].write("told\\n")
    environ["wsgi.errors"].flush()
    if environ["PATH_INFO"] == "/fail": raise ValueError("on purpose")
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("target", ["error.log", "-"])
def test_s30_lines_of_the_server(tmp_path: Path, way: str, target: str) -> None:
    (tmp_path / "logging.ini").write_text(INI)
    (tmp_path / "logging_app.py").write_text(APP.format(way=WAYS[way]))
    options = ("--error-logfile", target, "--access-logfile", "access.log")
    bind = f"unix:{tmp_path / 'sock'}"
    with Command("logging_app:app", *options, cwd=tmp_path, bind=bind) as server:

        def log() -> str:
            if target == "-":
                return "\n".join(server.lines)
            path = tmp_path / target
            return path.read_text() if path.exists() else ""

        wait_until(lambda: (log(), "is ready" in log()))
        with raw.Client(str(tmp_path / "sock")) as client:
            client.send(raw.get("/"))
            assert client.response().status == 200
        with raw.Client(str(tmp_path / "sock")) as client:
            client.send(raw.get("/fail"))
            assert client.response().status == 500
        wait_until(lambda: (log(), "ValueError: on purpose" in log()))
        assert "told" in log()
        assert "ValueError: on purpose" in (tmp_path / "added.log").read_text()


def test_s30_lines_of_the_access_log(tmp_path: Path) -> None:
    (tmp_path / "logging_app.py").write_text(APP.format(way=WAYS["dictConfig"]))
    (tmp_path / "celadon.conf.py").write_text(
        "logconfig_dict = {\n"
        "  'handlers': {'file': {'class': 'logging.FileHandler', 'filename': 'access.log'}},\n"
        "  'loggers': {'gunicorn.access': {'handlers': ['file'], 'level': 'INFO'}}}\n"
    )
    with Command("logging_app:app", cwd=tmp_path) as server:
        assert server.request(raw.get("/")).status == 200
        wait_until(lambda: (t := (tmp_path / "access.log").read_text(), "GET / " in t))


def test_a_handler_that_a_file_adds_is_there_once_after_reloads(tmp_path: Path) -> None:
    (tmp_path / "logging_app.py").write_text(APP.format(way=""))
    (tmp_path / "gunicorn.conf.py").write_text(
        "import logging\n"
        "logging.getLogger('gunicorn.error').addHandler(logging.FileHandler('own.log'))\n"
    )
    with Command("logging_app:app", cwd=tmp_path) as server:
        for _ in range(2):
            before = wait_ready(server, 1)
            server.signal(signal.SIGHUP)
            for pid in before:
                wait_until(lambda pid=pid: (None, gone(pid)))  # type: ignore[misc]
        # Those of before are closed once the reload is settled.
        wait_until(lambda: (n := times_open(server, tmp_path / "own.log"), n == 1))
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    lines = (tmp_path / "own.log").read_text().splitlines()
    assert (lines.count("reloading"), lines.count("stopped")) == (2, 1)


def times_open(server: Command, path: Path) -> int:
    """How often the master has it open."""
    links = Path(f"/proc/{server.process.pid}/fd").iterdir()
    return [os.readlink(each) for each in links].count(str(path))
