"""Configurations that were written for gunicorn with gevent (S01)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import raw
from tests.support.servers import CELADON, Command, Started
from tests.support.site import TOGETHER, all_at_once, kill_worker, wait_ready

APP = (
    TOGETHER
    + """
from gevent import monkey
monkey.patch_all()
def app(environ, start_response):
    together(6)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""
)
PATCH = """
from gevent import monkey
monkey.patch_all()
worker_class = "gevent"
"""
# As psycogreen does it.
CALLBACK = """
def post_fork(server, worker):
    from gevent.socket import wait_read, wait_write
    from psycopg2 import extensions
    def wait(conn, timeout=None):
        while (state := conn.poll()) != extensions.POLL_OK:
            wait = wait_read if state == extensions.POLL_READ else wait_write
            wait(conn.fileno(), timeout=timeout)
    extensions.set_wait_callback(wait)
    assert extensions.get_wait_callback() is not wait
"""
NOTHING = r"gevent\.monkey\.patch_all\(\) has no effect: celadon has patched"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site_app.py").write_text(APP)
    return tmp_path


@pytest.mark.library("gevent")
@pytest.mark.library("psycopg2")
@pytest.mark.parametrize("words", [(), ("--preload",)], ids=["", "preloaded"])
def test_s01_what_patches_in_the_configuration_file(
    folder: Path, words: tuple[str, ...]
) -> None:
    (folder / "gunicorn.conf.py").write_text(PATCH + CALLBACK)
    with Command("site_app:app", *words, "--workers", "2", cwd=folder) as server:
        server.said(NOTHING)
        server.said(r"psycopg2\.extensions\.set_wait_callback\(\) has no effect")

        def ask() -> None:
            assert server.request(raw.get("/")).body == b"ok"

        all_at_once(6, ask)
        kill_worker(server, wait_ready(server, 2)[0])
    # Whoever has asked for it, and nothing else of it: os is in gevent.os as a whole.
    assert sum("monkey" in line for line in server.lines) == 1
    assert not any("was imported before" in line for line in server.lines)


@pytest.mark.library("gevent")
def test_s01_migrate_says_so(folder: Path) -> None:
    (folder / "gunicorn.conf.py").write_text(PATCH)
    with Started(CELADON, "migrate", "gunicorn.conf.py", cwd=folder) as command:
        assert command.wait() == 0
        at = command.out.index("Has no effect:")
        assert command.out[at + 1].strip().startswith("gevent.monkey.patch_all()")
