"""Other people's commands: Django's runserver, Bottle's, Flask's, PasteDeploy."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from celadon.config.sources import paste

from tests.support.raw import get
from tests.support.servers import BIN, CELADON, Command, Started, wait_until

# --- Django ---

SETTINGS = """
SECRET_KEY = "x"
DEBUG = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
STATIC_URL = "/static/"
INSTALLED_APPS = ["celadon.contrib.django", "django.contrib.staticfiles", "shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
"""
URLS = """
from django.http import HttpResponse
from django.urls import path
VERSION = 1
def view(request):
    return HttpResponse(f"{VERSION} {request.environ['SERVER_SOFTWARE']}")
def broken(request):
    marker = "a local of the view"
    raise ValueError("on purpose")
urlpatterns = [path("", view), path("broken", broken)]
"""
MANAGE = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shop = tmp_path / "shop"
    (shop / "static").mkdir(parents=True)
    (shop / "__init__.py").touch()
    (shop / "settings.py").write_text(SETTINGS)
    (shop / "urls.py").write_text(URLS)
    (shop / "wsgi.py").write_text(
        "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
        "from django.core.wsgi import get_wsgi_application\n"
        "application = get_wsgi_application()\n"
    )
    (shop / "static" / "style.css").write_text("body {}")
    (tmp_path / "manage.py").write_text(MANAGE)
    return tmp_path


def runserver(project: Path, *options: str) -> Started:
    command = [sys.executable, "manage.py", "runserver", *options, "127.0.0.1:0"]
    return Started(*command, cwd=project)


def test_django_runserver(project: Path) -> None:
    with runserver(project) as server:
        assert server.request(get("/")).body.startswith(b"1 celadon/")
        assert server.request(get("/static/style.css")).body == b"body {}"
        page = server.request(get("/broken"))
        assert page.status == 500
        assert "a local of the view" in page.body.decode()
        (project / "shop" / "urls.py").write_text(URLS + "VERSION = 222\n")
        wait_until(lambda: (b := server.request(get("/")).body, b.startswith(b"222 ")))
        assert any("System check identified no issues" in line for line in server.out)
        wait_until(
            lambda: (o := server.out, any('"GET /static/style.css' in x for x in o))
        )
        server.signal(signal.SIGINT)
        assert server.wait() == 0


def test_django_runserver_options(project: Path) -> None:
    with runserver(project, "--noreload", "--nostatic") as server:
        assert server.request(get("/")).body.startswith(b"1 celadon/")
        assert server.request(get("/static/style.css")).status == 404
    (project / "shop" / "settings.py").write_text(
        SETTINGS.replace('WSGI_APPLICATION = "shop.wsgi.application"', "")
    )
    with runserver(project, "--noreload") as server:
        assert server.request(get("/")).body.startswith(b"1 celadon/")


# --- Bottle ---

BOTTLE = """
import sys, threading
import bottle
both = threading.Barrier(1 if sys.argv[1:] else 2)
@bottle.get("/")
def index():
    both.wait(20)
    return bottle.request.environ["SERVER_SOFTWARE"]
options = {"workers": 2, "max_concurrent_requests": 5} if sys.argv[1:] else {}
bottle.run(server="celadon.contrib.bottle:Celadon", port=0, quiet=True, **options)
"""


@pytest.mark.parametrize("more", [[], ["workers"]])
def test_bottle(tmp_path: Path, more: list[str]) -> None:
    (tmp_path / "program.py").write_text(BOTTLE)
    with Started(sys.executable, "program.py", *more, cwd=tmp_path) as server:
        # In one worker they wait for each other.
        clients = [server.client() for _ in range(2)]
        for client in clients:
            client.send(get("/"))
        for client in clients:
            assert client.response().body.startswith(b"celadon/")
            client.close()
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


# --- Flask ---

FLASK = """
from flask import Flask, request
app = Flask(__name__)
@app.get("/")
def index(): return "1 " + request.environ["SERVER_SOFTWARE"]
@app.get("/broken")
def broken(): raise ValueError("on purpose")
"""


def flask(folder: Path, *options: str, debug: bool = False) -> Started:
    first = ["--debug"] if debug else []
    command = [str(BIN / "flask"), "--app", "site_app", *first, "celadon"]
    return Started(*command, "--port", "0", *options, cwd=folder)


def test_flask_command(tmp_path: Path) -> None:
    (tmp_path / "site_app.py").write_text(FLASK)
    with flask(tmp_path, "--workers", "2", "--", "--keep-alive", "5") as server:
        assert server.request(get("/")).body.startswith(b"1 celadon/")
        assert b"Debugger" not in server.request(get("/broken")).body
        server.wait_line("workers: 2")
    with flask(tmp_path, debug=True) as server:
        page = server.request(b"GET /broken HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"Werkzeug Debugger" in page.body
        (tmp_path / "site_app.py").write_text(FLASK.replace('"1 "', '"22 "'))
        wait_until(lambda: (b := server.request(get("/")).body, b.startswith(b"22 ")))


# --- PasteDeploy ---

INI = """
[app:main]
use = call:paste_app:make
colour = green

[app:other]
use = call:paste_app:make
colour = blue

[server:main]
use = egg:celadon#main
host = 127.0.0.1
port = 0
keepalive = 5
{server}

[DEFAULT]
place = %(here)s
"""
PASTE = """
import json
from celadon.patch import patched
PATCHED = str(patched("time", "sleep"))
def make(global_conf, colour):
    def app(environ, start_response):
        body = json.dumps([colour, global_conf.get("extra"), PATCHED]).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
    return app
"""


@pytest.fixture
def ini(tmp_path: Path) -> Path:
    (tmp_path / "site.ini").write_text(INI.format(server=""))
    (tmp_path / "paste_app.py").write_text(PASTE)
    return tmp_path


def answer(server: Command) -> list[str | None]:
    found: list[str | None] = json.loads(server.request(get("/")).body)
    return found


def test_the_command_reads_paste_files(ini: Path) -> None:
    start = [CELADON, "--paste"]
    with Started(*start, "site.ini", cwd=ini) as server:
        assert answer(server)[:2] == ["green", None]
        server.wait_line("listening at http://127.0.0.1:")
    more = ["site.ini#other", "--paste-global", "extra=1"]
    with Started(*start, *more, cwd=ini) as server:
        assert answer(server)[:2] == ["blue", "1"]
    shown = subprocess.run(
        [*start, "site.ini", "--print-config"], cwd=ini, capture_output=True, text=True
    )
    assert re.search(r"keepalive = 5 .*site\.ini \[server:main\]", shown.stdout)


@pytest.mark.parametrize("given", [[], ["--paste-global", "http_port=0"]])
def test_r06_values_of_paste_files_that_come_from_outside(
    ini: Path, given: list[str]
) -> None:
    file = ini / "site.ini"
    file.write_text(file.read_text().replace("port = 0", "port = %(http_port)s"))
    command = [CELADON, "-b", "127.0.0.1:0", "--paste", "site.ini", *given]
    with Started(*command, cwd=ini) as server:
        assert answer(server)[0] == "green"
        warned = [
            line for line in server.lines if "%(http_port)s names no value" in line
        ]
        assert bool(warned) == (not given)


def test_what_is_for_another_server_is_left_out(ini: Path) -> None:
    text = INI.format(server="threads = 9\nurl_scheme = http")
    (ini / "site.ini").write_text(text.replace("egg:celadon#main", "egg:waitress#main"))
    command = [CELADON, "--check-config", "--paste", "site.ini"]
    done = subprocess.run(command, cwd=ini, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == (
        "celadon: note: [server:main] of site.ini is for egg:waitress#main: keepalive, "
        "threads, url_scheme: left out\n"
    )


def test_an_application_that_a_file_has_not_is_said_before_the_port_opens(
    ini: Path,
) -> None:
    command = [CELADON, "--paste", "site.ini#nothing"]
    done = subprocess.run(command, cwd=ini, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        2,
        "celadon: paste: site.ini has no application 'nothing'; it has 'main', 'other'\n",
    )


def test_what_tunes_waitress_has_no_effect(tmp_path: Path) -> None:
    (tmp_path / "site.ini").write_text(INI.format(server="recv_bytes = 9\nident = x"))
    read = paste.read("site.ini", tmp_path)
    assert read.problems == [
        "ident is waitress's: write server_header, on or off (site.ini [server:main])"
    ]
    assert read.warnings[0].startswith("recv_bytes has no effect: it tunes waitress's")
    assert not {"ident", "recv_bytes"} & read.values.keys()


def test_waitress_says_listen(tmp_path: Path) -> None:
    text = INI.format(server="listen = *:6543 localhost:6544")
    (tmp_path / "site.ini").write_text(text)
    read = paste.read("site.ini", tmp_path)
    assert read.values["bind"] == ["0.0.0.0:6543", "localhost:6544"]
    assert "listen" not in read.values


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("none.ini", None, "No such file"),
        ("site.ini", INI.format(server="worker = 2"), "did you mean 'workers'"),
        (
            "site.ini",
            INI.format(server="channel_timeout = 9"),
            "channel_timeout is waitress's: write keepalive (site.ini [server:main])",
        ),
        ("site.ini#nothing", INI.format(server=""), "nothing"),
        ("site.ini", "[app:main]\nuse = egg:nothere\n", "nothere"),
    ],
)
def test_paste_files_that_are_wrong(
    ini: Path, name: str, text: str | None, says: str
) -> None:
    if text:
        (ini / "site.ini").write_text(text)
    done = subprocess.run(
        [CELADON, "-b", "127.0.0.1:0", "--paste", name],
        cwd=ini,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (2, 4)
    assert says in done.stderr


@pytest.mark.parametrize(
    ("options", "colour"), [([], "green"), (["-n", "other"], "blue")]
)
def test_pserve_hands_over(ini: Path, options: list[str], colour: str) -> None:
    # Whose applications are installed: it does not look into the working directory.
    env = {"PYTHONPATH": str(ini)}
    with Started(str(BIN / "pserve"), "site.ini", *options, cwd=ini, env=env) as server:
        found = answer(server)
        assert found[0] == colour
        # It was imported again, after the standard library was patched.
        assert found[2] == "True"
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
