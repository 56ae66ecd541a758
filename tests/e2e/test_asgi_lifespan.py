"""ASGI's lifespan in each kind of server: `celadon`, `run`, `Server`, gunicorn's worker."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import celadon
import pytest
from celadon.errors import AppError, AppFailed

from tests.apps import asgi_life
from tests.support import raw
from tests.support.gunicorn import Gunicorn
from tests.support.servers import ROOT, Command, Started
from tests.support.site import wait_ready

LIFE = "tests.apps.asgi_life"


def serve(name: str, *options: str, **env: str) -> Command:
    return Command(f"{LIFE}:{name}", *options, env=env)


def test_each_worker_has_one() -> None:
    with serve("app", "--workers", "2") as server:
        wait_ready(server, 2)
        server.stop()
    said = [line.split() for line in server.out]
    for word in ("started", "ending", "ended"):
        assert len({pid for what, pid in said if what == word}) == 2
    assert not any("asgi_life" in line for line in server.lines)


def test_it_is_over_before_the_worker_is_and_is_begun_before_it_serves() -> None:
    with serve("app") as server:
        pid = server.worker
        server.out.said(f"started {pid}")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert server.out[-1] == f"ended {pid}"


def test_it_is_over_however_often_the_worker_is_told_to_end() -> None:
    """As by a service manager, which tells all processes, and by the master."""
    with serve("app") as server:
        pid = server.worker
        server.signal(signal.SIGTERM)
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(pid, signal.SIGTERM)
        assert server.wait() == 0
    assert server.out[-1] == f"ended {pid}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_a_quick_stop_tells_it_too(number: int) -> None:
    with serve("app") as server:
        pid = server.worker
        server.signal(number)
        assert server.wait() == 0
    assert server.out[-1] == f"ended {pid}"


def test_a_start_that_failed_ends_the_server_with_its_message() -> None:
    with serve("failing", "--workers", "1") as server:
        assert server.wait() == 4
    assert list(server.out) == [f"fails {pid_of(server.out[0])}"]
    (told,) = [line for line in server.lines if "lifespan.startup failed" in line]
    assert told == "lifespan.startup failed: no database"
    server.said("no worker boots: stopping")


def pid_of(line: str) -> int:
    return int(line.split()[-1])


def test_a_reload_whose_start_fails_leaves_the_old_worker(tmp_path: Path) -> None:
    good = tmp_path / "good"
    good.touch()
    with serve("failing", LIFE_GOOD=str(good)) as server:
        old = server.worker
        good.unlink()
        server.signal(signal.SIGHUP)
        server.wait_line("lifespan.startup failed: no database")
        server.wait_line("the new worker failed: the old ones stay")
        good.touch()
        server.signal(signal.SIGHUP)
        new = int(server.wait_line(r"worker (\d+) is ready")[1])
        assert new != old
        server.wait_line(f"worker {old} exited with status 0")


def test_a_reload_ends_the_old_one() -> None:
    with serve("app") as server:
        old = server.worker
        server.signal(signal.SIGHUP)
        new = int(server.wait_line(r"worker (\d+) is ready")[1])
        server.wait_line(f"worker {old} exited with status 0")
        server.out.said(f"ended {old}")
        assert f"ended {new}" not in server.out


def test_the_application_of_a_master_lives_in_each_worker() -> None:
    with serve("app", "--preload", "--workers", "2") as server:
        wait_ready(server, 2)
        server.stop()
    assert len({line for line in server.out if line.startswith("ended")}) == 2


def test_an_end_that_failed_is_in_the_log() -> None:
    with serve("app", LIFE_END="fails") as server:
        assert server.worker
        assert server.stop() == 0
    server.said(r"\[ERROR\] lifespan.shutdown failed: still open$")


def test_an_end_that_hangs_has_what_the_drain_left() -> None:
    with serve("app", "--graceful-timeout", "1", LIFE_END="hangs") as server:
        pid = server.worker
        server.signal(signal.SIGTERM)
        server.wait_line("the application did not answer lifespan.shutdown within ")
        server.out.said(f"cancelled {pid}")
        assert server.wait() == 0
    server.said(f"worker {pid} exited with status 0")


@pytest.mark.parametrize(
    ("name", "options", "status", "said"),
    [
        (
            "without",
            ["--lifespan", "on"],
            4,
            "has no lifespan, and lifespan = on: Asse",
        ),
        ("without", [], 0, "is ready"),
        ("app", ["--lifespan", "off"], 0, "is ready"),
        ("failing", ["--lifespan", "off"], 0, "is ready"),
        ("Old", [], 0, "is ready"),
        ("make", ["--factory"], 0, "is ready"),
        ("app", ["-k", "uvicorn.workers.UvicornWorker"], 0, "is ready"),
        ("wsgi", ["--interface", "asgi"], 4, "is an application of WSGI: interface = "),
        ("app", ["--interface", "wsgi"], 4, "is an application of ASGI: interface = "),
    ],
)
def test_settings(name: str, options: list[str], status: int, said: str) -> None:
    with serve(name, *options) as server:
        server.said(said)
        assert (server.stop() if status == 0 else server.wait()) == status
    lives = name in ("app", "Old", "make") and "off" not in options and not status
    assert [line.split()[0] for line in server.out] == (
        ["started", "ending", "ended"] if lives else []
    )


def test_a_start_that_hangs_is_ended_by_its_limit() -> None:
    with serve("app", "--startup-timeout", "1", LIFE_START="hangs") as server:
        pid = server.out.said(r"hangs (\d+)")[1]
        server.said(f"worker {pid} .*(killed|startup_timeout)")
        assert server.wait() != 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_start_that_hangs_is_cancelled_by_a_stop(number: int) -> None:
    """Behind what the end of a server may take: a second where it is to be quick."""
    with serve("app", "--graceful-timeout", "1", LIFE_START="hangs") as server:
        server.out.said("hangs")
        server.signal(number)
        assert server.wait() == 0
    assert server.out[-1].startswith("cancelled ")
    with alone("graceful_timeout=1", LIFE_START="hangs") as script:
        script.out.said("hangs")
        script.signal(number)
        assert script.wait() == -number
    assert script.out[-1].startswith("cancelled ")


def alone(*settings: str, **env: str) -> Started:
    """`celadon.run` in a script."""
    code = RUN.format(name="app").removesuffix(")") + "".join(
        f", {each}" for each in settings
    )
    return Started(sys.executable, "-c", f"{code})", cwd=ROOT, env=env)


STOPS = pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]
)
WHEN = pytest.mark.parametrize("start", ["waits", "blocks"])
WHOLE = ["starts", "started", "ending", "ended"]


@STOPS
@WHEN
def test_a_start_that_is_told_to_end_is_told_of_its_end(
    number: int, start: str, tmp_path: Path
) -> None:
    """As uvicorn has it: a start that is under way is finished, and whoever has started is
    told of the end, also where it has not served."""
    go = tmp_path / "go"
    with serve("app", LIFE_START=start, LIFE_GO=str(go)) as server:
        pid = int(server.out.said(r"starts (\d+)")[1])
        os.kill(pid, number)
        go.touch()
        server.out.said(f"ended {pid}")
        server.stop()
    assert said(server, pid) == WHOLE


@STOPS
@WHEN
def test_likewise_by_its_master(number: int, start: str, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with serve("app", LIFE_START=start, LIFE_GO=str(go)) as server:
        pid = int(server.out.said(r"starts (\d+)")[1])
        server.signal(number)
        server.wait_line("stopping")
        go.touch()
        assert server.wait() == 0
    assert said(server, pid) == WHOLE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_likewise_in_a_script(number: int, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with alone(LIFE_START="waits", LIFE_GO=str(go)) as script:
        pid = int(script.out.said(r"starts (\d+)")[1])
        script.signal(number)
        go.touch()
        assert script.wait() == 0
    assert said(script, pid) == WHOLE


@STOPS
def test_between_its_start_and_its_first_request(number: int) -> None:
    with serve("app", LIFE_START=f"kills {int(number)}") as server:
        pid = int(server.out.said(r"starts (\d+)")[1])
        server.out.said(f"ended {pid}")
        server.stop()
    assert said(server, pid) == WHOLE
    with alone(LIFE_START=f"kills {int(number)}") as script:
        assert script.wait() == 0
    assert said(script, script.process.pid) == WHOLE


def said(server: Any, pid: int) -> list[str]:
    """Of that process."""
    lines = [line.split() for line in server.out]
    return [what for what, *rest in lines if rest == [str(pid)]]


def test_a_second_ctrl_c_waits_for_no_end() -> None:
    code = RUN.format(name="app")
    env = {"LIFE_END": "hangs"}
    with Started(sys.executable, "-c", code, cwd=ROOT, env=env) as server:
        assert server.port
        server.signal(signal.SIGINT)
        server.out.said("ending")
        server.signal(signal.SIGINT)
        # It comes to the application, or to who waits for it.
        assert server.wait() in (0, -signal.SIGINT)


RUN = f"import celadon, {LIFE} as life; celadon.run(life.{{name}}, bind='127.0.0.1:0')"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_has_one(number: int) -> None:
    code = RUN.format(name="app")
    with Started(sys.executable, "-c", code, cwd=ROOT) as server:
        assert server.port
        pid = server.process.pid
        server.signal(number)
        assert server.wait() == 0
    assert list(server.out) == [
        f"{word} {pid}" for word in ("started", "ending", "ended")
    ]


def test_run_raises_where_the_start_failed() -> None:
    code = RUN.format(name="failing")
    with Started(sys.executable, "-c", code, cwd=ROOT) as server:
        assert server.wait() == 1
    server.said("AppFailed: a$")
    server.said("^lifespan.startup failed: no database$")


def test_a_server_in_a_thread_has_one(capfd: pytest.CaptureFixture[str]) -> None:
    with celadon.Server(asgi_life.app) as server:
        assert server.port
        assert capfd.readouterr().out.startswith("started")
    assert [line.split()[0] for line in capfd.readouterr().out.splitlines()] == [
        "ending",
        "ended",
    ]
    with pytest.raises(AppFailed, match="no database"):
        celadon.Server(asgi_life.failing).start()
    with pytest.raises(AppError, match="has no lifespan, and lifespan = on"):
        celadon.Server(asgi_life.without, lifespan="on").start()
    with celadon.Server(asgi_life.without) as server:
        assert server.port


class Gun(Gunicorn):
    def __init__(self, name: str, *options: str, **env: str) -> None:
        super().__init__(f"{LIFE}:{name}", *options, env=env)


def test_a_worker_of_gunicorn_has_one() -> None:
    with Gun("app") as server:
        line = server.out.said(r"started (\d+)")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert server.out[-1] == f"ended {line[1]}"


def test_a_worker_of_gunicorn_is_told_twice() -> None:
    """As by Ctrl-C: by the terminal and by its master."""
    with Gun("app") as server:
        pid = int(server.out.said(r"started (\d+)")[1])
        assert server.request(raw.get("/")).status == 200  # it serves by now
        server.signal(signal.SIGINT)
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(pid, signal.SIGQUIT)
        assert server.wait() == 0
    assert server.out[-1] == f"ended {pid}"


@STOPS
def test_a_worker_of_gunicorn_that_is_told_while_it_starts(
    number: int, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    with Gun("app", LIFE_START="waits", LIFE_GO=str(go)) as server:
        pid = int(server.out.said(r"starts (\d+)")[1])
        os.kill(pid, number)
        go.touch()
        server.out.said(f"ended {pid}")
        server.signal(signal.SIGTERM)
        server.wait()
    assert said(server, pid) == WHOLE


def test_a_start_that_failed_ends_gunicorn_too() -> None:
    with Gun("failing") as server:
        assert server.wait() == 3
    server.said("lifespan.startup failed: no database")
    assert len([line for line in server.out if line.startswith("fails")]) == 1


def test_gunicorns_own_setting_is_heard() -> None:
    with Gun("without", "--asgi-lifespan", "on") as server:
        assert server.wait() == 3
    server.said("has no lifespan, and lifespan = on")


def response(server: Any, path: str) -> str:
    found: str = server.request(raw.get(path)).body.decode()
    return found
