"""Where settings come from: files, variables, flags, and which of them wins."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from celadon.command import ctl

from tests.support import raw
from tests.support.servers import CELADON, ROOT, Command

PROBE = "tests.apps.probe:app"


class Place:
    """A working directory with configuration files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def run(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [CELADON, *args],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def settings(self, *args: str, **env: str) -> dict[str, tuple[object, str]]:
        done = self.run("config", "--json", *args, **env)
        assert done.returncode == 0, done.stderr
        shown = json.loads(done.stdout)["settings"]
        return {name: (each["value"], each["source"]) for name, each in shown.items()}

    def problems(self, *args: str, **env: str) -> list[str]:
        done = self.run("config", *args, **env)
        assert (done.returncode, done.stdout) == (2, "")
        return done.stderr.splitlines()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_each_source_wins_over_the_one_below(place: Place) -> None:
    place.write("celadon.toml", "\n".join(f"{name} = 1" for name in NAMES))
    env = {
        "WEB_CONCURRENCY": "9",
        "GUNICORN_CMD_ARGS": " ".join(f"--{flag(n)} 2" for n in NAMES[1:]),
        "CELADON_CMD_ARGS": " ".join(f"--{flag(n)} 3" for n in NAMES[2:]),
        **{f"CELADON_{n.upper()}": "4" for n in NAMES[3:]},
    }
    given = [word for n in NAMES[4:] for word in (f"--{flag(n)}", "5")]
    found = place.settings(*given, **env)
    assert [found[name] for name in NAMES] == [
        (1, "celadon.toml"),
        (2, "environment GUNICORN_CMD_ARGS"),
        (3, "environment CELADON_CMD_ARGS"),
        (4, f"environment CELADON_{NAMES[3].upper()}"),
        (5, "command line"),
    ]
    assert found["keepalive"] == (75.0, "default")
    assert place.settings("-c", "", WEB_CONCURRENCY="9")["workers"] == (
        9,
        "environment WEB_CONCURRENCY",
    )


NAMES = ["workers", "backlog", "queue_depth", "max_requests", "retry_after"]


def flag(name: str) -> str:
    return name.replace("_", "-")


def test_the_first_file_is_read_and_no_other(place: Place) -> None:
    place.write("gunicorn.conf.py", "workers = 4\nbacklog = 10")
    assert place.settings()["workers"] == (4, "gunicorn.conf.py")
    place.write("pyproject.toml", "[project]\nname = 'x'")
    assert place.settings()["workers"] == (4, "gunicorn.conf.py")
    place.write("pyproject.toml", "[tool.celadon]\nworkers = 3")
    assert place.settings()["workers"] == (3, "pyproject.toml [tool.celadon]")
    assert place.settings()["backlog"] == (2048, "default")
    place.write("celadon.toml", "workers = 2")
    assert place.settings()["workers"] == (2, "celadon.toml")
    place.write("celadon.conf.py", "workers = 1 + 0")
    assert place.settings()["workers"] == (1, "celadon.conf.py")


@pytest.mark.parametrize("how", ["other.py", "file:other.py", "python:other"])
def test_a_named_file(place: Place, how: str) -> None:
    place.write("celadon.toml", "workers = 2")
    place.write("other.py", "import os\nworkers = 7\n")
    source = how.removeprefix("file:")
    assert place.settings("-c", how)["workers"] == (7, source)
    assert place.settings(CELADON_CONFIG=how)["workers"] == (7, source)
    assert place.settings(GUNICORN_CMD_ARGS=f"-c {how}")["workers"] == (7, source)
    assert place.settings("-c", "")["workers"] == (1, "default")


def test_a_module_is_not_a_setting_of_its_name(place: Place) -> None:
    place.write("celadon.conf.py", "from celadon import green\nworkers = 2\n")
    assert place.settings()["green"] == (True, "default")
    assert place.settings()["workers"] == (2, "celadon.conf.py")


def test_what_is_wrong_with_the_environment_is_said(place: Place) -> None:
    place.write("good.env", "# a comment\n\nexport ONE='1 2'\nTWO=\n")
    assert place.settings("--env-file", "good.env")["env_file"][0] == "good.env"
    place.write("bad.env", "ONE=1\nTWO: 2\n")
    assert place.problems("--env-file", "bad.env") == [
        "celadon: env_file: bad.env:2: expected NAME=value"
    ]
    (line,) = place.problems("--env-file", "nowhere.env")
    assert line.endswith("No such file or directory: 'nowhere.env'")
    for wrong in ("sockets", "on,ssl"):
        (line,) = place.problems("--green-patch", wrong)
        assert "green_patch: expected on, off, or some of select, socket" in line
        assert line.endswith(f"not {wrong!r}")


def test_a_file_that_is_not_there(place: Place) -> None:
    (line,) = place.problems("-c", "nowhere.py")
    assert line.endswith("nowhere.py'")


def test_all_that_is_wrong_is_said_at_once(place: Place) -> None:
    place.write("celadon.toml", "worker = 2\nbacklog = 'many'\n[reload]\nx = 1")
    lines = place.problems("--keep-alive", "soon", CELADON_WORKRES="1")
    assert lines == [
        "celadon: unknown setting 'worker' (did you mean 'workers' or 'worker_class'?) "
        "(celadon.toml)",
        "celadon: backlog: expected a whole number that is not negative, not 'many' "
        "(celadon.toml)",
        "celadon: reload: expected on or off, not {'x': 1} (celadon.toml)",
        "celadon: unknown setting 'workres' (did you mean 'workers'?) "
        "(environment CELADON_WORKRES)",
        "celadon: keepalive: expected a duration such as 30, 250ms or 5m, not 'soon' "
        "(command line)",
    ]


def test_check_config_says_what_is_wrong_with_the_application_too(place: Place) -> None:
    place.write("celadon.toml", "backlog = 'many'")
    done = place.run("--check-config", "tests.apps.broken:app")
    assert done.returncode == 1
    assert "backlog: expected" in done.stderr
    assert "1 / 0" in done.stderr
    place.write("celadon.toml", "wsgi_app = 'tests.apps.probe:app'")
    done = place.run("--check-config")
    assert (done.returncode, done.stdout) == (0, "configuration is fine\n")


def test_broken_files_are_named(place: Place) -> None:
    place.write("celadon.toml", "workers = ")
    assert place.problems()[0].startswith("celadon: celadon.toml: Invalid value")
    place.write("celadon.conf.py", "workers = 1 / 0")
    lines = place.problems()
    assert 'celadon.conf.py", line 1' in lines[1]
    assert "ZeroDivisionError" in lines[-2]
    assert lines[-1] == "config: celadon.conf.py cannot be read"
    place.write("celadon.conf.py", "workers = (")
    assert "SyntaxError" in place.problems()[-2]
    assert place.problems(GUNICORN_CMD_ARGS="'")[-1] == (
        "celadon: GUNICORN_CMD_ARGS: No closing quotation"
    )


def test_names_of_the_author_and_slips_of_the_pen(place: Place) -> None:
    text = """
import multiprocessing
from os import path
CPUS = 4
_private = 1
def helper(): return 2
class Thing: pass
workers = helper()
certainly_mine = 5
keepalives = 3
"""
    place.write("gunicorn.conf.py", text)
    done = place.run("config")
    assert "workers = 2  # gunicorn.conf.py" in done.stdout
    assert "# note: unknown setting 'keepalives' (did you mean 'keepalive'?)" in (
        done.stdout
    )
    assert "certainly_mine" not in done.stdout
    (line,) = place.problems("--strict-config")
    assert "'keepalives'" in line
    (place.folder / "gunicorn.conf.py").rename(place.folder / "celadon.conf.py")
    assert len(place.problems()) == 2


def test_what_a_file_imports_is_the_authors(place: Place) -> None:
    place.write("common.py", "workers = 3\nother = 1\n")
    place.write(
        "celadon.conf.py",
        "from __future__ import annotations\n"
        "import os.path as paths\n"
        "from os import environ\n"
        "from typing import Optional\n"
        "from common import other, workers\n"
        "if environ:\n    from string import digits\n",
    )
    assert place.settings()["workers"] == (3, "celadon.conf.py")
    place.write("celadon.conf.py", "def f():\n    from os import curdir\ncurdir = 1\n")
    (line,) = place.problems()
    assert "unknown setting 'curdir'" in line


def test_a_file_that_is_a_link_is_named_as_it_was(place: Place) -> None:
    place.write("of_the_site.py", "retry_after = 7\n")
    (place.folder / "celadon.conf.py").symlink_to("of_the_site.py")
    for words in ((), ("-c", "celadon.conf.py")):
        assert place.settings(*words)["retry_after"][0] == 7


def test_toml_is_utf_8_whatever_the_locale(place: Place) -> None:
    place.write(
        "celadon.toml", 'proc_name = "caf\N{LATIN SMALL LETTER E WITH ACUTE}"\n'
    )
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert place.settings(**plain)["proc_name"][0] == "caf\u00e9"


@pytest.mark.parametrize(
    ("name", "written", "read"),
    [
        ("bind", "('127.0.0.1:1', 'unix:/x')", ["127.0.0.1:1", "unix:/x"]),
        ("umask", "'007'", 0o007),
        ("umask", "'0o022'", 0o022),
        ("umask", "18", 0o022),
        ("control_socket_mode", "'0660'", 0o660),
        ("chdir", "__import__('pathlib').Path('/')", "/"),
        ("errorlog", "' - '", "-"),
        ("forwarded_allow_ips", "['10.0.0.0/8', '::1']", "10.0.0.0/8,::1"),
        ("raw_env", "['A=1,2', 'B=']", ["A=***", "B=***"]),
        (
            "health_paths",
            "{'/up': 'live', '/ready': ''}",
            {"/up": "live", "/ready": "ready"},
        ),
        ("pythonpath", "__import__('pathlib').Path('/a')", ["/a"]),
    ],
)
def test_values_are_read_as_they_were_meant(
    place: Place, name: str, written: str, read: object
) -> None:
    place.write("celadon.conf.py", f"{name} = {written}\n")
    assert place.settings()[name][0] == read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bind = 8000", "a port alone is written :8000"),
        ("bind = {'a': 1}", "expected a list, or texts with commas between them"),
        ("allowed_hosts = True", "expected a list, or texts with commas between them"),
        ("umask = '440'", "expected an octal mode such as 0o022"),
        ("umask = True", "expected an octal mode such as 0o022"),
        ("raw_env = ['=1']", "expected NAME=value"),
        ("raw_env = ['A=\\0']", "expected NAME=value"),
        ("health_paths = {1: 'live'}", "paths as /healthz=ready or /-/live are wanted"),
        ("when_ready = 'no.such.hook'", "when_ready: there is no 'no.such.hook'"),
        ("when_ready = 'os.curdir'", "when_ready: a function is wanted, not '.'"),
    ],
)
def test_values_that_mean_nothing_get_a_line(
    place: Place, text: str, said: str
) -> None:
    place.write("celadon.conf.py", text)
    (line,) = place.problems()
    assert said in line


def test_values_of_variables_for_the_application_may_have_commas(place: Place) -> None:
    place.write(
        "shop.py",
        "import os\nassert os.environ['HOSTS'] == 'a,b'\nassert os.environ['B'] == '1'\n"
        "def app(environ, start): ...\n",
    )
    words = ("--env", "HOSTS=a,b", "-e", "B=1", "-b", "127.0.0.1:0", "shop:app")
    done = place.run("--check-config", *words)
    assert (done.returncode, done.stdout) == (0, "configuration is fine\n"), done.stderr


def test_what_is_asked_of_the_command_is_no_setting(place: Place) -> None:
    (line,) = place.problems(GUNICORN_CMD_ARGS="--check-config --json")
    assert line == (
        "celadon: GUNICORN_CMD_ARGS: --check-config, --json: only for the command line"
    )
    place.write("gunicorn.conf.py", "keepalives = 3")
    for strict in (
        {"CELADON_STRICT_CONFIG": "1"},
        {"CELADON_CMD_ARGS": "--strict-config"},
    ):
        (line,) = place.problems(**strict)
        assert "'keepalives'" in line
    assert place.settings(CELADON_STRICT_CONFIG="0")


def test_what_a_platform_says_and_nobody_asks_for_is_no_problem(place: Place) -> None:
    odd = {"PORT": "tcp://10.0.0.1:80", "WEB_CONCURRENCY": "many"}
    found = place.settings("--bind", "127.0.0.1:0", "--workers", "2", **odd)
    assert found["bind"] == (["127.0.0.1:0"], "command line")
    assert len(place.problems(**odd)) == 2


def test_a_project_that_cannot_be_read_is_named(place: Place) -> None:
    """Nobody knows whether it says anything of celadon."""
    place.write("pyproject.toml", "[project")
    (line,) = place.problems()
    assert line.startswith("celadon: pyproject.toml: Expected ']'")
    assert line.endswith("; --config '' reads no file")
    assert place.settings("--config", "")
    (place.folder / "pyproject.toml").unlink()
    (place.folder / "pyproject.toml").symlink_to("/proc/self/mem")
    done = place.run("--check-config", "--keep-alive", "soon", "nowhere:app")
    assert "pyproject.toml: Input/output error; --config '' reads" in done.stderr
    assert "keepalive: expected a duration" in done.stderr


def test_a_socket_in_what_is_no_folder_is_named(place: Place) -> None:
    path = place.write("file", "") / "x"
    bind = ("-b", "127.0.0.1:0", "--control-socket", str(path))
    done = place.run(*bind, PROBE)
    assert f"celadon: cannot bind to 'unix:{path}': " in done.stderr


@pytest.mark.row("S21")
def test_in_a_file_for_gunicorn_only_its_names_are_settings(place: Place) -> None:
    place.write(
        "gunicorn.conf.py",
        "from os.path import dirname\n"
        "root_path = dirname(__file__)\n"
        "metrics = {'statsd': 1}\n"
        "celadon_retry_after = 7\n"
        "celadon_root_path = '/shop'\n"
        "keepalive = 9\n",
    )
    found = place.settings()
    assert found["root_path"] == ("/shop", "gunicorn.conf.py")
    assert found["metrics"] == (True, "default")
    assert found["retry_after"][0] == 7
    assert found["keepalive"][0] == 9
    notes = place.run("config").stdout
    assert "metrics is left alone" in notes
    assert "celadon_metrics here (gunicorn.conf.py)" in notes
    place.write("gunicorn.conf.py", "celadon_adminbind = 'x'")
    (line,) = place.problems()
    assert "unknown setting 'celadon_adminbind' (did you mean 'celadon_admin_b" in line


@pytest.mark.row("S21")
def test_what_is_the_authors_may_begin_as_celadons_settings_do(place: Place) -> None:
    place.write("helpers.py", "def celadon_setup(): pass\n")
    place.write(
        "gunicorn.conf.py",
        "import celadon as celadon_itself\n"
        "from helpers import celadon_setup\n"
        "def celadon_hello(): pass\n"
        "class celadon_things: pass\n"
        "celadon_VERSION = 'x'\n"
        "celadon_retry_after = 7\n",
    )
    assert place.settings()["retry_after"] == (7.0, "gunicorn.conf.py")


@pytest.mark.row("S21")
def test_names_that_gunicorn_shares_are_those_of_both() -> None:
    from celadon.config.settings import SETTINGS, gunicorn
    from gunicorn.config import KNOWN_SETTINGS

    theirs = {setting.name for setting in KNOWN_SETTINGS}
    assert theirs & set(SETTINGS) - {"root_path"} == gunicorn.SHARED


def test_none_is_no_value_in_a_python_file(place: Place) -> None:
    place.write("gunicorn.conf.py", "user = None\npidfile = None\npost_fork = None")
    assert place.settings()["user"] == ("", "default")


def test_a_file_may_import_gunicorn_where_there_is_none(place: Place) -> None:
    text = """
import gunicorn
from gunicorn import glogging
class Mine(glogging.Logger): pass
workers = 3 if gunicorn.__version__ else 0
"""
    place.write("gunicorn.conf.py", text)
    (place.folder / "sitecustomize.py").write_text(
        "import sys, importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n == 'gunicorn' else find(n, *a)\n"
    )
    path = os.pathsep.join([str(place.folder), str(ROOT)])
    assert place.settings(PYTHONPATH=path)["workers"][0] == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("daemon = True", "daemon is refused: use systemd or a container"),
        ("keyfile = 'x.pem'", "keyfile: there is no TLS without certfile"),
        ("spew = True", "spew is refused: tracing every line"),
        ("dirty_apps = ['x']", "dirty_apps is refused: there is no second arbiter"),
        ("worker_class = 'tornado'", "worker_class: expected auto, green"),
        ("header_map = 'dangerous'", "header_map: expected one of drop, refuse"),
        ("def post_fork(worker): pass", "post_fork: it must take 2 arguments"),
        ("pre_fork = 5", "pre_fork: a function is wanted, not 5"),
        ("reuse_port = True\nbind = 'unix:/x'", "reuse_port: a unix socket cannot"),
    ],
)
def test_refusals_have_a_reason(place: Place, text: str, expected: str) -> None:
    place.write("gunicorn.conf.py", text)
    (line,) = place.problems()
    assert expected in line


def test_every_setting_of_gunicorn_is_known() -> None:
    """Honoured, accepted without effect, or refused with a reason: never unknown."""
    from celadon.config.hooks import HOOKS
    from celadon.config.settings import SETTINGS, gunicorn
    from gunicorn.config import KNOWN_SETTINGS

    names = {setting.name for setting in KNOWN_SETTINGS}
    own = {"config", "print_config", "check_config"}
    assert names - own - set(SETTINGS) - set(gunicorn.VERDICTS) - set(HOOKS) == set()


@pytest.mark.row("S22")
def test_every_flag_of_gunicorn_is_known() -> None:
    from celadon.config.flags import make_parser
    from gunicorn.config import KNOWN_SETTINGS

    ours = {flag for action in make_parser()._actions for flag in action.option_strings}
    theirs = {flag for setting in KNOWN_SETTINGS for flag in setting.cli or ()}
    assert theirs - ours == set()


def test_every_default_of_gunicorn_is_accepted(place: Place) -> None:
    from gunicorn.config import KNOWN_SETTINGS

    lines = []
    for setting in KNOWN_SETTINGS:
        default = setting.default
        if setting.name.startswith(("config", "print_", "check_")) or callable(default):
            continue
        if type(default) in (str, int, bool, list):
            lines.append(f"{setting.name} = {default!r}")
    place.write("gunicorn.conf.py", "\n".join(lines))
    assert place.settings()["workers"][0] == 1


@pytest.mark.parametrize(
    ("kind", "threads", "green"),
    [
        ("sync", 1, False),
        ("sync", 4, True),
        ("gthread", 4, True),
        ("gevent", 1, True),
        ("gevent_wsgi", 1, True),
        ("gunicorn.workers.ggevent.GeventPyWSGIWorker", 1, True),
        ("eventlet", 1, True),
        ("meinheld.gmeinheld.MeinheldWorker", 1, True),
        ("egg:meinheld#gunicorn_worker", 1, True),
    ],
)
def test_worker_classes(place: Place, kind: str, threads: int, green: bool) -> None:
    place.write(
        "gunicorn.conf.py",
        f"worker_class = {kind!r}\nthreads = {threads}\ntimeout = 17",
    )
    found = place.settings()
    assert found["green"][0] is green
    assert found["request_timeout"][0] == (120.0 if green else 17.0)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("timeout = 600", (600.0, "timeout")),
        ("timeout = 0", (0.0, "timeout")),
        ("timeout = 120", (120.0, "default")),
        ("timeout = 600; celadon_request_timeout = 7", (7.0, "gunicorn.conf.py")),
        ("timeout = 600; worker_class = 'gevent'", (600.0, "timeout")),
        ("timeout = 600; reload = True", (0.0, "reload")),
    ],
)
def test_a_longer_timeout_is_one_for_requests(
    place: Place, lines: str, expected: tuple[float, str]
) -> None:
    """gunicorn's workers that wait let a request take as long as it likes."""
    place.write("gunicorn.conf.py", lines)
    assert place.settings()["request_timeout"] == expected
    told = place.run("migrate", "gunicorn.conf.py").stdout
    assert f"ended by request_timeout ({expected[0]:g} s)" in told or not expected[0]


def test_migrate(place: Place) -> None:
    place.write(
        "gunicorn.conf.py",
        """
workers = 8
threads = 4
worker_class = "gthread"
timeout = 60
certfile = "x.pem"
daemon = True
worker_tmp_dir = "/dev/shm"
def post_fork(server, worker): pass
""",
    )
    done = place.run("migrate", "gunicorn.conf.py")
    assert done.returncode == 1  # something is refused
    for line in (
        "Stays as it is:\n  workers = 8",
        "  certfile = 'x.pem'",
        "  post_fork()",
        "  keepalive: 75 s instead of 2 s",
        "  threads: requests run on greenlets",
        "  worker_tmp_dir has no effect: heartbeats live in shared memory",
        "Is refused, and stops the start:\n  daemon is refused",
        "  workers: 8 x 4 requests at a time before, 8 x 1000 now",
        "  database connections: at most 32 for each worker and server, 256 in all",
    ):
        assert line in done.stdout
    assert place.run("migrate", "nowhere.py").returncode == 2


def test_migrate_says_what_to_watch(place: Place) -> None:
    place.write(
        "gunicorn.conf.py",
        "limit_request_line = 0\nlimit_request_field_size = 60000\n"
        "forwarded_allow_ips = '*'\nworkers = 1\ndef pre_exec(server): pass\n",
    )
    text = place.run("migrate", "gunicorn.conf.py").stdout
    assert "limit_request_line: 0 is the most that there can be" in text
    assert "limit_request_head: all fields together have 65536 bytes at most" in text
    assert "forwarded_allow_ips = '*': whoever connects may say its address" in text
    assert "pre_exec() is never called: USR2 starts no second master" in text
    assert "are enough" not in text
    assert "pre_exec()" not in text.partition("Changes:")[0]
    place.write("gunicorn.conf.py", "workers = 4096\n")
    text = place.run("migrate", "gunicorn.conf.py").stdout
    assert f"; {len(os.sched_getaffinity(0))} are enough, one for each CPU" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "worker_class = 'gevent'\nworkers = 2\n",
            "2 x 1000 requests at a time before",
        ),
        ("worker_class = 'eventlet'\nworker_connections = 9\n", "1 x 9 requests at a "),
        (
            "reload = True\npreload_app = True\n",
            "start:\n  reload: what preload_app has",
        ),
        (
            "access_log_format = '%(foo)s'\n",
            "Watch:\n  access_log_format: %(foo)s is no",
        ),
        ("access_logfile = '-'\n", "'access_logfile' (did you mean 'accesslog'?)"),
        (
            "logconfig = 'log.ini'\n",
            "accesslog: gunicorn writes that log where logging",
        ),
    ],
)
def test_migrate_says_no_more_and_no_less_than_is_so(
    place: Place, text: str, said: str
) -> None:
    place.write("gunicorn.conf.py", text)
    assert said in place.run("migrate").stdout


def test_names_of_flags_may_be_the_authors_own(place: Place) -> None:
    text = "access_logfile = log_file = '-'\naccesslog = access_logfile\n"
    place.write("gunicorn.conf.py", text)
    assert "unknown setting" not in place.run("migrate").stdout


UWSGI = """
[other]
module = not:this
[uwsgi]
; a comment
wsgi-file = shop/wsgi.py
callable = app
http-socket = :8000
socket = /tmp/shop.sock
processes = %k
master = true
harakiri = 60
reload-on-rss=400
listen = 100
env = A=1
env = B=2
https = :443,a,b
foo-bar = 1
"""


def test_migrate_of_uwsgi(place: Place) -> None:
    place.write("uwsgi.ini", UWSGI)
    done = place.run("migrate", "uwsgi.ini")
    assert done.returncode == 0, done.stderr
    head, _, rest = done.stdout.partition("Becomes:\n")
    place.write("celadon.toml", head.removeprefix("celadon.toml:\n"))
    found = place.settings()
    assert {name: found[name][0] for name in found if found[name][1] != "default"} == {
        "wsgi_app": "shop.wsgi:app",
        "bind": ["0.0.0.0:8000", "unix:/tmp/shop.sock"],
        "request_timeout": 60.0,
        "timeout": 60.0,
        "worker_max_rss": 400 << 20,
        "backlog": 100,
        "raw_env": ["A=***", "B=***"],
    }
    for line in (
        "  socket: bind (by HTTP, not by the uwsgi protocol",
        "  master: it is always so",
        "  https: write bind, certfile and keyfile",
        "Is not known here, look at it:\n  foo-bar",
        "Look at the value:\n  processes = %k: workers",
    ):
        assert line in rest
    said = {line.split(":")[0].strip() for line in rest.splitlines()}
    keys = {
        line.split("=")[0].strip() for line in UWSGI.splitlines()[4:] if "=" in line
    }
    assert keys <= said


def migrated(place: Place, options: str) -> tuple[dict[str, str], list[str]]:
    """What it writes of a file, and what a person has to look at."""
    place.write("uwsgi.ini", f"[uwsgi]\n{options}")
    done = place.run("migrate", "uwsgi.ini")
    assert (done.returncode, done.stderr) == (0, "")
    parts = re.split(r"^(\S.*):\n", done.stdout, flags=re.MULTILINE)[1:]
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    written = tomllib.loads(found.get("celadon.toml", ""))
    return written, found.get("Look at the value", "").split("\n  ")


@pytest.mark.parametrize("options", ["mount = /shop=app.py\n", "paste = x.ini\n", ""])
def test_migrate_of_uwsgi_without_an_application(place: Place, options: str) -> None:
    written, _ = migrated(place, options + "listen = 100\n")
    assert written == {"backlog": 100}


@pytest.mark.parametrize(
    ("options", "mounts"),
    [
        ("mount = /shop=app.py\n", ["/shop=app"]),
        (
            "mount = /a=/srv/x/a/wsgi.py\nmount = /b=b.web:make\n",
            ["/a=a.wsgi", "/b=b.web:make"],
        ),
        ("mount = /shop=/other/app.py\n", None),
        ("mount = example.org=app.py\n", None),
        ("mount = /=app.py\n", None),
    ],
)
def test_migrate_of_uwsgi_with_applications_below_the_root(
    place: Place, options: str, mounts: list[str] | None
) -> None:
    text = f"module = site\nchdir = /srv/x\nmanage-script-name = true\n{options}"
    written, unclear = migrated(place, text)
    found = written.get("mount", [])
    assert (found if isinstance(found, list) else [found]) == (mounts or [])
    looked_at = any(line.strip().startswith("mount = ") for line in unclear)
    assert looked_at == (mounts is None)


@pytest.mark.parametrize(
    ("options", "target"),
    [
        ("wsgi-file = /srv/app/proj/wsgi.py\nchdir = /srv/app/\n", "proj.wsgi"),
        ("chdir = /srv/app\nwsgi-file = ./proj/wsgi.py\ncallable = a\n", "proj.wsgi:a"),
        ("wsgi-file = /srv/app/proj/wsgi.py\n", None),
        ("wsgi-file = /srv/app/proj/wsgi.py\nchdir = /srv/application\n", None),
        ("file = my-shop.py\n", "my-shop"),
        ("file = ../wsgi.py\n", None),
        ("wsgi-file = /\n", None),
        ("wsgi-file = shop.wsgi\n", None),
        ("wsgi-file = my.shop.py\n", None),
        ("module = %n:app\n", None),
        ("module = shop:app\nwsgi-file = /srv/x.py\n", "shop:app"),
    ],
)
def test_migrate_of_uwsgi_names_a_module_that_is_found(
    place: Place, options: str, target: str | None
) -> None:
    written, unclear = migrated(place, options)
    assert written.get("wsgi_app") == target
    assert any("wsgi_app" in line for line in unclear) == (target is None)


def test_migrate_of_uwsgi_takes_no_scheme_of_a_log_for_a_file(place: Place) -> None:
    written, unclear = migrated(
        place, "logger = file:/e.log\nreq-logger = file:a.log\n"
    )
    assert (written, unclear) == ({"errorlog": "/e.log", "accesslog": "a.log"}, [""])
    for line in (
        "logger = syslog:app",
        "logger = stdio",
        "logger = mine file:/e.log",
        "logger = file:logfile=/e.log,maxsize=9",
        "logto = 127.0.0.1:514",
    ):
        written, unclear = migrated(place, f"{line}\n")
        assert (written, unclear) == ({}, [f"  {line}: errorlog\n"])
    assert migrated(place, "logto = /e.log\n")[0] == {"errorlog": "/e.log"}


@pytest.mark.parametrize(
    ("options", "written"),
    [
        ("base = /srv\nname = shop\nchdir = %(base)/%(name)\n", {"chdir": "/srv/shop"}),
        ("socket = /run/x.sock\nchmod-socket = 660\n", {"umask": "0o117"}),
        ("chmod-socket\n", {"umask": "0o111"}),
        ("umask = 022\n", {"umask": "0o022"}),
        ("lazy-apps\n", {"preload_app": False}),
        ("lazy-apps = false\n", {"preload_app": True}),
        ("stats = /run/stats.sock\n", {"admin_bind": "unix:/run/stats.sock"}),
        ("stats = :1717\n", {"admin_bind": "0.0.0.0:1717"}),
        ("stats-push = statsd:10.0.0.1:8125,shop\n", {"statsd_host": "10.0.0.1:8125"}),
        ("harakiri = 300\n", {"request_timeout": "300s", "timeout": "300s"}),
        ("harakiri = 20\n", {"request_timeout": "20s"}),
        ("buffer-size = 4096\n", {"limit_request_head": 4096}),
        ("log-x-forwarded-for = true\n", {"proxy_headers": True}),
        ("cpu-affinity = 1\nreuse-port = 1\n", {"worker_affinity": True}),
        ("harakiri-verbose = true\nsafe-pidfile = /run/x\n", {"pidfile": "/run/x"}),
    ],
)
def test_migrate_of_uwsgi_leaves_nothing_to_look_at_that_is_clear(
    place: Place, options: str, written: dict[str, Any]
) -> None:
    found, unclear = migrated(place, options)
    assert written.items() <= found.items()
    assert ("timeout" in found) == ("timeout" in written)
    assert unclear == [""]


def test_migrate_of_uwsgi_lets_pass_what_a_large_buffer_did(place: Place) -> None:
    """A line and a field may be as long as the whole head, as there."""
    written, _ = migrated(place, "buffer-size = 32768\n")
    names = ("head", "line", "field_size")
    assert written == {f"limit_request_{name}": 32768 for name in names}


def test_migrate_of_uwsgi_says_what_is_not_said(place: Place) -> None:
    text = "[uwsgi]\nproject = x\nhararkiri = 3\nsocket = /%(project).sock\nfoo = 1\n"
    place.write("uwsgi.ini", f"{text}static-map = /a=/srv/b/\nif-env = X\n")
    said = place.run("migrate", "uwsgi.ini").stdout
    assert "hararkiri (did you mean harakiri?" in said
    assert "  foo\n" in said
    assert "project" not in said
    assert "nginx: location /a/ { alias /srv/b/; }" in said
    assert "if-env: a condition" in said
    watch = said.partition("Watch:\n")[2]
    for name in ("harakiri", "disable-logging", "lazy-apps", "limit-post"):
        assert f"  {name}: " in watch
        place.write("uwsgi.ini", f"[uwsgi]\n{name} = 1\n")
        again = place.run("migrate", "uwsgi.ini").stdout.partition("Watch:\n")[2]
        assert f"  {name}: " not in again


@pytest.mark.parametrize(
    ("options", "written", "unclear"),
    [
        ("chdir = %(base)/src\nbase = /srv\nbase = /late\n", {"chdir": "/srv/src"}, []),
        ("a = /%(b)\nb = %(c)\nc = x\nchdir = %(a)\n", {"chdir": "/x"}, []),
        ("set = wd=/srv\nset-ph = u=www\nchdir = %(wd)\nuid = %(u)\n", None, []),
        ("set = processes=3\n", {"workers": 3}, []),
        ("chdir = %(chdir)\n", {}, ["chdir = %(chdir): chdir"]),
        (
            "for = 1 2\nhttp-socket = :800%(_)\nendfor =\nlisten = 9\n",
            {"bind": ["0.0.0.0:8001", "0.0.0.0:8002"], "backlog": 9},
            [],
        ),
        ("for-times = 2\nenv = N%(_)=1\nend =\n", {"raw_env": ["N1=1", "N2=1"]}, []),
        (
            "for-glob = /etc/*.x\nenv = X=%(_)\nendfor =\n",
            {},
            ["env = X=%(_): raw_env, for-glob = /etc/*.x"],
        ),
        (
            "if-env = DEBUG\npy-autoreload = 1\nmodule = debug:app\nelse =\n"
            "processes = 8\nendif =\nlisten = 9\n",
            {"backlog": 9},
            [
                "py-autoreload = 1: reload, if-env = DEBUG",
                "module = debug:app: wsgi_app, if-env = DEBUG",
                "processes = 8: workers, else of if-env = DEBUG",
            ],
        ),
        (
            "base = /a\nif-dir = /b\nbase = /b\nendif =\nchdir = %(base)\n",
            {},
            ["chdir = %(base): chdir"],
        ),
        (
            "env = KEY=@(/etc/key)\nlogto = @(/etc/log)\n",
            {},
            ["env = KEY=@(/etc/key): raw_env", "logto = @(/etc/log): errorlog"],
        ),
        (
            "ini = :more\nini = :uwsgi\nlisten = 9\n[more]\nmodule = shop:app\nini = :more\n",
            {"wsgi_app": "shop:app", "backlog": 9},
            [],
        ),
        ("http-socket = :1\nsocket = /x\nprocesses = 2\nprocesses = 4\n", None, []),
    ],
)
def test_migrate_of_uwsgi_reads_the_file_as_uwsgi_does(
    place: Place, options: str, written: dict[str, Any] | None, unclear: list[str]
) -> None:
    found, lines = migrated(place, options)
    if written is not None:
        assert found == written
    assert [line.strip() for line in lines if line] == unclear


def test_migrate_of_uwsgi_passes_over_no_name_that_is_set(place: Place) -> None:
    place.write("uwsgi.ini", "[uwsgi]\nset-placeholder = a=/srv\nset = b=c\nd = %(b)\n")
    said = place.run("migrate", "uwsgi.ini").stdout
    assert "set" not in said.partition("Watch:")[0]
    place.write(
        "uwsgi.ini", "[UWSGI]\nmodule = shop:app\n"
    )  # which uWSGI does not read
    assert "has no [uwsgi] in it" in place.run("migrate", "uwsgi.ini").stderr


@pytest.mark.parametrize("option", ["http-keepalive", "so-keepalive"])
def test_migrate_of_uwsgi_takes_no_switch_for_seconds(
    place: Place, option: str
) -> None:
    written, (unclear,) = migrated(place, f"{option} = 1\n")
    assert written == {}
    assert unclear.startswith(f"  {option} = 1: ")


def test_every_option_of_uwsgi_on_the_page_is_known() -> None:
    """And becomes the setting that the page names."""
    from celadon.config.settings import SETTINGS
    from celadon.config.settings.uwsgi import OPTIONS

    page = (ROOT / "docs/howto/from-uwsgi.md").read_text()
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|", page, re.MULTILINE)
    assert len(rows) > 20
    assert {option.setting for option in OPTIONS.values()} <= {*SETTINGS, ""}
    for names, settings in rows:
        for name in re.findall(r"`([a-z-]+)`", names):
            assert OPTIONS[name].setting in settings, name


# As a configuration file has them.
BAD = {
    "forwarded_allow_ips": "'10.0.0.0/99'",
    "proxy_allow_ips": "'nowhere'",
    "admin_allow_ips": "'1.2.3'",
    "bind": "['192.0.2.1:0']",
    "admin_bind": "['unix:/nosuch/x']",
    "user": "'nobody-of-that-name'",
    "group": "99_999_999_999",
    "workers": "1_000_000_000",
    "pidfile": "'/nosuch/x'",
    "errorlog": "'/nosuch/x'",
    "accesslog": "'/'",
    "tmp_upload_dir": "'/nosuch'",
    "control_socket": "'/nosuch/x'",
    "logconfig": "'/nosuch/x.ini'",
    "statsd_host": "'nohost.invalid:8125'",
}


def told_of(stderr: str) -> set[str]:
    """The settings that lines of it begin with."""
    return {*re.findall(r"^(?:celadon: |\[.*\] )(\w+):", stderr, re.MULTILINE)}


@pytest.mark.parametrize("name", BAD)
def test_s35_check_config_looks_at_what_would_fail(place: Place, name: str) -> None:
    """By the name of its setting, and as the start does, which opens a port for nobody."""
    place.write("celadon.conf.py", f"{name} = {BAD[name]}\n")
    bind = () if name == "bind" else ("--bind", "127.0.0.1:0")
    done = place.run("--check-config", *bind, PROBE)
    assert (done.returncode, done.stdout) == (1, "")
    assert told_of(done.stderr) == {name}
    start = place.run(*bind, PROBE)
    assert start.returncode in (1, 2)
    assert "is ready" not in start.stderr
    if name in ("tmp_upload_dir", "accesslog") or "ips" in name:
        assert "listening" not in start.stderr  # nor was a worker needed to find it
        assert told_of(start.stderr) == {name}


def test_s35_check_config_says_all_at_once(place: Place) -> None:
    """Whatever cannot be read: a word, a file, a variable, a value."""
    lines = [f"{name} = {text}\n" for name, text in BAD.items()]
    place.write("celadon.conf.py", "".join(lines))
    done = place.run(
        *("--check-config", "--wrokers", "2", "--keep-alive=soon", "--nonsense"),
        *("no_such_module:app", "and_another:app"),
        CELADON_WORKRES="1",
        GUNICORN_CMD_ARGS="--backlog many",
    )
    assert done.returncode == 1
    assert told_of(done.stderr) == BAD.keys() | {"keepalive", "backlog"}
    for said in (
        "unknown option --wrokers (did you mean --workers",
        "unknown option --nonsense",
        "one target only",
        "unknown setting 'workres'",
        "there is no module ",
    ):
        assert said in done.stderr
    # A file that fails hides nothing of what is not in it.
    place.write("celadon.conf.py", "raise SystemExit('no secret')")
    done = place.run("--check-config", "no_such_module:app")
    assert "celadon: config: it ends the process: no secret\n" in done.stderr
    assert "there is no module 'no_such_module'" in done.stderr
    place.write("celadon.conf.py", "1 / 0")
    done = place.run(
        "--check-config", "--pid", "/nosuch/x", "--bind", "127.0.0.1:0", "a:a"
    )
    assert "ZeroDivisionError" in done.stderr
    assert told_of(done.stderr) == {"pidfile"}
    assert "there is no module 'a'" in done.stderr


def test_s35_check_config_makes_no_files(place: Place) -> None:
    """Which would be those of who checks, and not of whom the server runs as."""
    place.write("full.log", "")
    place.write(
        "celadon.conf.py",
        "pidfile, accesslog, errorlog = 'pid', 'access.log', 'error.log'\n"
        "logconfig_dict = {'handlers': {\n"
        "    'one': {'class': 'logging.FileHandler', 'filename': 'one.log'},\n"
        "    'two': {'class': 'logging.handlers.RotatingFileHandler',\n"
        "            'filename': 'two.log', 'maxBytes': 1000},\n"
        "    'full': {'class': 'logging.FileHandler', 'filename': 'full.log'}},\n"
        "  'root': {'handlers': ['one', 'two', 'full'], 'level': 'INFO'}}\n",
    )
    done = place.run("--check-config", "--bind", "127.0.0.1:0", PROBE)
    assert (done.returncode, done.stdout) == (0, "configuration is fine\n"), done.stderr
    assert {each.name for each in place.folder.iterdir()} == {
        "celadon.conf.py",
        "full.log",
    }


def test_s35_check_config_finds_no_fault_with_what_runs(place: Place) -> None:
    """Addresses and files are those of a server that has them open."""
    with Command(
        "tests.apps.probe:app",
        "--pid",
        str(place.folder / "pid"),
        env={"PYTHONPATH": str(ROOT)},
        cwd=place.folder,
    ) as server:
        bind = f"127.0.0.1:{server.port}"
        done = place.run(
            "--check-config",
            "--bind",
            bind,
            "--pid",
            "pid",
            "--error-logfile",
            "new.log",
            "tests.apps.probe:app",
        )
        assert done.returncode == 0, done.stderr
    assert not (place.folder / "new.log").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--admin-bind", "9000"),
            r"admin_bind: a port alone is written :9000 .*127.0.0.1:9000",
        ),
        (("--bind", "9000"), r"bind: a port alone is written :9000"),
        (("--pid", "/nosuch/x"), r"pidfile: /nosuch/x: No such file or directory$"),
        (("--pid", "/"), r"pidfile: /: Is a directory$"),
        (("--secure-scheme-headers", "x"), r"expected a mapping, as JSON: .*, not 'x'"),
        (("--bind", "127.0.0.1:70000"), r"bind: the largest port is 65535"),
        (("--bind", "/tmp/x.sock"), r"bind: a path is written unix:/tmp/x.sock"),
        (
            ("--bind", "unix:/etc/passwd"),
            r"/etc/passwd': there is a file that is no socket",
        ),
        (("--bind", "nohost.invalid:80"), r"no address is known of .*'nohost.invalid'"),
        (
            ("--admin-bind", "203.0.113.1:80"),
            r"celadon: admin_bind: cannot bind to '203",
        ),
        (
            ("--priority-paths", "x"),
            r"priority_paths: expected paths that begin with /",
        ),
        (
            ("--access-log-skip", "x"),
            r"access_log_skip: expected paths that begin with /",
        ),
        (
            ("--bind", "localhost:http"),
            r"bind: expected HOST:PORT, .*, not .*localhost:h",
        ),
        (
            ("--bind", "http://a:80"),
            r"bind: expected HOST:PORT, .* fd://N, not .*http:",
        ),
        (("--bind", "::1"), r"bind: expected HOST:PORT, \[V6\]:PORT, .*, not .*'::1'"),
        (
            ("--admin-bind", "a", "--bind", "a:8000"),
            r"admin_bind: a is an address of bind: it needs a port of its own$",
        ),
        (("--error-logfile", "/no/x"), r"celadon: errorlog: No such .*: '/no/x'$"),
        (("--log-config", "/no/x"), r"celadon: logconfig: No such .*: '/no/x'$"),
        (("--paste", "/no/x.ini"), r"celadon: paste: No such .*: '/no/x.ini'$"),
        (("--log-ring", "1"), r"log_ring: expected at least 4096 bytes"),
        (("--uid", "1"), r"unknown option --uid of uWSGI's: celadon calls it --user$"),
        (
            ("--chmod-socket", "660"),
            r"celadon calls it --umask, the bits that are taken off",
        ),
        (("--die-on-term",), r"--die-on-term of uWSGI's: it is always so$"),
        (("--touch-reload", "x"), r"of uWSGI's: `celadon ctl reload`, or HUP$"),
        (("--harakiri", "60"), r"of uWSGI's: celadon calls it --request-timeout"),
        (
            ("--module", "a:b"),
            r"of uWSGI's: celadon calls it the target, module:attribute",
        ),
        (("--http", ":80"), r"unknown option --http; celadon calls it --bind"),
        (("--config", "/nosuch.ini"), r"config: no file '/nosuch.ini'"),
    ],
)
def test_s24_good_messages(place: Place, words: tuple[str, ...], said: str) -> None:
    done = place.run("--bind", "127.0.0.1:0", *words, PROBE)
    assert done.returncode in (1, 2)
    assert re.search(said, done.stderr, re.MULTILINE), done.stderr


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (
            "x.ini",
            r"'x.ini' is a file: --paste x.ini serves .* `celadon migrate x.ini`",
        ),
        ("x.py", r"'x.py' is a file, a module is wanted: x:app"),
        ("stop", r"there is no module 'stop'; `celadon ctl` asks a running server"),
        ("help", r"there is no module 'help'; .*`celadon --help` lists options"),
        (":app", r"no module in ':app'; expected module:attribute"),
        ("shop..wsgi:app", r"'shop..wsgi' cannot be a module"),
        ("my-shop:app", r"there is no module 'my-shop'; expected"),
        ("chek", r"there is no module 'chek' \(did you mean `celadon check`\?\)"),
    ],
)
def test_what_can_be_no_module_is_said_before_the_port_opens(
    place: Place, target: str, said: str
) -> None:
    done = place.run("--bind", "127.0.0.1:0", target)
    assert done.returncode == 4
    assert re.fullmatch(f"celadon: .*{said}.*\n", done.stderr), done.stderr
    place.write("stop.py", f"from {PROBE.partition(':')[0]} import app\n")
    assert place.run("--check-config", "stop").returncode == 0


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("web/wsgi.py", "web.wsgi"),
        ("web/wsgi.py:application", "web.wsgi:application"),
        ("lib/shop/main.py", "shop.main with --chdir lib"),
        ("manage.py", "web.wsgi"),
        ("lib/loose.py", "loose:app with --chdir lib"),
    ],
)
def test_of_a_file_the_module_is_named(place: Place, target: str, meant: str) -> None:
    """Also where it lies in a package, as Django's and others do."""
    for folder in ("web", "lib/shop"):
        (place.folder / folder).mkdir(parents=True)
        place.write(f"{folder}/__init__.py", "")
    place.write("web/wsgi.py", "")
    done = place.run(target)
    assert done.stderr.endswith(f"is a file, a module is wanted: {meant}\n")


SHOP = f"""
from {PROBE.partition(":")[0]} import app as application
class Shop:
    def __init__(self, name, folder=None): pass
class Answer:
    def __init__(self, environ, start_response): start_response("200 OK", [])
    def __iter__(self): return iter([b""])
"""


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("web", r"nor 'app' \(did you mean web.wsgi\?\)$"),
        ("web.settings", r"nor 'app' \(did you mean web.wsgi\?\)$"),
        ("web.wsgi:app", r"no attribute 'app' \(did you mean web.wsgi:application\?"),
        ("factory", r"nor 'app' \(did you mean factory:create_app\(\)\?\)$"),
        ("factory:creat_app", r"did you mean factory:create_app\(\)\?\)$"),
        ("factory:thing.other", r"has no attribute 'thing.other'$"),
        ("web.wsgi:Shop", r"'web.wsgi:Shop' is a class, and what it makes is no"),
        ("old", r"No module named 'uwsgi'; that is uWSGI's own module, and only"),
        ("caused", r"cannot import 'caused': ValueError: told \(No such .*: '/no'\)$"),
    ],
)
def test_what_was_meant_is_named(place: Place, target: str, said: str) -> None:
    (place.folder / "web").mkdir()
    place.write("web/__init__.py", "")
    place.write("web/settings.py", "")
    place.write("web/wsgi.py", SHOP)
    place.write("factory.py", "def create_app(): ...\nthing = 1\n")
    place.write("old.py", "import uwsgi\n")
    raised = "    raise ValueError('told') from error\n"
    place.write("caused.py", f"try: open('/no')\nexcept OSError as error:\n{raised}")
    done = place.run("--check-config", target)
    assert done.returncode == 1
    assert re.search(said, done.stderr, re.MULTILINE), done.stderr
    assert place.run("--check-config", "web.wsgi:Answer").returncode == 0


def test_a_word_of_the_command_that_is_misspelt(place: Place) -> None:
    done = place.run("chek", PROBE)
    assert done.stderr.endswith("(did you mean `celadon check`?)\n")
    assert "did you mean" not in place.run(PROBE, PROBE).stderr


def test_help_of_a_word_has_all_of_it(place: Place) -> None:
    said = place.run("ctl", "--help").stdout
    assert [name for name in ctl.COMMANDS if f"\n{name}  " not in said] == []
    said = place.run("migrate", "--help").stdout
    assert "uWSGI" in said
    assert "Options are" not in said


def test_a_server_is_asked_though_its_file_is_bad_by_now(place: Place) -> None:
    env = {"PYTHONPATH": str(ROOT)}
    with Command(PROBE, cwd=place.folder, env=env) as server:
        assert server.request(raw.get("/")).body == b"hello"
        place.write("celadon.conf.py", "workers = (\n")
        done = place.run("ctl", "status")
        assert done.returncode == 2
        assert done.stderr.endswith(
            "name it: celadon ctl --config '' --bind ADDRESS, or --control-socket PATH\n"
        )
        bind = f"127.0.0.1:{server.port}"
        done = place.run("ctl", "--config", "", "--bind", bind, "status")
        assert "state: serving" in done.stdout, done.stderr


def test_a_handler_of_a_log_that_fails_says_why(place: Place) -> None:
    handler = {"class": "logging.FileHandler", "filename": "/no/x.log"}
    described = {"handlers": {"own": handler}, "root": {"handlers": ["own"]}}
    place.write("celadon.conf.py", f"logconfig_dict = {described}\n")
    for words in ((), ("--check-config",)):
        done = place.run(*words, PROBE)
        assert done.stderr == (
            "celadon: logconfig_dict: Unable to configure handler 'own' "
            "(No such file or directory: '/no/x.log')\n"
        )


def test_modes_are_shown_as_they_are_written(place: Place) -> None:
    place.write("gunicorn.conf.py", "umask = 0o027\ncontrol_socket_mode = 0o660\n")
    said = place.run("migrate").stdout
    assert "  umask = 0o027\n" in said
    assert "  control_socket_mode = 0o660\n" in said
    assert "umask = 0o027 " in place.run("config").stdout


@pytest.mark.parametrize("name", ["start", "serve"])
@pytest.mark.parametrize("how", ["--chdir", "--pythonpath", "file"])
def test_an_application_may_be_called_as_an_action_is(
    place: Place, how: str, name: str
) -> None:
    """Also where only the settings say in which folder it lies."""
    (place.folder / "lib").mkdir()
    place.write(f"lib/{name}.py", f"from {PROBE.partition(':')[0]} import app\n")
    place.write("celadon.conf.py", "chdir = 'lib'\n" if how == "file" else "")
    options = () if how == "file" else (how, "lib")
    with Command(
        f"{name}:app", *options, cwd=place.folder, env={"PYTHONPATH": str(ROOT)}
    ) as server:
        assert server.request(raw.get("/")).body == b"hello"


@pytest.mark.parametrize("target", ["my-app:app", "my-shop.wsgi-app:app", "2024:app"])
def test_a_module_may_be_called_what_is_no_name(place: Place, target: str) -> None:
    """Python imports it by its name as a text, and so does gunicorn."""
    module = target.partition(":")[0]
    file = place.folder / "lib" / (module.replace(".", "/") + ".py")
    file.parent.mkdir(parents=True)
    file.write_text(f"from {PROBE.partition(':')[0]} import app\n")
    with Command(
        target, "--chdir", "lib", cwd=place.folder, env={"PYTHONPATH": str(ROOT)}
    ) as server:
        assert server.request(raw.get("/")).body == b"hello"


def test_a_configuration_of_another_kind_is_named(place: Place) -> None:
    place.write("uwsgi.ini", "[uwsgi]\nmaster = true\n")
    place.write("site.ini", "[app:main]\nuse = call:shop:make\n")
    assert (
        "`celadon --check-config --paste site.ini`"
        in place.run("migrate", "site.ini").stderr
    )
    assert place.problems("-c", "uwsgi.ini") == [
        "celadon: config: uwsgi.ini: --paste FILE takes PasteDeploy's, "
        "`celadon migrate FILE` reads uWSGI's"
    ]
    place.write("x.yaml", "workers: 2\n")
    assert (
        "x.yaml: a configuration is TOML or Python" in place.problems("-c", "x.yaml")[0]
    )


def test_atoms_that_are_none_are_noted(place: Place) -> None:
    form = "%(h)s %({x-tag}i)s %({request_id}x)s 100%% %(nosuch)s %(h)"
    done = place.run("config", "--access-logformat", form)
    noted = re.findall(r"# note: access_log_format: (.*) is no atom", done.stdout)
    assert noted == ["%(nosuch)s", "%"]
    assert "is no atom" not in place.run("config").stdout


def test_a_check_ends_whatever_threads_the_application_has(place: Place) -> None:
    place.write(
        "threaded.py",
        "import threading\n"
        f"from {PROBE.partition(':')[0]} import app\n"
        "threading.Thread(target=threading.Event().wait).start()\n",
    )
    for options in ((), ("--no-green",)):
        done = place.run("--check-config", *options, "threaded:app")
        assert (done.returncode, done.stdout) == (0, "configuration is fine\n")
    assert place.run("check", "threaded:app").returncode == 0


def test_tools_say_what_is_wrong_in_a_line(place: Place) -> None:
    for words, said in (
        (("top", "--once", "--url", "nonsense"), r"nonsense: unknown url type: .*"),
        (
            ("ctl", "status", "--bind", "127.0.0.1:1"),
            r"no server answers at @celadon-127.0.0.1-1-\d+ \(Connection refused\): .*",
        ),
    ):
        done = place.run(*words, XDG_RUNTIME_DIR="", RUNTIME_DIRECTORY="")
        assert done.returncode == 1
        assert re.fullmatch(f"celadon: {said}\n", done.stderr), done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "celadon.patch", "nosuch.py"],
        cwd=place.folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.endswith("error: there is no file 'nosuch.py'\n")


def test_s24_variables_that_are_empty_or_no_settings(place: Place) -> None:
    assert place.problems(CELADON_WORKERS="")[0].endswith(
        "; CELADON_WORKERS is set, but empty: unset it"
    )
    # As images of containers name what they have installed.
    for name in ("RELEASE_DATE", "VERSION"):
        assert place.problems(**{f"CELADON_{name}": "1.2"}) == [
            f"celadon: unknown setting '{name.lower()}' (environment CELADON_{name}); "
            "all variables that begin with CELADON_ are settings: name it otherwise"
        ]


@pytest.mark.parametrize("word", ["check", "config", "ctl", "migrate"])
def test_s24_each_word_has_its_help(place: Place, word: str) -> None:
    done = place.run(word, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: celadon {word}")
    assert f"`celadon {word}" in done.stdout
    others = {"check", "config", "ctl", "migrate", "top"} - {word}
    assert not any(f"`celadon {other}`" in done.stdout for other in others)


@pytest.mark.row("S34")
def test_a_prefix_of_paths(place: Place) -> None:
    """As gunicorn takes it from the environment, and with its last slash or without."""
    for env in ({"SCRIPT_NAME": "/app/"}, {"CELADON_ROOT_PATH": "/app"}):
        assert place.settings(**env)["root_path"][0] == "/app"
    assert place.settings("--root-path", "/", SCRIPT_NAME="/app")["root_path"][0] == ""
    assert "begins with /" in place.problems("--root-path", "app")[0]
