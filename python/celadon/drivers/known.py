"""What is known of libraries that wait: which are cooperative, and what to do of others."""

from __future__ import annotations

from dataclasses import dataclass

COOPERATIVE, OFFLOADED, BLOCKS = "cooperative", "offloaded", "blocks"


@dataclass(frozen=True)
class Library:
    """A library by its module; `kind` is one of the words above."""

    module: str
    kind: str
    how: str
    adapter: str = ""  # the module whose import is adapted, if any


_BY_SOCKETS = "written in Python over sockets, which wait for their greenlet alone"
_PROXY = "adapted: calls that wait run on native threads"
_ASYNCIO = "waits in its task, in a view by celadon.aio.wait(...)"

LIBRARIES = (
    Library("psycopg", COOPERATIVE, "adapted: its generators wait here", "psycopg"),
    Library(
        "psycopg_pool",
        COOPERATIVE,
        "adapted: a killed request leaves the queue",
        "psycopg_pool",
    ),
    Library(
        "psycopg2",
        COOPERATIVE,
        "adapted by libpq's wait callback; COPY and large objects run on a native thread",
        "psycopg2",
    ),
    Library("pymysql", COOPERATIVE, _BY_SOCKETS, "pymysql.connections"),
    Library("pg8000", COOPERATIVE, _BY_SOCKETS, "pg8000.core"),
    Library(
        "MySQLdb",
        OFFLOADED,
        "mysqlclient: calls that wait run on native threads (offload_threads)",
        "MySQLdb.connections",
    ),
    Library(
        "sqlite3",
        COOPERATIVE,
        "a locked database is waited for; reading and writing files is not waiting",
        "sqlite3",
    ),
    Library(
        "sqlalchemy",
        COOPERATIVE,
        "waits by its driver; pool_size is the limit worth setting, with max_overflow=0",
        "sqlalchemy",
    ),
    Library(
        "django.db",
        COOPERATIVE,
        "waits by its driver; with CONN_MAX_AGE idle connections make room (db_connections)",
        "django.db.backends.base.base",
    ),
    Library("redis", COOPERATIVE, _BY_SOCKETS),
    Library("pymongo", COOPERATIVE, _BY_SOCKETS),
    Library("kombu", COOPERATIVE, _BY_SOCKETS),
    Library("celery", COOPERATIVE, "who sends tasks waits by kombu"),
    Library("pika", COOPERATIVE, _BY_SOCKETS),
    Library("paho.mqtt", COOPERATIVE, _BY_SOCKETS),
    Library("pymemcache", COOPERATIVE, _BY_SOCKETS),
    Library("ldap3", COOPERATIVE, _BY_SOCKETS),
    Library("requests", COOPERATIVE, _BY_SOCKETS),
    Library("urllib3", COOPERATIVE, _BY_SOCKETS),
    Library("httpx", COOPERATIVE, _BY_SOCKETS),
    Library("botocore", COOPERATIVE, _BY_SOCKETS),
    Library("elasticsearch", COOPERATIVE, _BY_SOCKETS),
    Library("paramiko", COOPERATIVE, _BY_SOCKETS),
    Library(
        "cassandra",
        COOPERATIVE,
        "its loop has a native thread, which greenlets wait for; tried as far as connecting",
    ),
    Library(
        "oracledb",
        COOPERATIVE,
        "in thin mode, tried as far as connecting; thick mode was not tried",
    ),
    Library(
        "mysql.connector",
        COOPERATIVE,
        "adapted: use_pure is the default; with use_pure=False its calls run on native threads",
        "mysql.connector.pooling",
    ),
    Library("asyncpg", COOPERATIVE, _ASYNCIO, "asyncpg.connection"),
    Library("aiohttp", COOPERATIVE, _ASYNCIO),
    Library(
        "nest_asyncio",
        COOPERATIVE,
        "adapted: a loop that runs goes on while one of its tasks runs something in it",
        "nest_asyncio",
    ),
    Library(
        "grpc",
        COOPERATIVE,
        "adapted: its threads are native, and a greenlet waits for their answer",
        "grpc._channel",
    ),
    Library("duckdb", OFFLOADED, _PROXY, "duckdb"),
    Library("ldap", OFFLOADED, _PROXY, "ldap.ldapobject"),
    Library("pylibmc", OFFLOADED, _PROXY, "pylibmc.client"),
    Library("pymssql", OFFLOADED, _PROXY, "pymssql._pymssql"),
    Library("pyodbc", OFFLOADED, _PROXY, "pyodbc"),
    Library("confluent_kafka", OFFLOADED, _PROXY, "confluent_kafka.cimpl"),
    Library(
        "OpenSSL.SSL", COOPERATIVE, "adapted: pyOpenSSL never waits in C", "OpenSSL.SSL"
    ),
    Library("zmq", COOPERATIVE, "adapted: waits by its sockets' descriptors", "zmq"),
    Library(
        "simple_websocket",
        COOPERATIVE,
        "on the socket of its request: Flask-Sock, and Flask-SocketIO with "
        'async_mode="threading"',
    ),
    Library(
        "geventwebsocket",
        COOPERATIVE,
        'adapted: environ["wsgi.websocket"] is the server\'s own, without `handler` and '
        "`send_frame`",
        "geventwebsocket.resource",
    ),
    Library(
        "flask_sockets",
        COOPERATIVE,
        "on the server's own WebSockets; since Werkzeug 1.0 its rules match none, whatever "
        "the server, unless they say websocket=True",
    ),
    Library(
        "uvloop", BLOCKS, "its loop waits in C: run it in celadon.green.native_thread"
    ),
    Library(
        "gevent",
        BLOCKS,
        "monkey.patch_all() does nothing here and may stay; gevent.spawn, sleep and pools "
        "are refused: use celadon.green",
    ),
    Library("eventlet", BLOCKS, "has a loop of its own: use celadon.green"),
)
