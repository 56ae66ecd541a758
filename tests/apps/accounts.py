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
MONGO = int(os.environ.get("MONGO_PORT", "0"))
MONGO_FILE = os.environ.get("MONGO_FILE", "")
WAIT = float(os.environ.get("ACCOUNTS_WAIT", "0.05"))  # seconds
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


def pymongo(seconds: float) -> None:
    import sqlite3

    import pymongo as driver

    holder = sqlite3.connect(MONGO_FILE, isolation_level=None)
    with driver.MongoClient[Any]("127.0.0.1", MONGO) as client:
        client.admin.command("ping")
        holder.execute("BEGIN IMMEDIATE")  # what the server waits for
        green.spawn_later(seconds, holder.execute, "ROLLBACK")
        client.celadon.notes.insert_one({})
    holder.close()


def sqlalchemy(seconds: float) -> None:
    from sqlalchemy import create_engine, text

    url = f"postgresql+psycopg://celadon@127.0.0.1:{POSTGRES}/celadon"
    engine = create_engine(url, pool_size=1, max_overflow=0)
    with engine.connect() as conn:
        conn.execute(text(f"SELECT pg_sleep({seconds})"))
    engine.dispose()


def django(seconds: float) -> None:
    from django.conf import settings
    from django.db import connection

    if not settings.configured:
        where = {"HOST": "127.0.0.1", "PORT": POSTGRES}
        engine = {"ENGINE": "django.db.backends.postgresql", "NAME": "celadon"}
        settings.configure(
            DATABASES={"default": {**engine, **where, "USER": "celadon"}}
        )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_sleep({seconds})")
    connection.close()


def sqlite3(seconds: float) -> None:
    import sqlite3 as driver
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        holder = driver.connect(file.name, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        waiter = driver.connect(file.name, timeout=seconds)
        try:
            waiter.execute("CREATE TABLE t (x)")
        except driver.OperationalError:
            pass  # it was locked all the time
        waiter.close()
        holder.close()


def asyncpg(seconds: float) -> None:
    import asyncio

    import asyncpg as driver

    async def ask() -> None:
        conn = await driver.connect(
            host="127.0.0.1", port=int(POSTGRES), user="celadon", database="celadon"
        )
        await conn.execute(f"SELECT pg_sleep({seconds})")
        await conn.close()

    asyncio.run(ask())


def requests(seconds: float) -> None:
    import requests as driver

    driver.get(f"{_own_address}/sleep", timeout=10)


def urllib3(seconds: float) -> None:
    import urllib3 as driver

    driver.request("GET", f"{_own_address}/sleep")


def httpx(seconds: float) -> None:
    import httpx as driver

    driver.get(f"{_own_address}/sleep")


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
        *(psycopg2, psycopg, pg8000, pymysql, mysqlclient, redis, pymongo),
        *(sqlalchemy, django, sqlite3, asyncpg, requests, urllib3, httpx),
        *(sleep, lock, thread, running),
    )
}

_own_address = ""


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
    global _own_address
    _own_address = f"http://127.0.0.1:{environ['SERVER_PORT']}"
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
