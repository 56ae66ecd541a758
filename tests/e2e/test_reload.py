"""`--reload`: a development server on the same code as the real one."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.raw import TIMEOUT, Client, get
from tests.support.servers import CELADON, Command, wait_until
from tests.support.site import gone

APP = """
import helper
def app(environ, start_response):
    body = f"{0} {{helper.VALUE}}".encode()
    if environ["PATH_INFO"] == "/late":
        import late
        body = late.VALUE
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def write(folder: Path, name: str, text: str) -> None:
    """As an editor does, a second after the last time: bytecode knows no less, and the size."""
    path = folder / name
    before = path.stat().st_mtime if path.exists() else 0.0
    path.write_text(text)
    if int(path.stat().st_mtime) <= int(before):
        os.utime(path, (before + 1, before + 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "dev_app.py", APP.format(1))
    write(tmp_path, "helper.py", "VALUE = 1\n")
    return tmp_path


def body_becomes(server: Command, expected: str, path: str = "/") -> None:
    def probe() -> tuple[bytes, bool]:
        body = server.request(get(path)).body
        return body, expected in body.decode()

    wait_until(probe)


@pytest.mark.parametrize("engine", ["poll", "auto"])
def test_a_change_is_served(folder: Path, engine: str) -> None:
    options = ["--reload", "--reload-engine", engine]
    with Command("dev_app:app", *options, cwd=folder) as server:
        body_becomes(server, "1 1")
        write(folder, "dev_app.py", APP.format(22))
        body_becomes(server, "22 1")
        server.wait_line("celadon: dev_app.py changed: reloading")
        write(folder, "helper.py", "VALUE = 333\n")
        body_becomes(server, "22 333")


def test_modules_elsewhere_and_extra_files(folder: Path, tmp_path: Path) -> None:
    place, work = tmp_path / "lib", tmp_path / "work"
    place.mkdir()
    work.mkdir()
    write(place, "late.py", "VALUE = b'1'\n")
    write(place, "helper.py", "VALUE = 1\n")
    write(work, "dev_app.py", APP.format(1))
    write(work, "page.html", "<p>")
    options = ["--reload", "--reload-engine", "poll", "--reload-extra-file", "*.html"]
    env = {"PYTHONPATH": str(place)}
    with Command("dev_app:app", *options, cwd=work, env=env) as server:
        body_becomes(server, "1", "/late")
        # The watcher hears of it within a second, and is then told by a change.
        wait_until(lambda: (None, _changes(place / "late.py", server, "22")))
        write(work, "page.html", "<p>more")
        server.wait_line("page.html changed: reloading")


def _changes(file: Path, server: Command, value: str) -> bool:
    if server.request(get("/late")).body == value.encode():
        return True
    file.write_text(f"VALUE = b'{value}'\n")
    return False


def test_an_application_that_cannot_be_imported_is_a_page(folder: Path) -> None:
    write(folder, "helper.py", "VALUE = 1 / 0  # <on purpose>\n")
    with Command("dev_app:app", "--reload", cwd=folder) as server:
        answer = server.request(get("/"))
        assert answer.status == 500
        page = answer.body.decode()
        assert "ZeroDivisionError" in page
        assert "&lt;on purpose&gt;" in page
        server.wait_line("ZeroDivisionError")
        write(folder, "helper.py", "VALUE = 7\n")
        body_becomes(server, "1 7")
        write(folder, "dev_app.py", "syntax error here\n")
        body_becomes(server, "SyntaxError")
        write(folder, "dev_app.py", APP.format(4))
        body_becomes(server, "4 7")


def test_the_watcher_ends_with_its_master(folder: Path) -> None:
    with Command("dev_app:app", "--reload", cwd=folder) as server:
        body_becomes(server, "1 1")
        children = Path(
            f"/proc/{server.process.pid}/task/{server.process.pid}/children"
        )
        [watcher] = [
            int(pid)
            for pid in children.read_text().split()
            if b"watcher" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        os.kill(server.process.pid, signal.SIGKILL)
        wait_until(lambda: (None, gone(watcher)))


def test_reload_and_preload_contradict_each_other(folder: Path) -> None:
    done = subprocess.run(
        [CELADON, "--reload", "--preload", "dev_app:app"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "cannot be renewed" in done.stderr


def test_the_frameworks_page_is_left_intact(tmp_path: Path) -> None:
    write(
        tmp_path,
        "django_dev.py",
        """
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import path
settings.configure(DEBUG=True, SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__)
def view(request):
    marker = "a local of the view"
    raise ValueError("on purpose")
urlpatterns = [path("", view)]
app = get_wsgi_application()
""",
    )
    with Command("django_dev:app", "--reload", cwd=tmp_path) as server:
        answer = server.request(get("/"))
        assert answer.status == 500
        assert "on purpose" in answer.body.decode()
        assert "a local of the view" in answer.body.decode()
    write(
        tmp_path,
        "flask_dev.py",
        """
from flask import Flask
from werkzeug.debug import DebuggedApplication
flask = Flask(__name__)
@flask.get("/")
def view():
    raise ValueError("on purpose")
flask.debug = True
app = DebuggedApplication(flask, evalex=True, pin_security=False)
""",
    )
    with Command("flask_dev:app", "--reload", cwd=tmp_path) as server:
        page = server.request(get("/")).body.decode()
        assert "Werkzeug Debugger" in page
        secret = re.search(r'SECRET = "(\w+)"', page)
        frame = re.search(r'id="frame-(\d+)"', page)
        assert secret
        assert frame
        query = f"__debugger__=yes&cmd=6*7&frm={frame[1]}&s={secret[1]}"
        code = f"GET /?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        assert "42" in server.request(code.encode()).body.decode()


# --- a debugger in a view ---

VIEW = """
import time
def app(environ, start_response):
    answer = 41
    if environ["PATH_INFO"] == "/break":
        breakpoint()
        answer += 1
        time.sleep(0.01)
    body = str(answer).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


class Terminal:
    """A server at a terminal of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [CELADON, "--reload", *options, "-b", "127.0.0.1:0", "debug_app:app"],
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        self.seen = ""
        port = self.wait_for(r"listening at http://.*:(\d+)")[1]
        self.address = ("127.0.0.1", int(port))

    def wait_for(self, pattern: str) -> re.Match[str]:
        while not (found := re.search(pattern, self.seen)):
            readable, _, _ = select.select([self.master], [], [], TIMEOUT)
            assert readable, f"no {pattern!r} in {self.seen!r}"
            self.seen += os.read(self.master, 4096).decode()
        self.seen = self.seen[found.end() :]
        return found

    def type(self, line: str) -> None:
        os.write(self.master, line.encode() + b"\n")

    def end(self) -> None:
        self.process.terminate()
        assert self.process.wait(TIMEOUT) == 0
        os.close(self.master)


def test_breakpoint_in_a_view_stops_that_request_alone(tmp_path: Path) -> None:
    write(tmp_path, "debug_app.py", VIEW)
    # Shorter than the debugging takes: neither may end it.
    terminal = Terminal(tmp_path, "--timeout", "1", "--watchdog-threshold", "0")
    try:
        with Client(terminal.address) as stopped:
            stopped.send(get("/break"))
            terminal.wait_for(r"\(Pdb\) ")
            for _ in range(20):
                with Client(terminal.address) as other:
                    other.send(get("/"))
                    assert other.response().body == b"41"
            wait_past_timeout(terminal.address)
            terminal.type("p answer * 2")
            terminal.wait_for(r"82\r\n\(Pdb\) ")
            terminal.type("answer = 1")
            terminal.wait_for(r"\(Pdb\) ")
            terminal.type("c")
            assert stopped.response().body == b"2"
    finally:
        terminal.end()


def wait_past_timeout(address: tuple[str, int]) -> None:
    """A worker that is held is aborted after `timeout`: 1 s here, and 2 more."""
    import time

    end = time.monotonic() + 3.5

    def probe() -> tuple[None, bool]:
        with Client(address) as other:
            other.send(get("/"))
            assert other.response().body == b"41"
        return None, time.monotonic() > end

    wait_until(probe)
