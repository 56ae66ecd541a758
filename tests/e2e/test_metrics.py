"""One scrape, right with many workers, whatever becomes of them."""

from __future__ import annotations

import bisect
import contextlib
import gzip
import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.support import raw
from tests.support.load import FOREVER, Crowd, Load
from tests.support.machine import ipv6, program
from tests.support.metrics import Queries, Samples, admin_port, page, samples, value
from tests.support.raw import Client
from tests.support.servers import Command, wait_until
from tests.support.services import SCRAPE_TIME, prometheus
from tests.support.site import Site, kill_worker, ready, renewed, wait_ready

ADMIN = ("--admin-bind", "127.0.0.1:0")


def answered(server: Command) -> float:
    """Requests by the histogram of their durations, of all labels."""
    found = samples(page(server).body.decode())
    return sum(
        n
        for (name, _), n in found.items()
        if name == "http_server_request_duration_seconds_count"
    )


def ask_all(server: Command, workers: int, path: str) -> tuple[set[bytes], int]:
    """Asks until all workers have answered: what they said, and how often that was."""
    bodies: set[bytes] = set()
    count = 0

    def ask() -> tuple[int, bool]:
        nonlocal count
        # Open together, so that the workers share them.
        clients = [server.client() for _ in range(4 * workers)]
        for client in clients:
            client.send(raw.get(path))
        for client in clients:
            bodies.add(client.response().body)
            client.close()
        count += len(clients)
        return len(bodies), len(bodies) == workers

    wait_until(ask)
    return bodies, count


@contextmanager
def measured(workers: int, *options: str, **env: str) -> Iterator[Command]:
    with Command(
        "tests.apps.measured:app", *("-w", str(workers)), *ADMIN, *options, env=env
    ) as server:
        wait_ready(server, workers)
        yield server


# What operations.md §3.1 names, of what exists.
CATALOGUE = [
    "http_server_request_duration_seconds",
    "http_server_active_requests",
    "http_server_request_body_size_bytes",
    "http_server_response_body_size_bytes",
    "celadon_request_queue_seconds",
    "celadon_request_ttfb_seconds",
    "celadon_requests_rejected",
    "celadon_timeouts",
    "celadon_connections_accepted",
    "celadon_connections_closed",
    "celadon_accept_errors",
    "celadon_connections",
    "celadon_received_bytes",
    "celadon_sent_bytes",
    "celadon_loop_lag_seconds",
    "celadon_loop_blocked_seconds",
    "celadon_loop_seconds",
    "celadon_loop_turns",
    "celadon_gil_wait_seconds",
    "celadon_asgi_tasks",
    "celadon_greenlets",
    "celadon_greenlets_parked",
    "celadon_greenlet_switches",
    "celadon_greenlets_created",
    "celadon_greenlet_slice_seconds",
    "celadon_workers",
    "celadon_worker_spawns",
    "celadon_worker_exits",
    "celadon_worker_heartbeat_age_seconds",
    "celadon_worker_resident_memory_bytes",
    "celadon_worker_uptime_seconds",
    "celadon_generation",
    "celadon_config_reloads",
    "celadon_build_info",
    "process_cpu_seconds",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
    "celadon_metrics_series",
    "celadon_metrics_series_dropped",
    "celadon_scrape_seconds",
    "celadon_log_lines_dropped",
]


def test_the_exposition_is_whole_and_clean() -> None:
    with measured(2) as server:
        for path in ("/", "/sleep"):
            assert server.request(raw.get(path)).status == 200
        assert server.request(raw.post("/", b"x" * 300)).status == 200
        assert server.request(b"GET / HTTP/9.9\r\n\r\n").status == 505
        wait_until(lambda: (n := answered(server), n == 3))
        text = page(server)
        assert text.get("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
        families = {family.name for family in parse_text(text.body.decode())}
        assert not set(CATALOGUE) - families
        checked = subprocess.run(
            [program("promtool", "prometheus"), "check", "metrics"],
            input=text.body,
            capture_output=True,
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert checked.stdout + checked.stderr == b""
        wanted = "Accept: application/openmetrics-text; version=1.0.0"
        other = page(server, "/metrics", wanted)
        assert (other.get("Content-Type") or "").startswith("application/openmetrics-")
        again = {family.name for family in parse_openmetrics(other.body.decode())}
        assert not set(CATALOGUE) - again
        zipped = page(server, "/metrics", "Accept-Encoding: gzip")
        assert zipped.get("Content-Encoding") == "gzip"
        assert zipped.get("Vary") == "Accept, Accept-Encoding"
        assert gzip.decompress(zipped.body).startswith(b"# HELP ")
        assert len(zipped.body) < len(text.body) / 4
    found = samples(text.body.decode())

    def of(name: str, **labels: str) -> float:
        return found[(name, frozenset(labels.items()))]

    # As OpenTelemetry has them.
    labels = {
        "http_request_method": "GET",
        "url_scheme": "http",
        "http_response_status_code": "200",
        "network_protocol_version": "1.1",
    }
    assert of("http_server_request_duration_seconds_count", **labels) == 2
    assert of("http_server_request_duration_seconds_bucket", **labels, le="0.01") == 1
    assert of("http_server_request_duration_seconds_bucket", **labels, le="0.075") >= 1
    assert of("http_server_request_body_size_bytes_sum") == 300
    assert of("celadon_requests_rejected_total", reason="parse") == 1
    assert of("celadon_connections_accepted_total") == 4
    assert of("celadon_workers", state="ready") == 2
    assert of("celadon_received_bytes_total") > 300
    assert of("process_resident_memory_bytes") > 10e6


def test_buckets_of_ones_own() -> None:
    with measured(1, "--metrics-buckets", "1ms,40ms,2s") as server:
        for path in ("/", "/sleep"):
            assert server.request(raw.get(path)).status == 200
        # A request is counted once it has ended, which is after its answer.
        wait_until(lambda: (n := answered(server), n == 2))
        found = samples(page(server).body.decode())
        name = "http_server_request_duration_seconds_bucket"
        counts = {
            dict(labels)["le"]: count
            for (family, labels), count in found.items()
            if family == name
        }
        assert list(counts) == ["0.001", "0.04", "2", "+Inf"]
        assert counts["0.04"] <= 1
        assert counts["2"] == counts["+Inf"] == 2
        url = f"http://127.0.0.1:{admin_port(server)}/-/stats"
        with urllib.request.urlopen(url) as answer:
            told = json.load(answer)["requests"]
        assert told["bounds"] == [0.001, 0.04, 2]
        assert sum(told["durations"]) == 2


def test_metrics_of_the_application_are_right_across_workers() -> None:
    with measured(3) as server:
        bodies, count = ask_all(server, 3, "/four")
        pids = {body.split()[1].decode() for body in bodies}
        assert value(server, "app_asked_total", path="/four") == count
        found = samples(page(server).body.decode())

        def of(name: str, **labels: str) -> float:
            return found[(name, frozenset(labels.items()))]

        assert of("app_took_seconds_count") == count
        assert of("app_sizes_sum") == count * len("/four")
        assert of("app_inside") == 0
        assert of("app_most") == of("app_last") == len("/four")
        assert {str(int(of("app_own", worker=str(n)))) for n in range(3)} == pids
        assert of("app_about_info", flavour='quote " and \\ and \n') == 1
        # What is gone was counted; gauges of the living remain.
        kill_worker(server, int(pids.pop()))
        assert value(server, "app_asked_total", path="/four") == count
        assert value(server, "app_last") == len("/four")


ROUTED = """
from celadon.metrics import Histogram
sizes = Histogram("shop_sizes", "", buckets={buckets})
def app(environ, start_response):
    sizes.observe(3)
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""


@pytest.mark.row("S17")
def test_other_buckets_after_a_reload_count_for_themselves(site: Site) -> None:
    app = site.folder / "site_app.py"
    app.write_text(ROUTED.format(buckets=[1, 2]))
    with site.serve(*ADMIN) as server:
        old = wait_ready(server, 1)
        assert server.request(raw.get("/")).status == 200
        assert value(server, "shop_sizes_bucket", le="+Inf") == 1
        assert value(server, "shop_sizes_bucket", le="2.0") == 0
        app.write_text(ROUTED.format(buckets=[5, 10, 20]))
        server.signal(signal.SIGHUP)
        renewed(server, old)
        assert server.request(raw.get("/")).status == 200
        found = samples(page(server).body.decode())
        buckets = {
            dict(labels)["le"]: count
            for (name, labels), count in found.items()
            if name == "shop_sizes_bucket"
        }
        assert buckets == {"5.0": 1, "10.0": 1, "20.0": 1, "+Inf": 1}


COUNTING = """
from celadon.metrics import Counter
_asked = Counter("shop_asked", "requests")
def pre_request(worker, request):
    _asked.inc()
"""


@pytest.mark.row("S17")
@pytest.mark.parametrize("config", ["celadon.conf.py", "python:counting"])
def test_metrics_of_a_configuration_outlive_its_reload(site: Site, config: str) -> None:
    (site.folder / "celadon.conf.py").write_text(COUNTING)
    (site.folder / "counting.py").write_text(COUNTING)
    with site.serve(*ADMIN, "--config", config) as server:
        for asked in (1, 2, 3):
            old = wait_ready(server, 1)
            assert server.request(raw.get("/")).status == 200
            assert value(server, "shop_asked_total") == asked
            server.signal(signal.SIGHUP)
            renewed(server, old)


def test_labels_are_capped_and_what_is_beyond_is_counted() -> None:
    with measured(1, "--metrics-max-series", "30") as server:
        for n in range(60):
            server.request(raw.get(f"/many/{n}"))
        other = value(server, "app_many_total", n="_other")
        assert other > 20
        assert value(server, "celadon_metrics_series_dropped_total") >= other
        assert value(server, "celadon_metrics_series") <= 40
        named = [
            labels
            for (name, labels) in samples(page(server).body.decode())
            if name == "app_many_total"
        ]
        total = sum(value(server, "app_many_total", **dict(each)) for each in named)
        assert total == 60


def test_counters_never_go_back_and_nothing_is_counted_twice() -> None:
    """Killed, reloaded and recycled workers, while a scrape follows another."""
    with measured(3, "--max-requests", "200") as server:
        stop, backwards = threading.Event(), []

        def watch() -> None:
            before: Samples = {}
            while not stop.wait(0.01):
                now = samples(page(server).body.decode())
                backwards.extend(
                    (key, before[key], now.get(key, 0.0))
                    for key in before
                    if key[0].endswith(("_total", "_count", "_sum", "_bucket"))
                    and now.get(key, 0.0) < before[key]
                )
                before = now

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            with Load(server, 1, 7, FOREVER) as load:
                for _ in range(5):
                    load.wait_for_more(200)
                    victim = ready(server)[0]
                    with contextlib.suppress(ProcessLookupError):  # it was faster
                        os.kill(victim, signal.SIGKILL)
                    old = wait_until(
                        lambda v=victim: (
                            r := ready(server),
                            len(r) >= 3 and v not in r,
                        )  # type: ignore[misc]
                    )
                    server.signal(signal.SIGHUP)
                    wait_until(
                        lambda old=old: (r := ready(server), not set(r) & set(old))  # type: ignore[misc]
                    )
        finally:
            stop.set()
            watcher.join()
        assert not backwards
        # What a kill cut off was counted by the server alone, or by the client.
        wait_until(
            lambda: (
                n := answered(server),
                load.answered - 5 <= n <= load.answered + len(load.wrong),
            )
        )
        exits = value(server, "celadon_worker_exits_total", reason="signal")
        assert 1 <= exits <= 5  # one that was about to end may have been faster
        planned = ("reload", "max_requests")
        ended = [value(server, "celadon_worker_exits_total", reason=r) for r in planned]
        assert sum(ended) >= 5
        assert value(server, "celadon_config_reloads_total", result="accepted") == 5


def test_a_scrape_is_answered_while_every_worker_is_blocked(tmp_path: Path) -> None:
    enough = tmp_path / "enough"
    with measured(2, ENOUGH=str(enough)) as server:
        clients = [server.client() for _ in range(2)]
        try:
            for client in clients:
                client.send(raw.get("/hold"))
            held = "celadon_worker_heartbeat_age_seconds"
            wait_until(
                lambda: (
                    ages := [value(server, held, worker=n) for n in "01"],
                    min(ages) > 0.2,
                )
            )
            assert value(server, "http_server_active_requests",
                         http_request_method="GET", url_scheme="http") == 2  # fmt: skip
        finally:
            enough.touch()
            for client in clients:
                assert client.response().status == 200
                client.close()


@pytest.mark.row("T32")
def test_zeroes_are_shown_and_what_began_has_ended() -> None:
    """Whichever way a connection ends it is counted down; over IPv6 as well."""
    ipv6()
    options = ("-w", "2", "--admin-bind", "[::1]:0")
    with Command("tests.apps.measured:app", *options) as server:
        wait_ready(server, 2)
        port = int(server.said(r"admin pages at http://\[::1\]:(\d+)")[1])

        def look() -> Samples:
            with Client(("::1", port)) as client:
                client.send(raw.get("/metrics"))
                return samples(client.response().body.decode())

        for ending in ("answered", "reset", "half a head", "refused", "no bytes"):
            with server.client() as client:
                if ending == "reset":
                    client.send(
                        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1"
                    )
                    linger = struct.pack("ii", 1, 0)
                    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                elif ending == "half a head":
                    client.send(b"GET / HT")
                elif ending == "refused":
                    client.send(b"GET / HTTP/3.3\r\n\r\n")
                    assert client.response().status == 505
                elif ending == "answered":
                    client.send(raw.get("/"))
                    assert client.response().status == 200

        gauges = {
            ("celadon_connections", frozenset[tuple[str, str]]()),
            ("celadon_connections_idle", frozenset()),
            ("celadon_requests_queued", frozenset()),
            ("app_inside", frozenset()),
            ("http_server_active_requests",
             frozenset({("http_request_method", "POST"), ("url_scheme", "http")})),
        }  # fmt: skip
        wait_until(
            lambda: (
                found := {key: n for key, n in look().items() if key in gauges},
                found == dict.fromkeys(gauges, 0.0),
            )
        )
        # What has not happened is there as a zero, so that its first time shows.
        found = look()
        assert found[("celadon_requests_lost_total", frozenset())] == 0
        timeouts = frozenset({("reason", "timeout")})
        assert found[("celadon_worker_exits_total", timeouts)] == 0
        closed = sum(
            n
            for (name, _), n in found.items()
            if name == "celadon_connections_closed_total"
        )
        accepted = found[("celadon_connections_accepted_total", frozenset())]
        taken = found[("celadon_connections_taken_total", frozenset())]
        assert closed == accepted + taken == 5 + taken


def test_requests_lost_at_a_death_are_counted() -> None:
    with measured(1) as server, server.client() as client:
        client.send(raw.get("/die"))
        assert client.read_to_end() == b""
        wait_until(lambda: (n := value(server, "celadon_requests_lost_total"), n == 1))
        assert value(server, "celadon_worker_exits_total", reason="failed") == 1


@pytest.mark.parametrize("folder", [False, True])
def test_prometheus_client_is_right_across_workers(
    tmp_path: Path, folder: bool
) -> None:
    """Unchanged: with its folder of files and its hook, or with neither."""
    config = tmp_path / "gunicorn.conf.py"
    config.write_text(
        "from prometheus_client import multiprocess\n"
        "def child_exit(server, worker):\n"
        "    multiprocess.mark_process_dead(worker.pid)\n"
    )
    env = {}
    options = ["-w", "2", *ADMIN]
    if folder:
        (tmp_path / "files").mkdir()
        env["PROMETHEUS_MULTIPROC_DIR"] = str(tmp_path / "files")
        options += ["-c", str(config)]
    with Command("tests.apps.prometheus_site:app", *options, env=env) as server:
        first = wait_ready(server, 2)
        _, count = ask_all(server, 2, "/x")
        server.signal(signal.SIGHUP)
        renewed(server, first)
        own = samples(server.request(raw.get("/metrics")).body.decode())
        ours = samples(page(server).body.decode())
        for found in (own, ours):
            path = frozenset({("path", "/x")})
            assert found[("site_asked_total", path)] == count
            assert found[("site_plain_total", frozenset())] == count
            assert found[("site_sizes_sum", frozenset())] == 2 * count
            assert found[("site_took_seconds_count", path)] == count
            bucket = frozenset({("path", "/x"), ("le", "1.0")})
            assert found[("site_took_seconds_bucket", bucket)] == count
        assert server.request(raw.get("/x")).status == 200
        assert value(server, "site_level") == 2


class Marks(Crowd):
    """How many answers a load had, time and again."""

    def __init__(self, load: Load) -> None:
        super().__init__(self._mark)
        self._load = load
        self.times: list[float] = []
        self._counts: list[int] = []

    def _mark(self) -> None:
        while not self.stopped.wait(0.02):
            self.times.append(time.time())
            self._counts.append(self._load.answered)

    def answered(self, when: float) -> int:
        return self._counts[min(bisect.bisect(self.times, when), len(self._counts) - 1)]


@pytest.mark.slow("ten reloads of four workers")
def test_a_real_prometheus_through_reloads_and_kills(tmp_path: Path) -> None:
    """10 reloads and two kills under load: no resets, and increase() is what was asked."""
    with measured(4) as server:
        target = f"127.0.0.1:{admin_port(server)}"
        with prometheus(tmp_path / "prometheus", target) as url:
            queries = Queries(url)
            total = "sum(http_server_request_duration_seconds_count)"
            wait_until(lambda: (n := queries.number("up"), n == 1))
            with Load(server, FOREVER, FOREVER) as load, Marks(load) as marks:
                for round_ in range(10):
                    old = ready(server)
                    if round_ % 5 == 4:
                        old = kill_worker(server, old[0])
                    server.signal(signal.SIGHUP)
                    renewed(server, old)
                load.wait_for_more(10)
            # What a kill cut off was counted by the server alone, or by the client.
            least, most = load.answered - 4, load.answered + len(load.wrong)
            wait_until(
                lambda: (
                    n := (least, queries.number(total), most),
                    n[0] <= n[1] <= n[2],
                )
            )
            # From one scrape to another, both while the load ran: rate() guesses what was
            # before the first and after the last, and here there is nothing.
            # A scrape that has no time left on a busy machine is one of a few in each second.
            counts = "http_server_request_duration_seconds_count"
            last = f"max(max_over_time(timestamp({counts})[5s:50ms]))"
            begin, end = (
                queries.number(last, when)
                for when in (marks.times[0] + 0.5, marks.times[-1])
            )
            query = f"sum(rate({counts}[{round(1000 * (end - begin)) + 1}ms]))"
            found = queries.number(query, end) * (end - begin)
            # On a busy machine a scrape has its time a while before or after its figures.
            least, most = (
                marks.answered(end + late) - marks.answered(begin - late)
                for late in (-1, 1)
            )
            assert 0.99 * least <= found <= 1.01 * most
            for name in queries.names():
                if name.endswith(("_total", "_count", "_sum", "_bucket")):
                    assert queries.ask(f"resets({name}[5m]) > 0") == [], name
            assert queries.number("last_over_time(celadon_generation[5s])") == 10
            scrapes = queries.number("sum_over_time(up[1m])")
            assert scrapes > 10
            # All were answered that had time for it.
            refused = f"up == 0 and scrape_duration_seconds < {SCRAPE_TIME - 0.02}"
            assert queries.ask(f"count_over_time(({refused})[1m:50ms])") == []
