"""An application that configures logging for itself: the server's lines are there still."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import raw
from tests.support.servers import Command, wait_until

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
