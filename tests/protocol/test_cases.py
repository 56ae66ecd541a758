"""Every row of cases.txt against a live server, whole and in pieces, also over TLS.

Refused requests have ``GET /evil`` behind them and must give exactly the answers named;
accepted ones have a request behind them that must still be understood. The numbers among
them know a general number parser, and trimming beyond SP and HTAB.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import cases, raw
from tests.support.certificates import Authority
from tests.support.servers import Running, serving
from tests.support.tls import in_thread

EVIL = raw.get("/evil")
LAST = raw.get("/last", "Connection: close")

# wsgiref.validate has its own idea of these (design §9).
UNVALIDATED = {"RL08", "RL10", "RL12", "CN06"}


class Recorder:
    """Reads the body, answers with the method, and remembers every path."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.paths.append(environ["PATH_INFO"])
        body = environ["wsgi.input"].read(-1)
        head = [
            ("Content-Type", "text/plain"),
            ("X-Method", environ["REQUEST_METHOD"]),
            ("X-Path", environ["RAW_URI"][:100]),
        ]
        start_response("200 OK", head)
        return [b"%d bytes" % len(body)]


@pytest.fixture(scope="module", params=["validated", "bare", "tls"])
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Running, Recorder, str]]:
    app, how = Recorder(), request.param
    if how == "tls":
        with in_thread(Authority(tmp_path_factory.mktemp("tls")), app) as server:
            yield server, app, how
    else:
        with serving(app, validate=how == "validated") as plain:
            yield plain, app, how


def pieces_of(data: bytes, mode: str) -> list[list[bytes]]:
    if mode == "whole":
        return [[data]]
    if mode == "bytes":
        return [[data[i : i + 1] for i in range(len(data))]]
    # Around every line border, where mistakes live.
    edges = {i + d for i, c in enumerate(data) if c in b"\r\n" for d in (0, 1)}
    return [[data[:at], data[at:]] for at in sorted(edges) if 0 < at < len(data)]


@pytest.mark.row("SR10", "T11", "T36")
@pytest.mark.parametrize("mode", ["whole", "bytes", "split"])
@pytest.mark.parametrize("case", cases.load(), ids=lambda c: c.name)
def test_case(
    target: tuple[Running, Recorder, str], case: cases.Case, mode: str
) -> None:
    server, app, how = target
    if how == "validated" and case.id in UNVALIDATED:
        return  # runs bare only: the validator refuses what the row is about
    if how == "tls" and mode == "split":
        return  # a handshake for each cut; those into bytes are cut everywhere
    if mode != "whole" and len(case.data) > 3000:
        # One cut inside and one at the end say as much as thousands.
        plans = [[case.data[:2000], case.data[2000:]], [case.data[:-1], case.data[-1:]]]
    else:
        plans = pieces_of(case.data, mode)
    for pieces in plans:
        app.paths.clear()
        follower = EVIL if case.refused else LAST
        with server.client() as client:
            client.send_pieces([*pieces, follower])
            answers = client.responses()
        statuses = tuple(a.status for a in answers)
        if case.refused:
            assert statuses == case.statuses, pieces
            assert answers[-1].version == "HTTP/1.1"
            assert answers[-1].get("Connection") == "close"
            assert answers[-1].get("Content-Length") == str(len(answers[-1].body))
        else:
            assert statuses == (*case.statuses, 200), pieces
            assert answers[-1].get("X-Path") == "/last"
        assert "/evil" not in app.paths
