"""Settings of the application's surroundings, as the application sees them."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.raw import get
from tests.support.servers import Command, serving, wait_until
from tests.support.site import kill_worker, wait_ready

APP = """
import json, os, time
from celadon import patch
def app(environ, start_response):
    if environ["PATH_INFO"] == "/hold":
        end = time.monotonic() + 0.3
        while time.monotonic() < end: pass
    from celadon.patch import dns
    told = {
        "env": {name: os.environ.get(name) for name in ("ONE", "TWO", "THREE")},
        "patched": {
            "sleep": patch.patched("time", "sleep"),
            "recv": patch.patched("socket.socket", "recv"),
            "select": patch.patched("select", "select"),
        },
        "dns_threads": dns._pool.threads,
    }
    body = json.dumps(told).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., Any]:
    (tmp_path / "surroundings.py").write_text(APP)

    def ask(*options: str, **env: str) -> Any:
        with Command("surroundings:app", *options, cwd=tmp_path, env=env) as server:
            return json.loads(server.request(get("/")).body)

    return ask


def test_variables_of_a_file(told: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "site.env").write_text("ONE='from the file'\nTWO=2\nexport THREE=3\n")
    options = ("--env-file", "site.env", "--env", "THREE=raw")
    assert told(*options, TWO="was there")["env"] == {
        "ONE": "from the file",
        "TWO": "was there",
        "THREE": "raw",
    }


def test_a_worker_needs_not_read_the_file(tmp_path: Path) -> None:
    """It may have no right to: the master has read it."""
    (tmp_path / "surroundings.py").write_text(APP)
    file = tmp_path / "site.env"
    file.write_text("ONE=1\n")
    with Command("surroundings:app", "--env-file", str(file), cwd=tmp_path) as server:
        [worker] = wait_ready(server, 1)
        file.unlink()
        kill_worker(server, worker)
        assert json.loads(server.request(get("/")).body)["env"]["ONE"] == "1"
        server.signal(signal.SIGHUP)
        server.wait_line("the configuration is bad: everything stays")


@pytest.mark.parametrize(
    ("option", "recv", "select"),
    [("on", True, True), ("off", False, False), ("socket,dns", True, False)],
)
def test_parts_that_are_patched(
    told: Callable[..., Any], option: str, recv: bool, select: bool
) -> None:
    found = told("--green-patch", option)["patched"]
    assert found == {"sleep": True, "recv": recv, "select": select}


def test_threads_that_look_up_names(told: Callable[..., Any]) -> None:
    assert told()["dns_threads"] == 4
    assert told("--dns-threads", "2")["dns_threads"] == 2


def test_a_watchdog_that_is_off_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "surroundings.py").write_text(APP)
    for options, is_said in ((("--no-watchdog",), False), ((), True)):
        with Command("surroundings:app", *options, cwd=tmp_path) as server:

            def heard(lines: list[str] = server.lines) -> bool:
                return any("the loop" in line for line in lines)

            server.request(get("/hold"))
            if is_said:
                # One that gets no core while the loop is held has nothing to say.
                wait_until(lambda: (server.request(get("/hold")), heard()))
            server.stop()
            assert heard() == is_said


def waits(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    from celadon import sleep

    sleep(float(environ["QUERY_STRING"]))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("X-Request-Timeout", "0.1", 504),
        ("x-request-timeout", "0.1", 504),
        ("X-Request-Timeout", "soon", 200),
        ("X-Request-Timeout", "60", 200),
        ("X-Other", "0.1", 200),
    ],
)
def test_a_proxy_says_how_long_it_waits(name: str, value: str, status: int) -> None:
    seconds = 20 if status == 504 else 0.2
    with serving(waits, request_deadline_header="X-Request-Timeout") as server:
        asked = get(f"/?{seconds}", f"{name}: {value}")
        assert server.request(asked).status == status


def test_milliseconds_and_request_timeout_still_hold() -> None:
    with serving(
        waits,
        request_deadline_header="X-Envoy-Expected-Rq-Timeout-Ms",
        request_timeout=0.3,
    ) as server:
        for value in ("100", "60000"):
            asked = get("/?20", f"X-Envoy-Expected-Rq-Timeout-Ms: {value}")
            assert server.request(asked).status == 504


def test_who_is_not_trusted_cannot_shorten_it() -> None:
    with serving(
        waits, request_deadline_header="X-Request-Timeout", forwarded_allow_ips=""
    ) as server:
        asked = get("/?0.2", "X-Request-Timeout: 0.05")
        assert server.request(asked).status == 200
