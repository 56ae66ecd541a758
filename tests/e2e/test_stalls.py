"""Requests that wait for a lock and will for ever."""

from __future__ import annotations

import pytest

from tests.support import raw
from tests.support.servers import Command

APP = "tests.apps.stuck_locks:app"


@pytest.mark.slow("a wait is looked at after 10 s")
def test_who_waits_for_ever_is_said_with_the_reason() -> None:
    with Command(APP, "--graceful-timeout", "1") as server:
        assert server.request(raw.get("/leave")).body == b"ok"
        clients = []
        for path in ("/x", "/y", "/want", "/hold", "/wait"):
            clients.append(server.client())
            clients[-1].send(raw.get(path))
        server.lines.wait_all(
            r"CRITICAL\] greenlet (\d+) \(GET /x\) waits for a lock for \d+ s and will "
            r"for ever: they wait for each other: greenlet \1 \(GET /x\) -> greenlet "
            r"(\d+) \(GET /y\) -> greenlet \1 \(GET /x\)",
            r"CRITICAL\] greenlet \d+ \(GET /want\) waits for a lock for \d+ s and will "
            "for ever: who took it has ended without a release",
            r"WARNING\] greenlet \d+ \(GET /wait\) waits for a lock for \d+ s, which "
            r"greenlet \d+ \(GET /hold\) holds",
        )
        # Others are served meanwhile.
        assert server.request(raw.get("/")).body == b"ok"
        for client in clients:
            client.close()
