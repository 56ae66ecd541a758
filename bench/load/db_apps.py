"""Applications over PostgreSQL and Redis, the same code on every server.

`app` has a path for each driver; 16 connections are shared through a queue. `flask_app`
goes through SQLAlchemy, `asgi` through psycopg's asynchronous pool. BENCH_POSTGRES and
BENCH_REDIS say where the databases are.
"""

import functools
import os
import queue
import sys
import threading

CONNECTIONS = 16
QUERY = "SELECT id, name FROM people WHERE id = 7"
_TEXT = [("Content-Type", "text/plain")]
POSTGRES = os.environ.get("BENCH_POSTGRES", "")
REDIS = os.environ.get("BENCH_REDIS", "")


def _wait_by_gevent():
    """What psycogreen does: psycopg2 waits for libpq by gevent."""
    from gevent.socket import wait_read, wait_write
    from psycopg2 import OperationalError, extensions

    def wait(conn):
        while True:
            state = conn.poll()
            if state == extensions.POLL_OK:
                return
            if state == extensions.POLL_READ:
                wait_read(conn.fileno())
            elif state == extensions.POLL_WRITE:
                wait_write(conn.fileno())
            else:
                raise OperationalError(state)

    extensions.set_wait_callback(wait)


def _is_gevent():
    monkey = sys.modules.get("gevent.monkey")
    return bool(
        monkey and monkey.is_module_patched("socket") and "celadon" not in sys.modules
    )


_once = threading.Lock()
_made = {}


def once(make):
    """`functools.cache`, for one caller at a time."""

    @functools.wraps(make)
    def get(*args):
        if (make, args) not in _made:
            with _once:
                if (make, args) not in _made:
                    _made[make, args] = make(*args)
        return _made[make, args]

    return get


@once
def _pool(driver):
    connections = queue.LifoQueue()
    module = __import__(driver)
    if driver == "psycopg2" and _is_gevent():
        _wait_by_gevent()
    for _ in range(CONNECTIONS):
        conn = module.connect(POSTGRES)
        conn.autocommit = True
        connections.put(conn)
    return connections


@once
def _redis():
    import redis

    return redis.Redis.from_url(REDIS, max_connections=256)


def _row(driver):
    pool = _pool(driver)
    conn = pool.get()
    try:
        with conn.cursor() as cursor:
            cursor.execute(QUERY)
            return cursor.fetchone()[1]
    finally:
        pool.put(conn)


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/redis":
        body = _redis().get("name")
    elif path == "/":
        body = b"Hello, world!\n"
    else:
        body = _row(path[1:]).encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]


_async_pool = None


async def asgi(scope, receive, send):
    global _async_pool
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if _async_pool is None:
        from psycopg_pool import AsyncConnectionPool

        _async_pool = AsyncConnectionPool(
            POSTGRES,
            min_size=CONNECTIONS,
            max_size=CONNECTIONS,
            open=False,
            kwargs={"autocommit": True},
        )
        await _async_pool.open()
    async with _async_pool.connection() as conn:
        row = await (await conn.execute(QUERY)).fetchone()
    body = row[1].encode()
    length = (b"content-length", str(len(body)).encode())
    head = [(b"content-type", b"text/plain"), length]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


@once
def _engine():
    import sqlalchemy

    if _is_gevent():
        _wait_by_gevent()
    return sqlalchemy.create_engine(
        "postgresql+psycopg2://",
        creator=lambda: __import__("psycopg2").connect(POSTGRES),
        pool_size=CONNECTIONS,
        max_overflow=0,
    )


def _make_flask():
    import flask
    import sqlalchemy

    made = flask.Flask(__name__)
    people = sqlalchemy.table(
        "people", sqlalchemy.column("id"), sqlalchemy.column("name")
    )

    @made.get("/sqlalchemy")
    def row():
        query = sqlalchemy.select(people.c.name).where(people.c.id == 7)
        with _engine().connect() as conn:
            return conn.execute(query).scalar_one()

    return made


flask_app = _make_flask() if POSTGRES else None
