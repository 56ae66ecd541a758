"""Settings of connections, requests and logs that no other page tries: with each, the
same client sees something else."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.raw import get
from tests.support.servers import Command, serving, wait_until
from tests.support.site import Site, gone, renewed, wait_ready

OK = [("Content-Type", "text/plain")]


def reads(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", OK)
    return [body]


def says(*names: str) -> Any:
    """An application that answers with values of its environ."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = json.dumps([environ.get(name) for name in names]).encode()
        start_response("200 OK", OK)
        return [body]

    return app


def test_a_whole_body_may_have_a_time_of_its_own() -> None:
    post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1"
    with serving(
        reads, validate=False, body_timeout=0, body_total_timeout=0.2
    ) as server:
        assert server.request(post).status == 408


@pytest.mark.parametrize(
    ("rate", "period", "is_whole"), [(1, 1.0, True), (2_147_483_647, 0.1, False)]
)
def test_a_reader_has_to_be_as_fast_as_said(
    rate: int, period: float, is_whole: bool
) -> None:
    size = 40_000_000  # more than the kernel takes for either side

    def large(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [*OK, ("Content-Length", str(size))])
        return [bytes(size)]

    settings = {"write_timeout": period, "write_min_rate": rate}
    with serving(large, **settings) as server, server.client() as client:
        client.send(get("/"))
        client.read_until(b"\r\n\r\n")
        got = len(client.buffer)
        try:
            while got < size and (piece := client.sock.recv(65536)):
                got += len(piece)
                time.sleep(0.002)  # that is what a slow reader does
        except ConnectionResetError:
            pass
        assert (got == size) == is_whole


@pytest.mark.parametrize(("limit", "status"), [(2000, 431), (4000, 200)])
def test_all_fields_of_a_head_together(limit: int, status: int) -> None:
    fields = [f"X-{n}: {'v' * 500}" for n in range(5)]
    with serving(says(), limit_request_head=limit) as server:
        assert server.request(get("/", *fields)).status == status


@pytest.mark.parametrize(("limit", "status"), [(256, 400), (1000, 200)])
def test_extensions_of_a_chunk(limit: int, status: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"2;a=" + b"v" * 500 + b"\r\nhi\r\n0\r\n\r\n"
    with serving(reads, validate=False, chunk_extension_limit=limit) as server:
        assert server.request(head + body).status == status


def test_paths_that_go_first_have_places_kept_for_them() -> None:
    def parks(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        from celadon import sleep

        if environ["PATH_INFO"] == "/park":
            sleep(600)
        start_response("200 OK", OK)
        return [b"ok"]

    settings: dict[str, Any] = {"max_concurrent_requests": 2, "queue_depth": 0}
    settings["priority_paths"] = ["/health"]
    with serving(parks, **settings) as server:
        with server.client() as one, server.client() as two:
            for client in (one, two):
                client.send(get("/park"))
            server.wait_for(lambda s: s["in_flight"] == 2)
            assert server.request(get("/")).status == 503
            assert server.request(get("/health")).status == 200


@pytest.mark.parametrize(
    ("headers", "scheme"), [({"X-SCHEME": "secure"}, "https"), (None, "http")]
)
def test_headers_that_mean_https(headers: dict[str, str] | None, scheme: str) -> None:
    settings = {} if headers is None else {"secure_scheme_headers": headers}
    with serving(says("wsgi.url_scheme"), **settings) as server:
        assert json.loads(server.request(get("/", "X-Scheme: secure")).body) == [scheme]


@pytest.mark.parametrize(("names", "value"), [(["REMOTE_USER"], "jo"), ([], None)])
def test_names_with_underscores_that_a_proxy_may_send(
    names: list[str], value: str | None
) -> None:
    app = says("HTTP_REMOTE_USER")
    with serving(app, forwarder_headers=names) as server:
        assert json.loads(server.request(get("/", "Remote_User: jo")).body) == [value]


@pytest.mark.parametrize("is_on", [True, False])
def test_trace_ids_are_made_unless_told_otherwise(is_on: bool) -> None:
    def names(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", OK)
        return [str(environ["celadon.request"].trace_id).encode()]

    with serving(names, trace_context=is_on) as server:
        assert (len(server.request(get("/")).body) == 32) == is_on


# --- of workers ---


def children(server: Command) -> set[int]:
    pid = server.process.pid
    return {*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())}


WORKER = """
import gc, json, sys
from celadon.patch import dns
offload = sys.modules["celadon.green.offload"]

def app(environ, start_response):
    told = {
        "offload_threads": offload._pool.threads,
        "dns_ttl": dns.lookups.ttl,
        "frozen": gc.get_freeze_count() > 0,
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]
"""


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        (("--offload-threads", "3"), "offload_threads", 3),
        (("--dns-ttl", "20"), "dns_ttl", 20.0),
        (("--dns-ttl", "100"), "dns_ttl", 30.0),  # the most
        ((), "frozen", True),
        (("--no-gc-freeze",), "frozen", False),
    ],
)
def test_a_worker_is_set_up(
    tmp_path: Path, options: tuple[str, ...], name: str, value: object
) -> None:
    (tmp_path / "told_app.py").write_text(WORKER)
    with Command("told_app:app", *options, cwd=tmp_path) as server:
        assert json.loads(server.request(get("/")).body)[name] == value


@pytest.mark.parametrize("surge", [1, 2])
def test_a_reload_starts_so_many_at_a_time(site: Site, surge: int) -> None:
    with site.serve("--workers", "2", "--reload-surge", str(surge)) as server:
        old = wait_ready(server, 2)
        before = children(server)
        (site.folder / "site_app.py").write_text(
            "import os, time\nwhile not os.path.exists('go'): time.sleep(0.005)\n"
            + (site.folder / "site_app.py").read_text()
        )
        server.signal(signal.SIGHUP)
        new = wait_until(lambda: (p := children(server) - before, len(p) == surge))
        site.go()
        # Nobody else was there while those could not start.
        assert set(renewed(server, old)) >= new


def test_pauses_between_workers_have_a_limit(site: Site) -> None:
    options = ("--respawn-backoff", "600", "--respawn-backoff-max", "0.05")
    with site.serve(*options) as server:
        for _ in range(4):  # there is a pause behind the third
            wait_ready(server, 1)
            with server.client() as client:
                client.send(get("/exit"))
                assert client.read_to_end() == b""
            server.wait_line("exited with status 9")
        wait_ready(server, 1)


@pytest.mark.slow("memory is looked at three times, 5 s apart")
def test_a_worker_that_grows_is_replaced_first(tmp_path: Path) -> None:
    (tmp_path / "grows_app.py").write_text(
        """
kept = []
def app(environ, start_response):
    if environ["PATH_INFO"] == "/grow": kept.append(bytearray(b"x") * 150_000_000)
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""
    )
    with Command("grows_app:app", "--worker-max-rss", "120M", cwd=tmp_path) as server:
        (worker,) = wait_ready(server, 1)
        assert server.request(get("/grow")).status == 200
        server.wait_line(rf"worker {worker} is at \d+ MiB of memory")
        wait_until(lambda: (None, gone(worker)))
        assert server.request(get("/nothing")).status == 200
