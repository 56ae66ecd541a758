"""Hints with numbers, each said once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.load import FOREVER, Load
from tests.support.servers import Command
from tests.support.services import Services

APP = """
import os, time
from types import SimpleNamespace
from celadon.pools import ConnectionPool
pool = ConnectionPool(
    lambda: SimpleNamespace(close=int), name="small", max_size=2, reset=None)

client = None
def ask_redis():
    import redis
    global client
    client = client or redis.Redis(port=int(os.environ["REDIS_PORT"]))
    client.blpop(["nothing"], timeout=0.2)  # far more than all else, on any machine

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/pool":
        with pool.connection():
            time.sleep(0.01)
    if path == "/sleep": time.sleep(0.05)
    if path == "/redis": ask_redis()
    start_response("200 OK", [("Content-Length", "3")])
    return [b"1 1"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hinted.py").write_text(APP)
    return tmp_path


def said(server: Command, text: str) -> int:
    return sum(text in line for line in server.lines)


def test_a_pool_that_is_too_small(folder: Path) -> None:
    with Command("hinted:app", cwd=folder) as server:
        with Load(server, *[FOREVER] * 12, path="/pool") as load:
            server.wait_line(
                r"hint: pool small is the bottleneck: its last 100 users waited \d+ ms "
                r"for a connection and kept it for \d+ ms; all 2 are in use and \d+ wait"
            )
            load.wait_for_more(300)
        assert said(server, "is the bottleneck") == 1


def test_requests_that_queue_while_the_loop_is_idle(folder: Path) -> None:
    with Command("hinted:app", "--max-concurrent-requests", "2", cwd=folder) as server:
        with Load(server, *[FOREVER] * 12, path="/sleep"):
            server.wait_line(
                r"hint: requests waited \d+ ms for their turn while the loop had nothing "
                r"to do for \d+ % of the time: raise max_concurrent_requests \(now 2\)"
            )
        assert said(server, "spent") == 0


def test_r11_what_waits_before_us_is_no_matter_of_our_limit(
    folder: Path, services: Services
) -> None:
    """A proxy says so, or its clock is another. Both hints are judged at once."""
    env = {"REDIS_PORT": str(services.redis_port)}
    began = f"X-Request-Start: t={time.time() - 1:.3f}"
    options = ("--max-concurrent-requests", "100")
    with Command("hinted:app", *options, cwd=folder, env=env) as server:
        with Load(server, *[FOREVER] * 12, path="/redis", fields=began):
            server.wait_line(r"hint: requests spent \d+ % of their time waiting for ")
        assert said(server, "for their turn") == 0


def test_a_peer_that_all_wait_for(folder: Path, services: Services) -> None:
    env = {"REDIS_PORT": str(services.redis_port)}
    with Command("hinted:app", cwd=folder, env=env) as server:
        with Load(server, *[FOREVER] * 12, path="/redis"):
            server.wait_line(
                r"hint: requests spent \d+ % of their time waiting for "
                rf"(127\.0\.0\.1|\[::1\]):{services.redis_port} \(db\), \d+ ms each"
            )
