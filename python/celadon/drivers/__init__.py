"""Database drivers: adapted when they are imported, unchanged in the application.

Those that wait in C are made cooperative, and all share the budget of connections. Other
drivers in pure Python over sockets (redis-py, pymongo ...) need nothing but that their
waits are counted as a database's. An adapter
whose driver has changed beyond recognition says so once and leaves the driver as it is.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from celadon.logging import logger
from celadon.patch.imports import when_imported

# The module whose import calls for an adapter, and the module here that has it.
_ADAPTERS = {
    "psycopg2": "psycopg2",
    "psycopg": "psycopg",
    "asyncpg.connection": "asyncpg",
    "psycopg_pool": "psycopg_pool",
    "sqlite3": "sqlite3",
    "pymysql.connections": "pymysql",
    "pg8000.core": "pg8000",
    "MySQLdb.connections": "mysqlclient",
    "anyio._backends._asyncio": "anyio",
    "asgiref.local": "asgiref",
    "django.db.backends.base.base": "django",
    "sqlalchemy": "sqlalchemy",
    "sqlalchemy.ext.asyncio": "sqlalchemy_asyncio",
    "redis.connection": "redis",
    "pymongo.network_layer": "pymongo",
    "grpc._channel": "grpc",
    "mysql.connector.pooling": "mysqlconnector",
    "zmq": "zmq",
    "OpenSSL.SSL": "openssl",
    "nest_asyncio": "nest_asyncio",
    "geventwebsocket.exceptions": "geventwebsocket",
    "geventwebsocket.resource": "geventwebsocket",
    # By the table of `proxied`.
    "duckdb": "proxies",
    "pymssql._pymssql": "proxies",
    "confluent_kafka.cimpl": "proxies",
    "pyodbc": "proxies",
    "pylibmc.client": "proxies",
    "ldap.ldapobject": "proxies",
    "_mysql_connector": "proxies",
}

_problems: dict[str, str] = {}


def problems() -> dict[str, str]:
    """Why a driver could not be adapted, by the module of `_ADAPTERS`."""
    return dict(_problems)


def install() -> None:
    """Adapts what the application imports from now on, and what it has imported."""
    for driver, adapter in _ADAPTERS.items():
        when_imported(driver, lambda module, name=adapter: _adapt(module, name))  # type: ignore[misc]


def _adapt(driver: ModuleType, adapter: str) -> None:
    try:
        importlib.import_module(f"celadon.drivers.{adapter}").adapt(driver)
    except Exception as error:
        _problems[driver.__name__] = str(error)
        version = getattr(driver, "__version__", "of unknown version")
        logger.warning(
            "%s %s is not known to celadon and blocks the worker: %s",
            driver.__name__,
            version,
            error,
        )
