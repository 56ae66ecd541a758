"""Run by test_stalled_network.py in a network namespace of its own: databases behind a
network that loses everything for a while."""

from __future__ import annotations

import subprocess

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green
from tests.support.services import mariadb, postgres, redis

# How each connects, what it asks, and what its errors are.
DRIVERS = {
    "psycopg2": (
        "import psycopg2 as driver\ndef connect(): return driver.connect(POSTGRES)\n",
        "(driver.Error,)",
    ),
    "psycopg": (
        "import psycopg as driver\ndef connect(): return driver.connect(POSTGRES)\n",
        "(driver.Error,)",
    ),
    "pymysql": (
        "import pymysql as driver\n"
        "def connect(): return driver.connect(host='127.0.0.1', port=MARIADB,"
        " user='celadon', database='celadon')\n",
        "(driver.Error, OSError)",
    ),
}
ASK = """
def ask(conn, n):
    cursor = conn.cursor(); cursor.execute(f"SELECT {n}")
    return cursor.fetchone()[0]
"""
STALL = """
import contextlib, logging, subprocess
logging.disable()
import celadon.pools.opening as opening
opening._FIRST_PAUSE = 0.02
from celadon.pools import ConnectionPool, check_connection
def network(state): subprocess.run(["ip", "link", "set", "lo", state], check=True)
@contextlib.contextmanager
def stall():
    network("down")
    try: yield
    finally: network("up")
def in_time(use, n):
    try:
        with celadon.deadline(1): use(n)
    except BaseException as error: return error
    raise AssertionError("answered over a network that is down")
"""
DATABASE = """
pool = ConnectionPool(connect, min_size=4, max_size=4, timeout=TIMEOUT, check=check_connection,
                      check_bypass=0, connect_timeout=20)
def use(n):
    with pool.connection() as conn: return ask(conn, n)
assert [green.spawn(use, n).get() for n in range(8)] == list(range(8))
alone = connect()
with stall():
    # In a query, in the queue of the pool, and while connecting.
    tasks = [green.spawn(in_time, use, n) for n in range(8)]
    tasks.append(green.spawn(in_time, lambda n: ask(alone, n), 1))
    tasks.append(green.spawn(in_time, lambda n: connect(), 1))
    ticks = 0
    while not all(task.ready() for task in tasks):
        ticks += 1
        green.sleep(0.01)
    assert ticks >= 2, ticks  # the loop turned while all of them waited
    for task in tasks:
        # psycopg tries to cancel for 5 s, and waits for the end of the query as long.
        error = task.get()
        assert isinstance(error, (celadon.RequestTimeout, TimeoutError, *ERRORS)), repr(error)
tasks = [green.spawn(use, n) for n in range(40)]
assert [task.get(timeout=TIMEOUT) for task in tasks] == list(range(40))
while pool.stats().in_use: green.sleep(0.001)  # the last one is being reset
assert pool.stats().size <= 4, pool.stats()
pool.close()
"""
REDIS = """
import redis
client = redis.Redis(port=REDIS, max_connections=20)
client.set("name", "seven")
with stall():
    tasks = [green.spawn(in_time, lambda n: client.get("name"), n) for n in range(8)]
    for task in tasks:
        error = task.get()
        assert isinstance(error, (celadon.RequestTimeout, redis.RedisError)), repr(error)
tasks = [green.spawn(client.get, "name") for n in range(15)]
assert [task.get(timeout=TIMEOUT) for task in tasks] == [b"seven"] * 15
"""


def main() -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with (
        postgres() as (postgres_port, _),
        mariadb() as (mariadb_port, _),
        redis() as redis_port,
    ):
        names = (
            f"POSTGRES = 'host=127.0.0.1 port={postgres_port} user=celadon"
            f" dbname=celadon'\nMARIADB = {mariadb_port}\nREDIS = {redis_port}\n"
        )
        for connect, errors in DRIVERS.values():
            run_green(
                names + connect + f"ERRORS = {errors}\n" + DATABASE,
                prelude=SOCKETS + STALL + ASK,
                malloc="default",
            )
        run_green(names + REDIS, prelude=SOCKETS + STALL, malloc="default")
    print("healed")


if __name__ == "__main__":
    main()
