"""Agents of application performance monitoring, unmodified, around the command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.collector import Collector, collecting
from tests.support.servers import BIN, CELADON, ROOT, Command, Started

CLIENTS = 20


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@contextmanager
def agent(*command: str, env: dict[str, str], target: str = "app") -> Iterator[Command]:
    """The command behind an agent's own."""
    server = (CELADON, "--bind", "127.0.0.1:0", f"tests.apps.traced_site:{target}")
    with Started(*command, *server, env=env) as running:
        yield running


def ask_all(command: Command, path: str) -> list[str]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        asked = [
            pool.submit(command.request, raw.get(path.format(n=n)))
            for n in range(CLIENTS)
        ]
        answers = [future.result() for future in asked]
    assert {answer.status for answer in answers} == {200}, command.lines[-30:]
    return [answer.body.decode() for answer in answers]


def test_opentelemetry(collector: Collector) -> None:
    env = {**collector.environ(), "OTEL_SERVICE_NAME": "site"}
    with agent(str(BIN / "opentelemetry-instrument"), env=env) as command:
        ids = ask_all(command, "/trace")
        # Each request has a trace of its own, before and after it waited.
        assert len(set(ids)) == CLIENTS
        assert "0" * 32 not in ids
        # The exporter's thread is native, and sends while requests go on.
        collector.wait_for(
            lambda received: all(
                any(bytes.fromhex(id_) in body for _, body in received) for id_ in ids
            )
        )


def test_sentry(collector: Collector) -> None:
    dsn = f"http://key@127.0.0.1:{collector.port}/1"
    env = {"SENTRY_TEST_DSN": dsn}
    with agent(env=env, target="sentry_app()") as command:
        ask_all(command, "/page/{n}")
        assert command.request(raw.get("/fail")).status == 500
        collector.wait_for(
            lambda received: any(
                b"on purpose" in body and b"/fail" in body for _, body in received
            )
        )
        # One transaction for each request, with its own name and nothing of others'.
        collector.wait_for(
            lambda received: (
                sum(
                    b'"type":"transaction"' in body and b"/page/" in body
                    for _, body in received
                )
                >= CLIENTS
            )
        )


def test_ddtrace(collector: Collector) -> None:
    env = {
        "DD_TRACE_AGENT_URL": f"http://127.0.0.1:{collector.port}",
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
        "DD_REMOTE_CONFIGURATION_ENABLED": "false",
        "DD_TRACE_WRITER_INTERVAL_SECONDS": "0.05",
        "DD_SERVICE": "site",
    }
    with agent(str(BIN / "ddtrace-run"), env=env) as command:
        ask_all(command, "/page/{n}")
        collector.wait_for(
            lambda received: (
                sum(
                    body.count(b"GET /page/")
                    for path, body in received
                    if "/traces" in path
                )
                >= 1
            )
        )


def test_newrelic(tmp_path: Path) -> None:
    """Without an account it runs in its developer mode: everything but the sending."""
    config = tmp_path / "newrelic.ini"
    config.write_text(
        "[newrelic]\napp_name = site\nlicense_key = none\ndeveloper_mode = true\n"
        f"log_file = {tmp_path / 'newrelic.log'}\nlog_level = info\n"
    )
    env = {"NEW_RELIC_CONFIG_FILE": str(config)}
    with agent(str(BIN / "newrelic-admin"), "run-program", env=env) as command:
        pages = ask_all(command, "/page/{n}")
        assert pages == [f"page {n}" for n in range(CLIENTS)]
        assert command.request(raw.get("/fail")).status == 500
        threads = command.request(raw.get("/threads")).body.decode()
        assert "NR-" in threads


def test_coverage_sees_views(tmp_path: Path) -> None:
    """With the tracing core, or the monitoring one where there is one."""
    data = tmp_path / "coverage"
    rc = tmp_path / "rc"
    rc.write_text(
        "[run]\nconcurrency = greenlet,thread\nsource = tests.apps\nparallel = true\n"
    )
    command = [sys.executable, "-m", "coverage", "run", f"--rcfile={rc}"]
    env = {"COVERAGE_FILE": str(data)}
    with agent(*command, env=env) as running:
        ask_all(running, "/page/{n}")
        assert running.stop() == 0
    combine = [sys.executable, "-m", "coverage", "combine", f"--data-file={data}"]
    subprocess.run(combine, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    report = subprocess.run(
        [
            *(sys.executable, "-m", "coverage", "annotate", f"--data-file={data}"),
            "--include=*/traced_site.py",
            f"--directory={tmp_path}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert report.returncode == 0, report.stdout + report.stderr
    (annotated,) = tmp_path.glob("*traced_site.py,cover")
    marks = {line[2:].strip(): line[0] for line in annotated.read_text().splitlines()}
    assert marks['return f"page {name}"'] == ">", "after it had waited"
    assert marks['raise ValueError("on purpose")'] == "!"
