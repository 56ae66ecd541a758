"""Checks of the application's own, and health at the public addresses."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.metrics import page
from tests.support.servers import Command, Started, wait_until

APP = """
import os, time
import celadon
from celadon import health

@health.check(interval=0.05)
def file_is_there():
    if os.path.exists("bad"): raise RuntimeError("on\\npurpose")

@health.check(name="answers in time", interval=0.05, timeout=0.1)
def never_slow():
    if os.path.exists("slow"): time.sleep(60)
    if os.path.exists("limited"):
        with celadon.Timeout(0.01): time.sleep(60)
    return not os.path.exists("false")

def app(environ, start_response):
    while environ["PATH_INFO"] == "/busy" and not os.path.exists("enough"):
        time.sleep(0.01)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "checked.py").write_text(APP)
    return tmp_path


def become(server: Command, status: int) -> None:
    wait_until(lambda: (s := page(server, "/-/ready").status, s == status))


def shows(server: Command, line: str) -> None:
    """A server is ready with its first worker; what concerns them all may come later."""
    wait_until(lambda: (text := page(server, "/metrics").body.decode(), line in text))


def test_a_check_that_fails_makes_the_server_unready(folder: Path) -> None:
    """design §9: raised, False, or too slow; it recovers by itself."""
    options = ("--workers", "2", "--admin-bind", "127.0.0.1:0")
    with Command("checked:app", *options, cwd=folder) as server:
        become(server, 200)
        for name, line in {
            "bad": r"health check file_is_there fails: RuntimeError: on\\x0apurpose",
            "false": "health check answers in time fails: it returned False",
            "slow": "health check answers in time fails: it took longer than 0.1 s",
            "limited": "health check answers in time fails: Timeout: 0.01 seconds",
        }.items():
            (folder / name).touch()
            become(server, 503)
            server.wait_line(line)
            assert server.request(raw.get("/")).body == b"ok"  # requests are served
            assert page(server, "/-/live").status == 200
            (folder / name).unlink()
            check = line.split("health check ")[1].split(" fails")[0]
            server.wait_line(f"health check {check} passes again")
            become(server, 200)
        shows(server, 'celadon_health_check_up{check="answers in time"} 1')
        for worker in "01":
            shows(server, f'celadon_worker_healthy{{worker="{worker}"}} 1')


def test_a_worker_that_does_not_come_to_its_checks_is_stale(folder: Path) -> None:
    """A verdict that nobody renews is none: here the loop is stopped."""
    with Command("checked:app", "--admin-bind", "127.0.0.1:0", cwd=folder) as server:
        become(server, 200)
        os.kill(server.worker, 19)  # SIGSTOP
        try:
            become(server, 503)
        finally:
            os.kill(server.worker, 18)  # SIGCONT
        become(server, 200)


def test_health_at_the_public_address(folder: Path) -> None:
    paths = "/healthz=ready,/-/live,/up=startup"
    options = ("--health-paths", paths, "--max-concurrent-requests", "1")
    more = ("--queue-depth", "0", "--admin-bind", "127.0.0.1:0")
    with Command("checked:app", *options, *more, cwd=folder) as server:
        become(server, 200)
        with server.client() as busy:
            busy.send(raw.get("/busy"))
            wait_until(lambda: (s := server.request(raw.get("/")).status, s == 503))
            # Full, and still it says so: such requests pass no admission.
            for path in ("/healthz", "/-/live", "/up"):
                assert server.request(raw.get(path)).status == 200, path
            assert server.request(raw.get("/healthz")).body == b"ready: yes\n"
            (folder / "enough").touch()
            assert busy.response().body == b"ok"
        (folder / "bad").touch()
        wait_until(lambda: (s := server.request(raw.get("/healthz")).status, s == 503))
        assert server.request(raw.get("/-/live")).status == 200
        wait_until(lambda: (s := server.request(raw.get("/")).status, s == 200))
        # Other methods, and other paths, are the application's.
        assert server.request(raw.post("/healthz", b"")).body == b"ok"
        assert server.request(raw.get("/healthz/")).body == b"ok"


def test_health_of_one_process(folder: Path) -> None:
    """`celadon.run()`, which has no master."""
    (folder / "alone.py").write_text(
        "import celadon, celadon.patch\n"
        "celadon.patch.all()\n"
        "import checked\n"
        "celadon.run(checked.app, bind='127.0.0.1:0', health_paths='/-/ready')\n"
    )
    with Started(sys.executable, "alone.py", cwd=folder) as server:
        for wanted in (200, 503, 200):
            (folder / "bad").touch() if wanted == 503 else None
            wait_until(
                lambda w=wanted: (
                    s := server.request(raw.get("/-/ready")).status,
                    s == w,
                )  # type: ignore[misc]
            )
            (folder / "bad").unlink(missing_ok=True)


@pytest.mark.parametrize("paths", ["healthz=ready", "/healthz", "/x=well"])
def test_a_bad_path_is_refused(folder: Path, paths: str) -> None:
    with Command("checked:app", "--health-paths", paths, cwd=folder) as server:
        assert server.wait() == 2
        assert "health_paths: paths as /healthz=ready" in "\n".join(server.lines)


STOPS_ITS_MASTER = """
import os, signal
os.kill(os.getppid(), signal.SIGSTOP)
from checked import app
"""


def test_who_is_ready_has_started(folder: Path) -> None:
    """Also while the master has no time to hear of it."""
    (folder / "stopping.py").write_text(STOPS_ITS_MASTER)
    paths = ("--health-paths", "/healthz=ready,/up=startup")
    with Command("stopping:app", *paths, cwd=folder) as server:
        try:
            wait_until(
                lambda: (s := server.request(raw.get("/healthz")).status, s == 200)
            )
            assert server.request(raw.get("/up")).status == 200
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
