"""psycopg 3: its generators say what they wait for, and the greenlet waits for it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator
from types import ModuleType
from typing import Any, TypeVar

from greenlet import GreenletExit

from celadon import green
from celadon._core.green import (
    RequestKilled,
    RequestTimeout,
    can_park,
    fd_closing,
)
from celadon.drivers import budget
from celadon.drivers.names import libpq_server
from celadon.green.timeout import Timeout
from celadon.patch.registry import replace

T = TypeVar("T")

# A query that one of these ends is cancelled on the server, and its connection is usable
# afterwards.
INTERRUPTS = (
    KeyboardInterrupt,
    SystemExit,
    GreenletExit,
    Timeout,
    RequestTimeout,
    RequestKilled,
)


def adapt(psycopg: ModuleType) -> None:
    waiting: Any = psycopg.waiting
    waits = _Waits(psycopg)
    replace(waiting, "wait", waits.query(waiting.wait))
    replace(waiting, "wait_conn", waits.connection(waiting.wait_conn))
    replace(psycopg.connection, "_INTERRUPTED", INTERRUPTS)
    _use_budget(psycopg)


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
        conn, place = await budget.connect_async(
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


class _Waits:
    def __init__(self, psycopg: ModuleType) -> None:
        self._timeout_error: Any = psycopg.errors._WaitTimeout
        self._operational_error: Any = psycopg.OperationalError

    def query(self, native: Callable[..., Any]) -> Callable[..., Any]:
        def wait(
            gen: Generator[int, int, T],
            fileno: int,
            interval: float = 0.0,
            timeout: float | None = None,
        ) -> T:
            """Runs `gen` to its end; each value that it yields is what `fileno` is for."""
            if interval is None or not can_park():
                return native(gen, fileno, interval, timeout)  # type: ignore[no-any-return]
            end = None if timeout is None else time.monotonic() + timeout
            try:
                wanted = next(gen)
                while True:
                    wanted = gen.send(self._ready(fileno, wanted, end))
                    self._check(end)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]

        return wait

    def connection(self, native: Callable[..., Any]) -> Callable[..., Any]:
        def wait_conn(
            gen: Generator[tuple[int, int], int, T],
            interval: float = 0.0,
            timeout: float | None = None,
        ) -> T:
            """As `wait`, where the descriptor changes on the way."""
            if interval is None or not can_park():
                return native(gen, interval, timeout)  # type: ignore[no-any-return]
            end = None if timeout is None else time.monotonic() + timeout
            try:
                fileno, wanted = next(gen)
                while True:
                    fileno, wanted = gen.send(self._ready(fileno, wanted, end))
                    self._check(end)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]

        return wait_conn

    def _ready(self, fileno: int, wanted: int, end: float | None) -> int:
        """What `fileno` is ready for, as psycopg counts it; 0 at the end of the time."""
        left = None if end is None else max(0.0, end - time.monotonic())
        try:
            return green.wait_fd(fileno, wanted, left, True)
        except TimeoutError:
            if end is None or time.monotonic() < end:
                raise
            return 0
        except OSError as error:
            raise self._operational_error("connection socket closed") from error

    def _check(self, end: float | None) -> None:
        if end is not None and time.monotonic() >= end:
            raise self._timeout_error("wait timeout expired")
