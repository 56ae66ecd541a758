"""`celadon check`: what an application imports that waits, and what to do about it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.raw import TIMEOUT
from tests.support.servers import CELADON


def check(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CELADON, "check", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


def line_of(output: str, name: str) -> str:
    found = [line for line in output.splitlines() if f" {name} " in line]
    assert len(found) == 1, output
    return found[0]


def write_app(folder: Path, imports: str) -> None:
    (folder / "shop.py").write_text(f"import {imports}\ndef app(environ, start): ...\n")


def test_what_an_application_imports(tmp_path: Path) -> None:
    write_app(tmp_path, "psycopg, MySQLdb, sqlite3, redis")
    done = check(tmp_path, "shop:app")
    assert done.returncode == 0, done.stderr
    assert "cooperative  psycopg 3" in line_of(done.stdout, "psycopg")
    assert "offloaded" in line_of(done.stdout, "MySQLdb")
    assert "cooperative" in line_of(done.stdout, "redis")
    assert not any(line.split()[1] == "pymysql" for line in done.stdout.splitlines())
    assert "none of them holds up other requests" in done.stdout


def test_an_asgi_application_is_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "import asyncpg\nasync def app(scope, receive, send): ...\n"
    )
    for arguments in (
        ["shop:app"],
        ["-k", "uvicorn.workers.UvicornWorker", "shop:app"],
    ):
        done = check(tmp_path, *arguments)
        assert done.returncode == 0, done.stderr
        assert "cooperative" in line_of(done.stdout, "asyncpg")


def test_what_blocks_says_what_to_do(tmp_path: Path) -> None:
    write_app(tmp_path, "uvloop")
    done = check(tmp_path, "shop:app")
    assert done.returncode == 1
    line = line_of(done.stdout, "uvloop")
    assert "blocks" in line
    assert "celadon.green.native_thread" in line
    assert "1 of them can hold up" in done.stdout


def test_a_driver_that_changed_beyond_recognition(tmp_path: Path) -> None:
    write_app(tmp_path, "psycopg2")
    (tmp_path / "psycopg2.py").write_text("")
    done = check(tmp_path, "shop:app")
    assert done.returncode == 1
    assert "this version is not known to celadon" in line_of(done.stdout, "psycopg2")


@pytest.mark.row("R11")
@pytest.mark.parametrize(
    ("ends", "says"),
    [
        ("raise RuntimeError('no settings')", "RuntimeError: no settings"),
        ("raise SystemExit('usage: shop')", "SystemExit: usage: shop"),
        ("import no_such_thing", "No module named 'no_such_thing'"),
        ("class Own(BaseException): ...\nraise Own('own')", "Own: own"),
    ],
)
def test_an_application_that_raises(tmp_path: Path, ends: str, says: str) -> None:
    write_app(tmp_path, "psycopg")
    with (tmp_path / "shop.py").open("a") as file:
        file.write(ends)
    done = check(tmp_path, "shop:app")
    assert done.returncode == 1
    assert "cooperative" in line_of(done.stdout, "psycopg")
    assert "so there may be more: cannot import 'shop': " in done.stdout
    assert says in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "none of them" not in done.stdout


@pytest.mark.row("R11")
def test_what_is_imported_later_is_named(tmp_path: Path) -> None:
    write_app(tmp_path, "json")
    done = check(tmp_path, "shop:app")
    assert done.returncode == 0
    line = next(line for line in done.stdout.splitlines() if "not imported" in line)
    assert "psycopg (cooperative)" in line
    assert "uvloop (blocks)" in line


@pytest.mark.row("R11")
def test_an_application_of_paste(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "import redis\ndef make(global_conf): return lambda environ, start: ()\n"
    )
    (tmp_path / "shop.ini").write_text(
        "[app:main]\npaste.app_factory = shop:make\n"
        "[server:main]\nuse = egg:celadon#main\n"
    )
    done = check(tmp_path, "--paste", "shop.ini")
    assert done.returncode == 0, done.stderr
    assert "shop.ini: what waits" in done.stdout
    assert "cooperative" in line_of(done.stdout, "redis")


def test_what_takes_the_place_of_uwsgis_websockets(tmp_path: Path) -> None:
    write_app(tmp_path, "uwsgi")
    done = check(tmp_path, "shop:app")
    assert done.returncode == 1
    assert 'environ["wsgi.websocket"]' in done.stdout


def test_nothing_to_say(tmp_path: Path) -> None:
    write_app(tmp_path, "json")
    done = check(tmp_path, "shop:app")
    assert done.returncode == 0
    assert "the standard library, which is cooperative" in done.stdout


def test_what_is_installed(tmp_path: Path) -> None:
    done = check(tmp_path)
    assert "psycopg" in done.stdout
    assert "installed here" in done.stdout


def test_errors(tmp_path: Path) -> None:
    assert "nothing" in check(tmp_path, "nothing:app").stderr
    assert check(tmp_path, "nothing:app").returncode != 0
    assert "unknown option" in check(tmp_path, "--nonsense").stderr
