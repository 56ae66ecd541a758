"""The table of libraries that wait in C, and of what of them waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Waiting:
    """A class with methods that wait, those that give an object of another such class, and
    attributes that wait where they are set."""

    name: str
    methods: tuple[str, ...]
    alone: bool = True
    gives: Mapping[str, str] = field(default_factory=dict)
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Library:
    """By the module whose import is waited for: functions that wait, what they give, and
    classes. `calls` wait too, and give nothing that is wrapped. Where it `reads_callers`, it
    looks in the frame that calls for variables by their names."""

    module: str
    classes: tuple[Waiting, ...]
    functions: Mapping[str, str] = field(default_factory=dict)
    calls: tuple[str, ...] = ()
    reads_callers: bool = False


_OF_DUCKDB = (
    *("execute", "executemany", "sql", "query", "from_query", "begin", "commit"),
    *("rollback", "checkpoint", "fetchone", "fetchmany", "fetchall", "fetchnumpy"),
    *("fetchdf", "fetch_df", "df", "table", "fetch_df_chunk", "fetch_arrow_table"),
    *("arrow", "pl", "torch", "to_arrow_table", "read_csv", "read_json"),
    *("read_parquet", "from_csv_auto", "from_parquet", "install_extension"),
    *("load_extension", "close"),
)

LIBRARIES = (
    Library(
        "duckdb",
        (
            Waiting(
                "DuckDBPyConnection",
                _OF_DUCKDB,
                alone=False,  # it has a lock of its own, for native threads
            ),
            Waiting(
                "DuckDBPyRelation",
                (
                    *("execute", "fetchone", "fetchmany", "fetchall", "fetchnumpy"),
                    *("fetchdf", "df", "to_df", "arrow", "pl", "torch", "show"),
                    *("fetch_arrow_table", "to_arrow_table", "to_csv", "to_parquet"),
                    *("write_csv", "write_parquet", "create", "insert", "insert_into"),
                    *("to_table", "explain", "describe", "materialize", "to_dicts"),
                ),
                alone=False,
            ),
        ),
        calls=(*_OF_DUCKDB, "connect"),  # of the connection that all share
        reads_callers=True,
    ),
    Library(
        "pymssql._pymssql",
        (
            Waiting(
                "Connection",
                ("commit", "rollback", "close", "autocommit", "bulk_copy", "__exit__"),
                gives={"cursor": "Cursor"},
            ),
            Waiting(
                "Cursor",
                (
                    *("execute", "executemany", "callproc", "fetchone", "fetchmany"),
                    *("fetchall", "nextset", "close", "__next__", "__exit__"),
                ),
            ),
        ),
        {"connect": "Connection"},
    ),
    Library(
        "confluent_kafka.cimpl",
        (
            Waiting(
                "Consumer",
                (
                    *("poll", "consume", "commit", "committed", "list_topics", "seek"),
                    *("get_watermark_offsets", "offsets_for_times", "cluster_id"),
                    *("subscribe", "unsubscribe", "close"),
                ),
            ),
            Waiting(
                "Producer",
                (
                    *("poll", "flush", "list_topics", "init_transactions", "purge"),
                    *("begin_transaction", "commit_transaction", "abort_transaction"),
                    *("send_offsets_to_transaction", "cluster_id", "close"),
                ),
                alone=False,  # threads may share it
            ),
        ),
    ),
    Library(
        "pyodbc",
        (
            Waiting(
                "Connection",
                (
                    *("execute", "commit", "rollback", "close", "getinfo", "set_attr"),
                    "__exit__",
                ),
                gives={"cursor": "Cursor", "execute": "Cursor"},
                attributes=("autocommit",),
            ),
            Waiting(
                "Cursor",
                (
                    *("execute", "executemany", "fetchone", "fetchmany", "fetchall"),
                    *("fetchval", "nextset", "skip", "commit", "rollback", "close"),
                    *("tables", "columns", "statistics", "primaryKeys", "foreignKeys"),
                    *("rowIdColumns", "rowVerColumns", "procedures", "getTypeInfo"),
                    *("procedureColumns", "__next__", "__exit__"),
                ),
            ),
        ),
        {"connect": "Connection"},
    ),
    Library(
        "pylibmc.client",
        (
            Waiting(
                "Client",
                (
                    *("get", "gets", "get_multi", "set", "set_multi", "add", "replace"),
                    *("add_multi", "append", "prepend", "incr", "incr_multi", "decr"),
                    *("cas", "delete", "delete_multi", "touch", "get_stats"),
                    *("flush_all", "disconnect_all"),
                ),
            ),
        ),
    ),
    Library(
        "ldap.ldapobject",
        # All that it asks of its library passes there.
        (Waiting("SimpleLDAPObject", ("_ldap_call",)),),
    ),
    Library(
        "_mysql_connector",
        (
            Waiting(
                "MySQL",
                (
                    *(
                        "connect",
                        "query",
                        "commit",
                        "rollback",
                        "ping",
                        "stat",
                        "close",
                    ),
                    *("autocommit", "change_user", "select_db", "set_character_set"),
                    *("next_result", "free_result", "consume_result", "fetch_row"),
                    *("refresh", "shutdown", "reset_connection", "stmt_prepare"),
                ),
                gives={"stmt_prepare": "MySQLPrepStmt"},
            ),
            Waiting(
                "MySQLPrepStmt",
                (
                    *("stmt_execute", "stmt_reset", "stmt_close", "fetch_row"),
                    "free_result",
                ),
            ),
        ),
        {"MySQL": "MySQL"},
    ),
)
