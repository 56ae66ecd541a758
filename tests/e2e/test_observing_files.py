"""What is shipped for other tools: each of it is right by that tool's own judgement."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support import raw
from tests.support.collector import collecting
from tests.support.machine import program
from tests.support.metrics import Queries, admin_port, page
from tests.support.servers import BIN, CELADON, ROOT, Command, Started, wait_until
from tests.support.services import prometheus
from tests.support.site import wait_ready
from tools import gen_grafana

FOLDER = ROOT / "deploy/prometheus"


@pytest.mark.parametrize(
    "words",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "rules.yml"),
        ("test", "rules", "rules_test.yml"),
    ],
)
def test_rules_of_prometheus(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [program("promtool", "prometheus"), *words],
        cwd=FOLDER,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def rules() -> list[str]:
    groups = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def test_every_alert_has_a_test() -> None:
    groups = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    alerts = {rule.get("alert") for group in groups for rule in group["rules"]}
    tests = yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]
    tested = {
        each["alertname"] for test in tests for each in test.get("alert_rule_test", ())
    }
    assert alerts - {None} == tested


def test_the_grafana_dashboard_is_current() -> None:
    kept = json.loads((ROOT / "deploy/grafana/celadon.json").read_text())
    assert kept == gen_grafana.dashboard()
    assert kept["uid"] == "celadon"
    names = [each["name"] for each in kept["templating"]["list"]]
    assert names == ["datasource", "job", "instance", "worker"]
    for name in (ROOT / "deploy/grafana/provisioning").iterdir():
        assert yaml.safe_load(name.read_text())["apiVersion"] == 1


def test_what_is_asked_for_exists(tmp_path: Path) -> None:
    """Queries of rules and dashboard, to a Prometheus that has scraped a server."""
    options = ("-w", "2", "--admin-bind", "127.0.0.1:0")
    with Command("tests.apps.measured:app", *options) as server:
        wait_ready(server, 2)
        for path in ("/", "/pool", "/thread"):
            assert server.request(raw.get(path)).status == 200
        shown = page(server).body.decode()
        families = set(re.findall(r"(?m)^# TYPE (\S+)", shown))
        asked = set()
        for query in [*rules(), *gen_grafana.queries()]:
            words = re.findall(r"(?<![:\w])((?:celadon|http|db|process)_\w+)", query)
            asked |= {re.sub(r"_(bucket|count|sum)$", "", word) for word in words}
        labels = {"http_response_status_code", "http_route",
                  "db_client_connection_pool_name", "db_client_connection_state"}  # fmt: skip
        assert asked - families - labels == set()
        with prometheus(tmp_path, f"127.0.0.1:{admin_port(server)}") as url:
            queries = Queries(url)
            wait_until(lambda: (n := queries.number("up"), n == 1))
            for query in gen_grafana.queries():
                assert isinstance(queries.ask(query), list), query


def test_the_opentelemetry_example(tmp_path: Path) -> None:
    """One trace through two services, in both answers, in the log, and exported."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    sent = f"traceparent: 00-{trace}-00f067aa0ba902b7-01"
    with collecting() as collector:
        env = collector.environ()
        command = [str(BIN / "opentelemetry-instrument"), CELADON]
        command += ["--chdir", "examples", "--bind", "127.0.0.1:0", "traced:app"]
        with contextlib.ExitStack() as stack:
            upstream = stack.enter_context(Started(*command, env=env))
            env["UPSTREAM"] = f"http://127.0.0.1:{upstream.port}"
            front = stack.enter_context(Started(*command, env=env))
            answer = json.loads(front.request(raw.get("/orders/7", sent)).body)
            assert answer["trace"] == trace
            assert answer["price"].endswith(trace)
            front.wait_line(f"order 7 in trace {trace}")
            wanted = bytes.fromhex(trace)
            collector.wait_for(
                lambda received: sum(wanted in body for _, body in received) >= 2
            )
