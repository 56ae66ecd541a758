"""Views that wait in one way each, and tell where the time went."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from celadon import green

POSTGRES = os.environ.get("POSTGRES_PORT", "0")
MARIADB = int(os.environ.get("MARIADB_PORT", "0"))
REDIS = int(os.environ.get("REDIS_PORT", "0"))
WAIT = 0.05  # seconds
SLICE = 0.03


def psycopg2(seconds: float) -> None:
    import psycopg2 as driver

    conn = driver.connect(
        host="127.0.0.1", port=POSTGRES, user="celadon", dbname="celadon"
    )
    conn.cursor().execute(f"SELECT pg_sleep({seconds})")
    conn.close()


def psycopg(seconds: float) -> None:
    import psycopg as driver

    with driver.connect(
        f"host=127.0.0.1 port={POSTGRES} user=celadon dbname=celadon"
    ) as conn:
        conn.execute(f"SELECT pg_sleep({seconds})")


def pg8000(seconds: float) -> None:
    from pg8000 import dbapi

    conn = dbapi.connect("celadon", "127.0.0.1", "celadon", int(POSTGRES))
    conn.cursor().execute(f"SELECT pg_sleep({seconds})")
    conn.close()


def pymysql(seconds: float) -> None:
    import pymysql as driver

    conn = driver.connect(host="127.0.0.1", port=MARIADB, user="celadon")
    conn.cursor().execute(f"SELECT SLEEP({seconds})")
    conn.close()


def mysqlclient(seconds: float) -> None:
    import MySQLdb as driver  # type: ignore[import-untyped]

    conn = driver.connect(host="127.0.0.1", port=MARIADB, user="celadon")
    conn.cursor().execute(f"SELECT SLEEP({seconds})")
    conn.close()


def redis(seconds: float) -> None:
    import redis as driver

    client = driver.Redis(port=REDIS)
    if seconds < WAIT:
        client.ping()  # its own clock for time limits is coarser
    else:
        client.blpop(["nothing"], timeout=seconds)


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def lock(seconds: float) -> None:
    held = threading.Lock()
    held.acquire()
    held.acquire(timeout=seconds)


def thread(seconds: float) -> None:
    import ctypes

    # In C, and so on a native thread.
    green.offload(ctypes.CDLL(None).usleep, int(seconds * 1e6))


def running(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


VIEWS: dict[str, Callable[[float], None]] = {
    each.__name__: each
    for each in (
        *(psycopg2, psycopg, pg8000, pymysql, mysqlclient, redis),
        *(sleep, lock, thread, running),
    )
}

_others: list[Any] = []


def _compute(stop: threading.Event) -> None:
    """Slices of 30 ms, one after the other."""
    while not stop.is_set():
        running(SLICE)
        green.sleep(0)


def _beside(view: Callable[[float], None], seconds: float) -> None:
    """`view` beside another greenlet that computes."""
    view(0.0)  # what it imports, and where it connects to
    stop = threading.Event()
    other = green.spawn(_compute, stop)
    green.sleep(0)
    try:
        view(seconds)
    finally:
        stop.set()
        other.join()


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    info = environ["celadon.request"]
    name, _, how = environ["PATH_INFO"].strip("/").partition("/")
    before: dict[str, float] = {}
    if name in VIEWS and how == "beside":
        VIEWS[name](0.001)
        before = info.timings
        _beside(VIEWS[name], 0.001)
    elif name in VIEWS:
        VIEWS[name](WAIT)
    timings = info.timings
    body = json.dumps(
        {kind: spent - before.get(kind, 0.0) for kind, spent in timings.items()}
    ).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
