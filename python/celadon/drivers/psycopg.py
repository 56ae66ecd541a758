"""psycopg 3: its generators say what they wait for, and the greenlet waits for it.

A query whose greenlet is killed or timed out meanwhile is cancelled on the server, and its
connection is usable afterwards.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from celadon._core.green import fd_closing
from celadon.drivers import budget, budget_async
from celadon.drivers.names import libpq_server
from celadon.drivers.psycopg_waits import Waits
from celadon.green.native_calls import pauses
from celadon.green.native_pool import NativePool
from celadon.green.timeout import Timeout
from celadon.patch.registry import replace

_CANCEL_BOUND = 5.0  # seconds, as psycopg has it

_natives = NativePool(4, "celadon-cancel")


def adapt(psycopg: ModuleType) -> None:
    waiting: Any = psycopg.waiting
    waits = Waits(psycopg)
    # All that may be missing is asked for before the first change is made.
    _use_budget(psycopg)
    replace(waiting, "wait", waits.query(waiting.wait))
    replace(waiting, "wait_conn", waits.connection(waiting.wait_conn))
    _end_what_is_interrupted(psycopg, waits)


def _end_what_is_interrupted(psycopg: ModuleType, waits: Waits) -> None:
    cls: Any = psycopg.Connection
    native = cls.wait
    active = psycopg.pq.TransactionStatus.ACTIVE

    @functools.wraps(native)
    def wait(self: Any, gen: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return native(self, gen, *args, **kwargs)
        except BaseException as error:
            if waits.has_thrown(error) and self.pgconn.transaction_status == active:
                _end(self, gen)
            raise

    def _end(conn: Any, gen: Any) -> None:
        late = Timeout(_CANCEL_BOUND)
        try:
            with late:
                _cancel_until_it_ends(conn, gen)
        except psycopg.errors.QueryCanceled:
            pass
        except BaseException as error:
            # Nobody knows where its protocol stands.
            _wake_who_waits(conn)
            conn.pgconn.finish()
            if error is not late:
                raise

    def _cancel_until_it_ends(conn: Any, gen: Any) -> None:
        # A server that has not read the query yet has nothing to cancel, and says nothing.
        for pause in pauses():
            # Older versions ask libpq, which waits in C.
            _natives.run(_cancel_of(conn))
            with Timeout(pause, False):
                native(conn, gen)
                return

    replace(cls, "wait", wait)


def _cancel_of(conn: Any) -> Any:
    if hasattr(conn, "cancel_safe"):
        return functools.partial(conn._try_cancel, timeout=_CANCEL_BOUND)
    return conn.cancel


def _server(psycopg: ModuleType, conninfo: str, options: dict[str, Any]) -> str:
    return libpq_server({**psycopg.conninfo.conninfo_to_dict(conninfo), **options})


def _use_budget(psycopg: ModuleType) -> None:
    cls: Any = psycopg.Connection
    native = cls.__dict__["connect"].__func__
    native_close = cls.close

    @functools.wraps(native)
    def connect(cls: Any, conninfo: str = "", **kwargs: Any) -> Any:
        return budget.connect(
            _server(psycopg, conninfo, kwargs),
            psycopg.OperationalError,
            lambda: native(cls, conninfo, **kwargs),
            lambda conn: conn.closed,
        )

    @functools.wraps(native_close)
    def close(self: Any) -> None:
        _wake_who_waits(self)
        native_close(self)
        if self.closed:
            budget.leave(self)

    replace(cls, "connect", classmethod(connect))  # type: ignore[arg-type]
    # What was bound when the module was made.
    if getattr(psycopg, "connect", None) is not None:
        replace(psycopg, "connect", cls.connect)
    replace(cls, "close", close)
    _use_budget_in_asyncio(psycopg)


def _wake_who_waits(conn: Any) -> None:
    """libpq closes the descriptor unseen by whoever waits for it."""
    goes_back = getattr(getattr(conn, "_pool", None), "close_returns", False)
    if not conn.closed and not goes_back:
        fd_closing(conn.pgconn.socket)


def _use_budget_in_asyncio(psycopg: ModuleType) -> None:
    cls: Any = psycopg.AsyncConnection
    native = cls.__dict__["connect"].__func__
    native_close = cls.close

    @functools.wraps(native)
    async def connect(cls: Any, conninfo: str = "", **kwargs: Any) -> Any:
        conn, place = await budget_async.connect_async(
            _server(psycopg, conninfo, kwargs),
            psycopg.OperationalError,
            lambda: native(cls, conninfo, **kwargs),
            lambda conn: conn.closed,
        )
        conn._celadon_place = place
        return conn

    @functools.wraps(native_close)
    async def close(self: Any) -> None:
        await native_close(self)
        if self.closed:
            budget.leave(self)

    replace(cls, "connect", classmethod(connect))  # type: ignore[arg-type]
    replace(cls, "close", close)
