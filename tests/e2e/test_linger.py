"""Clients that are refused while they still send read why (C05), within bounds."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support import raw
from tests.support.machine import program
from tests.support.metrics import value
from tests.support.raw import TIMEOUT, Client
from tests.support.servers import Command, serving, wait_until

SIZE = 20_000_000
TRIES = 50
PIECE = 1_000_000
OPTIONS = ("--workers", "2", "--access-logfile", os.devnull)
TOO_LARGE = ("--limit-request-body", "1000000")

Upload = Callable[[int, bool], list[str]]


def by_python(port: int, slow: bool) -> list[str]:
    """http.client as people write it."""
    with ThreadPoolExecutor(10) as pool:
        return list(pool.map(lambda _: _upload(port, slow), range(TRIES)))


def _upload(port: int, slow: bool) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        length = {"Content-Length": str(SIZE)}
        connection.request("POST", "/", body=_pieces(slow), headers=length)
        return str(connection.getresponse().status)
    except OSError as error:
        return repr(error)
    finally:
        connection.close()


def _pieces(slow: bool) -> Iterator[bytes]:
    for _ in range(SIZE // PIECE):
        yield bytes(PIECE)
        if slow:
            time.sleep(0.005)  # that is what a slow sender does


@pytest.fixture(scope="module")
def by_go(tmp_path_factory: pytest.TempPathFactory) -> Upload:
    """net/http as people write it."""
    go = program("go", "golang-go")
    uploads = tmp_path_factory.mktemp("go") / "uploads"
    source = Path(__file__).parent / "uploads/main.go"
    # Of this checkout: Go's own library is compiled once, which takes a minute.
    cache = {"GOCACHE": str(Path(sys.prefix) / "cache/go"), "GO111MODULE": "off"}
    subprocess.run(
        [go, "build", "-o", uploads, source], check=True, env={**os.environ, **cache}
    )

    def upload(port: int, slow: bool) -> list[str]:
        url, pause = f"http://127.0.0.1:{port}/", "200" if slow else "0"
        command = [uploads, url, str(TRIES), str(SIZE), pause]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    return upload


@pytest.mark.parametrize("slow", [False, True], ids=["fast", "slow"])
@pytest.mark.parametrize(("options", "status"), [((), "401"), (TOO_LARGE, "413")])
@pytest.mark.row("C05", "CE01")
def test_python_reads_why_it_is_refused(
    options: tuple[str, ...], status: str, slow: bool
) -> None:
    with Command("tests.apps.refusing:app", *OPTIONS, *options) as server:
        assert by_python(server.port, slow) == [status] * TRIES


@pytest.mark.slow("Go compiles its own library before the first")
@pytest.mark.parametrize("slow", [False, True], ids=["fast", "slow"])
@pytest.mark.parametrize(("options", "status"), [((), "401"), (TOO_LARGE, "413")])
@pytest.mark.row("C05", "CE01")
def test_go_reads_why_it_is_refused(
    by_go: Upload, options: tuple[str, ...], status: str, slow: bool
) -> None:
    with Command("tests.apps.refusing:app", *OPTIONS, *options) as server:
        assert by_go(server.port, slow) == [status] * TRIES


def refuse(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("401 Unauthorized", [("Content-Type", "text/plain")])
    return [b"who are you?"]


class Endless:
    """Sends a body without an end, reads its answer, and never closes."""

    def __init__(self, client: Client, piece: int, pause: float) -> None:
        self._client, self._piece, self._pause = client, bytes(piece), pause
        self._stopped = threading.Event()
        self.sent = 0
        self._thread = threading.Thread(target=self._send)

    def _send(self) -> None:
        try:
            while not self._stopped.wait(self._pause):
                self._client.send(self._piece)
                self.sent += len(self._piece)
        except OSError:
            return

    def __enter__(self) -> Endless:
        self._client.send(raw.get("/", f"Content-Length: {10**12}", method="POST"))
        self._thread.start()
        assert self._client.response().status == 401
        assert self._client.at_end()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stopped.set()
        self._thread.join()


@pytest.mark.row("CE02")
def test_c05_linger_is_bounded_in_all() -> None:
    """However long the client goes on."""
    settings = {"linger_timeout": 60, "linger_total_timeout": 0.2}
    with serving(refuse, limit_request_body=0, **settings) as server:
        with server.client() as client, Endless(client, 10, 0.005):
            server.wait_for(lambda s: s["connections"] == 0)


@pytest.mark.row("CE02")
def test_c05_linger_is_bounded_in_bytes() -> None:
    """However fast it goes on."""
    most = 5_000_000
    bounds = ("--linger-timeout", "60", "--linger-total-timeout", "0")
    with Command(
        "tests.apps.refusing:app",
        *(*bounds, "--linger-bytes", str(most), "--limit-request-body", "0"),
        *("--admin-bind", "127.0.0.1:0"),
    ) as server:
        with server.client() as client, Endless(client, 100_000, 0) as endless:
            wait_until(lambda: (None, value(server, "celadon_connections") == 0))
            taken = value(server, "celadon_received_bytes_total")
        # It may have read some of it before it answered.
        assert most < taken < most + 1_000_000
        assert endless.sent > most - 1_000_000
