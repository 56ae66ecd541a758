"""Nothing is kept: not over 100,000 requests of every kind, not after a burst."""

from __future__ import annotations

import json
import random
import resource
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import raw
from tests.support.servers import Command, wait_until

MIXED = "tests.apps.mixed:app"
TOTAL = 100_000
CHUNKED = (
    b"POST /read HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n"
)
# Requests that keep their connection, with their weights.
KEPT = [
    (40, raw.get("/hello", "Cookie: a=b", "Accept: text/plain")),
    (8, raw.get("/hello?q=1", "X-One: 1", "X-One: 2")),
    (8, raw.post("/read", b"b" * 3000)),
    (4, CHUNKED),
    (8, raw.get("/stream")),
    (4, raw.get("/write")),
    (4, raw.get("/fail")),
    (4, raw.get("/file")),
    (6, raw.get("/sleep")),
    (4, raw.get("/lock")),
    (1, raw.get("/timeout")),
    (2, raw.get("/spawn")),
    (3, raw.get("/cycle")),
    (2, b"HEAD /hello HTTP/1.1\r\nHost: h\r\nX-Method: HEAD\r\n\r\n"),
]
# And those that end it.
ENDING = [
    raw.get("/late"),
    b"GET / HTTP/1.1\r\nHost: h\r\nBad Name: 1\r\n\r\n",
    raw.post("/unread", b"u" * 200_000),
    b"POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf",
    raw.get("/park"),
    b"GET / HTT",
]
BATCH = 50


@pytest.fixture
def server() -> Iterator[Command]:
    with Command(
        MIXED,
        *("--worker-connections", "12000"),
        *("--cancel-on-disconnect", "GET", "--linger-timeout", "1"),
    ) as command:
        yield command


def resident(server: Command) -> int:
    """Bytes, read from outside: what the server allocates to answer could pin an arena."""
    pages = Path(f"/proc/{server.worker}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def held(server: Command) -> dict[str, int]:
    found: dict[str, int] = json.loads(server.request(raw.get("/held")).body)
    return found | {"resident": resident(server)}


def batch(server: Command, choose: random.Random) -> None:
    """Requests on one connection, pipelined, and one that breaks or is broken off."""
    weights = [weight for weight, _ in KEPT]
    wanted = choose.choices([data for _, data in KEPT], weights, k=BATCH - 1)
    with server.client() as client:
        # In pieces that fit any socket buffer, so that neither side waits for ever.
        for at in range(0, len(wanted), 10):
            part = wanted[at : at + 10]
            client.send(b"".join(part))
            for data in part:
                answer = client.response(head_only=data.startswith(b"HEAD"))
                assert answer.status == (500 if b"/fail" in data else 200)
        client.send_pieces([choose.choice(ENDING)])
        if choose.random() < 0.5:  # a reset instead of a FIN
            client.sock.setsockopt(
                raw.socket.SOL_SOCKET, raw.socket.SO_LINGER, struct.pack("ii", 1, 0)
            )


def run(server: Command, count: int, choose: random.Random) -> dict[str, int]:
    for _ in range(count // BATCH):
        batch(server, choose)
    wait_until(lambda: (None, held(server)["descriptors"] <= DESCRIPTORS_AT_REST))
    return held(server)


DESCRIPTORS_AT_REST = 104  # 64 of them lead to the workers that there may be


@pytest.mark.slow("a hundred thousand requests")
def test_100000_requests_of_every_kind_leave_nothing(server: Command) -> None:
    choose = random.Random(20261124)
    first = run(server, TOTAL // 5, choose)
    last = run(server, TOTAL * 4 // 5, choose)
    growth = {name: last[name] - first[name] for name in first}
    assert growth["descriptors"] <= 0
    # Runners come and go with how requests happened to overlap; those that were used keep
    # their locals and their entry among the threads.
    assert growth["greenlets"] <= 10
    assert growth["threads"] <= 10
    assert abs(growth["shared"]) <= 10
    assert growth["objects"] <= 500
    assert growth["none"] <= 500
    assert growth["resident"] <= 2 << 20, growth


def park(server: Command, count: int) -> int:
    """Parks that many requests at once, lets them go, and returns what they had taken."""
    clients = [server.client() for _ in range(count)]
    for client in clients:
        client.send(raw.get("/park"))
    wait_until(
        lambda: (None, int(server.request(raw.get("/parked")).body) >= count), limit=120
    )
    peak = resident(server)
    assert server.request(raw.get("/open")).status == 200
    for client in clients:
        assert client.response().status == 200
        client.close()
    assert server.request(raw.get("/close")).status == 200
    return peak


@pytest.mark.slow("idle runners are retired half a minute after a burst")
def test_memory_is_back_within_60_seconds_of_10000_parked_requests(
    server: Command,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        run(server, 2000, random.Random(1))
        park(server, 100)
        greenlets = held(server)["greenlets"]
        base = resident(server)
        count = min(10_000, hard - 1000)
        peak = park(server, count)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert peak > base + count * 4096
    # One in fifty bytes may lie in pages of what is still used.
    most = base * 1.1 + (peak - base) * 0.02
    wait_until(lambda: ((now := resident(server), base, peak), now <= most), limit=60)
    assert held(server)["greenlets"] <= greenlets


NAMES = """
async def asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]
"""


@pytest.mark.parametrize("app", ["asgi", "wsgi"])
def test_names_of_fields_that_peers_invent_are_not_kept(
    tmp_path: Path, app: str
) -> None:
    """As many as are remembered, were they short; and requests go on to come."""
    (tmp_path / "names.py").write_text(NAMES)

    def ask(server: Command, unlike: bool) -> None:
        with server.client() as client:
            for number in range(60):
                mark = number if unlike else 0
                names = (f"x{mark}-{n}-{'n' * 7500}: 1" for n in range(8))
                client.send(raw.get("/", *names))
                assert client.response().status == 200

    with Command(f"names:{app}", cwd=tmp_path) as server:
        ask(server, unlike=False)
        before = resident(server)
        ask(server, unlike=True)
        # Twice 3.6 MB, once as they came and once as objects.
        assert resident(server) - before < 2 << 20
