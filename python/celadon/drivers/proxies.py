"""Libraries that wait in C: one table of what of them runs on native threads.

A class that can be changed is changed in place; one that the application makes objects of,
and cannot be changed, is another below the same name; what a function gives is wrapped, and
stays an instance of its class to who asks. One call at a time uses an object where its
library has it so.

A greenlet that is killed meanwhile leaves at once; the object is free once its call has
ended.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FrameType, ModuleType
from typing import Any

from celadon import green
from celadon._core.green import can_park
from celadon.green.offload import NativePool
from celadon.patch.registry import replace

_natives = NativePool(32, "celadon-proxy")


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


def adapt(module: ModuleType) -> None:
    library = next(each for each in LIBRARIES if each.module == module.__name__)
    kinds = {each.name: each for each in library.classes}
    given = {*library.functions.values()}
    for each in library.classes:
        given |= {*each.gives.values()}
    wrappers: dict[str, Any] = {}
    for name, kind in kinds.items():
        cls = getattr(module, name)
        if name in given:
            wrappers[name] = _wrapper(cls, kind, wrappers)
        elif _is_mutable(cls):
            for method in kind.methods:
                if hasattr(cls, method):
                    native = getattr(cls, method)
                    waits = _method(native, kind.alone, library.reads_callers)
                    replace(cls, method, waits)
        else:
            replace(module, name, _below(cls, kind))
    for name in library.calls:
        if hasattr(module, name):
            function = _function(getattr(module, name), library.reads_callers)
            replace(module, name, function)
    for name, gives in library.functions.items():
        replace(module, name, _making(getattr(module, name), wrappers[gives]))


def _is_mutable(cls: Any) -> bool:
    with contextlib.suppress(TypeError):
        cls._celadon_probe = True
        del cls._celadon_probe
        return True
    return False


def _run(call: Callable[[], Any], turn: Any = None) -> Any:
    """On a native thread, with `turn`, which is kept until it has ended."""
    if turn is None:
        return _natives.run(call)
    turn.acquire()
    return _natives.run_owned(call, turn.release, lambda: None)


class _Turn:
    """Who uses an object. A copy of that object has one of its own."""

    def __init__(self) -> None:
        lock = green.Lock()
        self.acquire, self.release = lock.acquire, lock.release

    def __reduce__(self) -> Any:
        return _Turn, ()


def _turn_of(owner: Any) -> Any:
    return vars(owner).setdefault("_celadon_turn", _Turn())


_CALL = compile("_celadon_call()", "<celadon>", "eval")


def _in_place_of(caller: FrameType, call: Callable[[], Any]) -> Callable[[], Any]:
    """A call below a frame with the names of `caller`, wherever it runs."""
    names = {**caller.f_locals, "_celadon_call": call}
    return functools.partial(eval, _CALL, caller.f_globals, names)


def _method(native: Any, alone: bool, reads_callers: bool = False) -> Any:
    @functools.wraps(native, assigned=("__name__", "__doc__"))
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        call: Any = functools.partial(native, self, *args, **kwargs)
        if reads_callers:
            call = _in_place_of(sys._getframe(1), call)
        if not can_park():
            return call()
        return _run(call, _turn_of(self) if alone else None)

    return method


def _function(native: Any, reads_callers: bool) -> Any:
    @functools.wraps(native, assigned=("__name__", "__doc__"))
    def function(*args: Any, **kwargs: Any) -> Any:
        call: Any = functools.partial(native, *args, **kwargs)
        if reads_callers:
            call = _in_place_of(sys._getframe(1), call)
        return _natives.run(call)

    return function


def _below(cls: Any, kind: Waiting) -> Any:
    methods = {
        name: _method(getattr(cls, name), kind.alone)
        for name in kind.methods
        if hasattr(cls, name)
    }
    place = {"__module__": cls.__module__, "__doc__": cls.__doc__}
    return type(cls.__name__, (cls,), {**place, **methods})


def _making(native: Any, wrapper: Any) -> Any:
    @functools.wraps(native)
    def make(*args: Any, **kwargs: Any) -> Any:
        if not can_park():
            return wrapper(native(*args, **kwargs))
        return wrapper(_natives.run(native, *args, **kwargs))

    return make


class _Wrapped:
    """An object of a class that cannot be changed."""

    def __init__(self, wrapped: Any, parent: Any = None) -> None:
        turn = parent._celadon_turn if parent is not None else _Turn()
        vars(self).update(_celadon=wrapped, _celadon_turn=turn, _celadon_parent=parent)

    def __getattr__(self, name: str) -> Any:
        if name == "connection" and self._celadon_parent is not None:
            return self._celadon_parent
        return getattr(self._celadon, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._celadon_attributes and can_park():
            _run(lambda: setattr(self._celadon, name, value), self._celadon_turn)
        else:
            setattr(self._celadon, name, value)

    def __enter__(self) -> Any:
        self._celadon.__enter__()
        return self

    def __iter__(self) -> Any:
        return self


def _wrapper(cls: Any, kind: Waiting, wrappers: dict[str, Any]) -> Any:
    def calling(name: str) -> Any:
        native = getattr(cls, name)
        waits, gives = name in kind.methods, kind.gives.get(name)

        @functools.wraps(native, assigned=("__name__", "__doc__"))
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            wrapped = self._celadon
            if waits and can_park():
                turn = self._celadon_turn
                result = _run(lambda: native(wrapped, *args, **kwargs), turn)
            else:
                result = native(wrapped, *args, **kwargs)
            if gives is not None:
                return wrappers[gives](result, self)
            return self if result is wrapped else result

        return method

    names = {*kind.methods, *kind.gives}
    methods: dict[str, Any] = {
        name: calling(name) for name in names if hasattr(cls, name)
    }
    methods["__class__"] = property(lambda self: cls)
    methods["_celadon_attributes"] = kind.attributes
    return type(cls.__name__, (_Wrapped,), {"__doc__": cls.__doc__, **methods})
