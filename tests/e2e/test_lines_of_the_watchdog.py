"""What the watchdog says goes where all lines go, and no further than their level."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.raw import Client
from tests.support.servers import Command, wait_until

APP = """
import os
def app(environ, start_response):
    while environ["PATH_INFO"] == "/hold" and not os.path.exists("go"): pass
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""
CONFIG = """
logconfig_dict = {{
    "formatters": {{"own": {{"format": "OWN %(levelname)s %(message)s"}}}},
    "handlers": {{"own": {{"class": "logging.StreamHandler", "formatter": "own"}}}},
    {whose}: {{"handlers": ["own"], "level": "INFO"}}{end},
}}
"""
CONFIGS = pytest.mark.parametrize(
    "config",
    [
        CONFIG.format(whose="'loggers': {'celadon.error'", end="}"),
        CONFIG.format(whose="'root'", end=""),
    ],
    ids=["the server's", "root"],
)
WATCHED = ("--watchdog-threshold", "0.05", "--timeout", "8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "holding.py").write_text(APP)
    return tmp_path


def connected(place: str) -> Client:
    wait_until(lambda: (None, os.path.exists(place)))
    return Client(place)


def test_they_obey_the_level(folder: Path) -> None:
    place = str(folder / "socket")  # no line says of a port that it is open
    options = (*WATCHED, "--log-level", "error")
    with (
        Command("holding:app", *options, cwd=folder, bind=f"unix:{place}") as server,
        connected(place) as client,
    ):
        client.send(raw.get("/hold"))
        server.wait_line(r"ERROR\] the loop is held for \d+ ms; the stacks")
        (folder / "go").touch()
        assert client.response().status == 200
        assert not [line for line in server.lines if "WARNING" in line]


@CONFIGS
def test_they_obey_a_configuration(folder: Path, config: str) -> None:
    (folder / "celadon.conf.py").write_text(config)
    with (
        Command("holding:app", *WATCHED, cwd=folder) as server,
        server.client() as client,
    ):
        client.send(raw.get("/hold"))
        server.wait_line(r"ERROR\] the loop is held .* the stacks of all threads")
        (folder / "go").touch()
        assert client.response().status == 200
        server.wait_line(r"^OWN WARNING the loop is held for \d+ ms at .*:\d+ in ")
        server.wait_line(r"^OWN WARNING the loop was held for \d+ ms in all at ")
        assert not [line for line in server.lines if "[WARNING]" in line]


@CONFIGS
def test_so_do_the_last_words_of_a_worker(folder: Path, config: str) -> None:
    (folder / "celadon.conf.py").write_text(config)
    with (
        Command("holding:app", "--timeout", "1", cwd=folder) as server,
        server.client() as client,
    ):
        client.send(raw.get("/hold"))
        server.wait_line(r"^OWN CRITICAL worker \d+ does not answer")
        server.wait_line(r"^OWN CRITICAL \d+ greenlets, \d+ idle slots")
        server.wait_line(r"worker \d+ exited with status 1")
