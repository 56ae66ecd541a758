"""What people come with from uvicorn and Hypercorn: flags, worker classes, command lines."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from celadon.command import migrate, migrate_asgi, starting
from celadon.config import flags, load
from celadon.config.settings.hypercorn import OPTIONS
from celadon.config.values.names import parse_worker_class
from celadon.errors import UsageError

from tests.support import raw


def settings(*words: str) -> Any:
    return load(flags.parse(words), {}, source="command line")


def test_every_flag_of_uvicorn_is_known() -> None:
    from uvicorn.main import main

    ours = {a for each in flags.make_parser()._actions for a in each.option_strings}
    theirs = {
        flag for each in main.params for flag in (*each.opts, *each.secondary_opts)
    }
    assert {each for each in theirs if each.startswith("-")} - ours == set()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--host 0.0.0.0 --port 80", {"bind": ["0.0.0.0:80"]}),
        ("--host ::1", {"bind": ["[::1]:8000"]}),
        ("--port 80", {"bind": ["127.0.0.1:80"]}),
        ("--uds /run/x", {"bind": ["unix:/run/x"]}),
        ("--fd 3", {"bind": ["fd://3"]}),
        ("--bind :1 --port 2", {"bind": [":1", "127.0.0.1:2"]}),
        ("--app-dir src --app-dir lib", {"pythonpath": ["src", "lib"]}),
        ("--lifespan on", {"lifespan": "on"}),
        ("--interface asgi3", {"interface": "asgi"}),
        ("--interface asgi2", {"interface": "asgi2"}),
        ("--access-log", {"accesslog": "-"}),
        ("--access-log --no-access-log", {"accesslog": ""}),
        ("--log-level trace", {"loglevel": "debug"}),
        ("--limit-concurrency 9", {"max_concurrent_requests": 9}),
        (
            "--limit-max-requests 9 --limit-max-requests-jitter 3",
            {"max_requests": 9, "max_requests_jitter": 3},
        ),
        ("--timeout-keep-alive 7", {"keepalive": 7.0}),
        ("--timeout-graceful-shutdown 7", {"graceful_timeout": 7.0}),
        ("--timeout-graceful-shutdown 0", {"graceful_timeout": 0.001}),
        ("--graceful-timeout 0", {"graceful_timeout": 0.0}),
        ("--timeout-worker-healthcheck 7", {"timeout": 7.0}),
        ("--ws-max-size 70 --ws-max-queue 7", {"websocket_max_queue": 7}),
        ("--ws-max-size 70", {"websocket_max_message_size": 70}),
        ("--ws-ping-interval 7", {"websocket_ping_interval": 7.0}),
        ("--ws-ping-timeout 7", {"websocket_ping_timeout": 7.0}),
        ("--ws-per-message-deflate true", {"websocket_compression": True}),
        ("--ws-per-message-deflate False", {"websocket_compression": False}),
        ("--proxy-headers", {"proxy_headers": True}),
        ("--no-proxy-headers", {"proxy_headers": False}),
        ("--no-server-header", {"server_header": False}),
        ("--no-date-header", {"date_header": False}),
        (
            "--header a:b,c --header Server:x",
            {"response_headers": ["a: b,c", "Server: x"]},
        ),
        ("--reload-dir a --reload-include *.html", {}),
        ("--log-config log.json", {"logconfig": "log.json"}),
        ("--http2", {}),
    ],
)
def test_flags_of_uvicorn_are_settings(words: str, expected: dict[str, Any]) -> None:
    found = settings(*words.split())
    assert {name: found.values[name] for name in expected} == expected
    assert found.notes == []


def test_what_uvicorn_watches_is_watched() -> None:
    found = settings(*["--reload-dir", "a", "--reload-include", "*.html"])
    assert found.reload_extra_files == ["a/**/*.py", "**/*.html"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("log.yaml", "version: 1\nroot:\n  level: INFO\n", []),
        ("log.json", '{"version": 1, "root": {"level": "INFO"}}', []),
        ("nowhere.yml", "", ["logconfig: No such file or directory: 'nowhere.yml'"]),
        ("log.yml", "[", ['logconfig: (?s:.*)in "log.yml"']),
        ("log.yaml", "- 1", ["logconfig: expected a mapping"]),
        ("log.json", "[1]", ["logconfig: expected a mapping"]),
    ],
)
@pytest.mark.parametrize("by", ["flag", "file", "class"])
def test_a_configuration_of_logging_is_read_by_its_name(
    by: str,
    name: str,
    text: str,
    said: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    if text:
        Path(name).write_text(text)
    own = type("Own", (Theirs,), {"CONFIG_KWARGS": {"log_config": name}})
    found = {
        "flag": lambda: settings("--log-config", name),
        "file": lambda: load({"logconfig": name}, {}),
        "class": lambda: load({"worker_class": own}, {}),
    }[by]()
    problems = [*starting.problems(found)]
    assert len(problems) == len(said), problems
    assert all(map(re.match, said, problems)), problems


@pytest.mark.parametrize(
    ("words", "note"),
    [
        ("--http h11", "--http has no effect: there is one parser"),
        ("--ws wsproto", "--ws has no effect: there is one parser"),
        ("--h11-max-incomplete-event-size 1", "there is one parser, and it is native"),
        ("--loop uvloop", "asgi_loop has no effect: tasks run on celadon's own loop"),
        ("--loop a.b:make", "any other stands still where a coroutine blocks"),
        ("--asgi-loop uvloop", "asgi_loop has no effect: tasks run on celadon's own"),
        ("--use-colors", "--use-colors has no effect: the log has no colours"),
        ("--reset-contextvars", "every request has a fresh context"),
        ("--reload-delay 1", "--reload-delay has no effect: reload_engine says when"),
        ("--reload-exclude x", "files that the application has imported are watched"),
        ("--ssl-version 17", "ssl_version has no effect"),
    ],
)
def test_those_without_effect_say_so(words: str, note: str) -> None:
    (line,) = settings(*words.split()).notes
    assert note in line


@pytest.mark.parametrize(
    "words",
    [
        "--http auto",
        "--ws auto",
        "--loop auto",
        "--loop asyncio",
        "--loop none",
        "--asgi-loop celadon",
    ],
)
def test_what_changes_nothing_is_not_spoken_of(words: str) -> None:
    assert settings(*words.split()).notes == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--ssl-keyfile x", "keyfile: there is no TLS without certfile"),
        ("--ssl-ca-certs x", "ca_certs: there is no TLS without certfile"),
        ("--ssl-certfile x --ssl-cert-reqs 3", "cert_reqs: expected none, optional or"),
        ("--header a", "response_headers: expected NAME:VALUE"),
        ("--http :80", "unknown option --http; celadon calls it --bind"),
        ("--interface rsgi", "interface: expected one of auto, wsgi, asgi, asgi2"),
        ("--lifespan maybe", "lifespan: expected one of auto, on, off"),
    ],
)
def test_those_that_are_refused_say_why(words: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        settings(*words.split())


class Mine:
    """A worker class of one's own, made of uvicorn's."""


Theirs = type("UvicornWorker", (), {"__module__": "uvicorn.workers"})


@pytest.mark.parametrize(
    "kind",
    [
        "asgi",
        "gunicorn.workers.gasgi.ASGIWorker",
        "uvicorn.workers.UvicornWorker",
        "uvicorn.workers.UvicornH11Worker",
        "uvicorn_worker.UvicornWorker",
        "project.workers.OurUvicornWorker",
        Theirs,
        type("Mine", (Theirs,), {}),
    ],
)
def test_worker_classes_of_uvicorn_mean_asgi(kind: Any) -> None:
    assert parse_worker_class(kind) == "asgi"
    found = load({"worker_class": kind}, {})
    assert (found.interface, found.sources["interface"]) == ("asgi", "worker_class")
    assert found.green is True
    assert load({"worker_class": kind, "interface": "auto"}, {}).interface == "auto"


def test_other_classes_do_not() -> None:
    with pytest.raises(ValueError, match="expected auto, green, sync, gthread, asgi"):
        parse_worker_class(Mine)
    assert load({"worker_class": "gevent"}, {}).interface == "auto"


def test_gunicorns_lifespan_is_ours() -> None:
    assert load({"asgi_lifespan": "off"}, {}).lifespan == "off"
    with pytest.raises(UsageError, match="lifespan: expected one of auto, on, off"):
        load({"asgi_lifespan": "x"}, {})
    assert settings("--asgi-lifespan", "on").lifespan == "on"


def test_a_file_of_gunicorn_with_them_is_migrated(tmp_path: Any) -> None:
    file = tmp_path / "gunicorn.conf.py"
    file.write_text("worker_class = 'uvicorn.workers.UvicornWorker'\nworkers = 2\n")
    text = migrate.examine(file.name, tmp_path).text
    assert "  worker_class = 'uvicorn.workers.UvicornWorker'\n" in text
    assert "worker_class: tasks run on celadon's own loop" in text
    assert "2 x 1000 requests at a time before, 2 x 1000 now" in text
    assert "Is refused" not in text
    assert "graceful_timeout" not in text
    file.write_text("graceful_timeout = 0\n")
    assert "graceful_timeout: 0 waits" in migrate.examine(file.name, tmp_path).text


def test_every_option_of_hypercorn_is_known() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "hypercorn", "--help"],
        capture_output=True,
        text=True,
        timeout=raw.TIMEOUT,
        check=True,
    ).stdout
    theirs = set(
        re.findall(r"(?<![\w-])--?[a-z]+[a-z-]*", shown.partition("options:")[2])
    )
    ours = {flag for option in OPTIONS.values() for flag in option.flags}
    assert "--keep-alive" in theirs
    assert {each for each in theirs if each.startswith("--")} - ours == {
        "--config",
        "--help",
    }


def report(*words: str) -> tuple[list[str], dict[str, list[str]]]:
    """The line to write, split, and the sections."""
    text = migrate_asgi.examine(words).text
    sections: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line.startswith("  "):
            lines = sections[line[:-1]] = []
        else:
            lines.append(line[2:])
    return sections["Write"][0].split(), sections


def test_a_command_line_of_uvicorn_is_migrated() -> None:
    words, said = report(
        *[
            "uvicorn",
            "shop:app",
            "--host",
            "0.0.0.0",
            "--port",
            "80",
            "--workers",
            "4",
            "--no-access-log",
            "--loop",
            "uvloop",
            "--ssl-keyfile",
            "x",
            "--no-server-header",
            "--factory",
        ]
    )
    assert words == [
        "celadon",
        "--workers",
        "4",
        "--keyfile",
        "x",
        "--no-server-header",
        "--factory",
        "--bind",
        "0.0.0.0:80",
        "shop:app",
    ]
    assert "keepalive: 75 s instead of 5 s" in said["Changes"][2 - 1]
    assert not any(line.startswith("accesslog") for line in said["Changes"])
    assert "asgi_loop has no effect" in said["Has no effect"][0]
    [refused] = said["Is refused, and stops the start"]
    assert refused == "keyfile: there is no TLS without certfile"
    # What it says is what it reads.
    assert flags.parse(words[1:])["target"] == "shop:app"


def test_a_command_line_of_hypercorn_is_migrated(tmp_path: Any) -> None:
    words, said = report(
        *[
            "/venv/bin/hypercorn",
            "-b",
            "0.0.0.0:80",
            "-b",
            "unix:/x",
            "-w",
            "4",
            "-k",
            "uvloop",
            "--keep-alive",
            "9",
            "--server-name",
            "a.b",
            "--read-timeout",
            "3",
            "wsgi:shop:app",
        ]
    )
    assert words == [
        "celadon",
        "--bind",
        "0.0.0.0:80",
        "--bind",
        "unix:/x",
        "--workers",
        "4",
        "--keep-alive",
        "9",
        "--allowed-hosts",
        "a.b",
        "--interface",
        "wsgi",
        "shop:app",
    ]
    assert any("others get 421" in line for line in said["Has no effect"])
    assert not any(line.startswith("keepalive") for line in said["Changes"])
    assert "Is refused, and stops the start" not in said
    (tmp_path / "h.toml").write_text("workers = 3\nbind = ['x:1']\nnone = 1\n")
    words, said = report("hypercorn", "-c", str(tmp_path / "h.toml"), "-w", "2", "a:b")
    assert words == ["celadon", "--workers", "2", "--bind", "x:1", "a:b"]
    assert any(line.startswith("none: ") for line in said["Has no effect"])
    _, said = report("hypercorn", "-k", "trio", "-D", "a:b")
    assert len(said["Is refused, and stops the start"]) == 2


def test_what_waits_where_uvicorn_refuses_is_said() -> None:
    words, said = report("uvicorn", "a:b", "--limit-concurrency", "9")
    assert words == ["celadon", "--max-concurrent-requests", "9", "a:b"]
    assert any("is --queue-depth 0" in line for line in said["Changes"])
    _, said = report("uvicorn", "a:b")
    assert not any("queue-depth" in line for line in said["Changes"])


def test_texts_of_a_file_of_hypercorn_are_lists_of_one(tmp_path: Path) -> None:
    """As Hypercorn takes them."""
    file = tmp_path / "h.toml"
    for bind, more in (("'a:1'", "'b:2'"), ("['a:1']", "'b:2'"), ("'a:1'", "['b:2']")):
        file.write_text(f"bind = {bind}\ninsecure_bind = {more}\nserver_names = 'c'\n")
        words, _ = report("hypercorn", "-c", str(file), "a:b")
        assert words == [
            *("celadon", "--bind", "a:1", "--bind", "b:2"),
            *("--allowed-hosts", "c", "a:b"),
        ]


def test_what_else_means_something_else_in_hypercorn() -> None:
    words, _ = report("hypercorn", "--graceful-timeout", "0", "a:b")
    assert words == ["celadon", "--graceful-timeout", "1ms", "a:b"]
    _, said = report("hypercorn", "--log-config", "toml:log.toml", "a:b")
    (refused,) = said["Is refused, and stops the start"]
    assert refused.startswith("logconfig: toml:log.toml is not read")
    words, _ = report("hypercorn", "--log-config", "json:log.json", "a:b")
    assert words == ["celadon", "--log-config-json", "log.json", "a:b"]


@pytest.mark.parametrize(
    "words", ["uvicorn a:b --nope", "hypercorn", "hypercorn --nope a:b"]
)
def test_what_is_none_of_theirs_is_said(words: str) -> None:
    with pytest.raises(UsageError):
        migrate_asgi.examine(words.split())
