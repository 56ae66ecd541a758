"""How psycopg 3 waits, in each of its generations.

Until 3.1 a query waits without a limit, and `timeout` is how long one wait of a connection
that is being made may last. From 3.2 on the generator is resumed with nothing after each
`interval`, and looks at the clock itself; from 3.3.6 on `timeout` is how long all may last.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Generator
from types import ModuleType
from typing import Any, TypeVar

from celadon._core.green import can_park, poll_fd

T = TypeVar("T")


class _Limits:
    """Of one call: `step` of each of its waits, `end` of all (by the monotonic clock), and
    what is raised at the end of either; nothing where the generator is resumed."""

    def __init__(
        self,
        step: float | None = None,
        seconds: float | None = None,
        at_step: Exception | None = None,
        at_end: Exception | None = None,
    ) -> None:
        self._step = step
        self._end = None if seconds is None else time.monotonic() + seconds
        self._at_step, self._at_end = at_step, at_end

    def next(self) -> float | None:
        """When the wait that begins now is over."""
        step = None if self._step is None else time.monotonic() + self._step
        if step is None or self._end is None:
            return self._end if step is None else step
        return min(step, self._end)

    def look(self, ready: int) -> None:
        """After a wait that gave `ready`, once the generator has seen that."""
        if self._end is not None and time.monotonic() >= self._end:
            assert self._at_end is not None
            raise self._at_end
        if not ready and self._at_step is not None:
            raise self._at_step


class Waits:
    """psycopg's `waiting.wait` and `waiting.wait_conn`, for greenlets."""

    def __init__(self, psycopg: ModuleType) -> None:
        self._errors: Any = psycopg.errors
        names = inspect.signature(psycopg.waiting.wait_conn).parameters
        self._has_interval = "interval" in names
        self._has_timeout = self._has_interval and "timeout" in names
        self._thrown: int | None = None
        if self._has_timeout:
            _ = self._errors._WaitTimeout

    def has_thrown(self, error: BaseException) -> bool:
        """Whether `error` came to a greenlet that waited here, just now."""
        thrown, self._thrown = self._thrown, None
        return thrown == id(error)

    def query(self, native: Callable[..., Any]) -> Callable[..., Any]:
        def wait(gen: Generator[int, int, T], fileno: int, *args: Any, **kw: Any) -> T:
            """Runs `gen` to its end; each value that it yields is what `fileno` is for."""
            limits = self._limits_of_query(*args, **kw) if can_park() else None
            if limits is None:
                return native(gen, fileno, *args, **kw)  # type: ignore[no-any-return]
            try:
                wanted = next(gen)
                while True:
                    ready = self._ready(fileno, wanted, limits.next())
                    wanted = gen.send(ready)
                    limits.look(ready)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]

        return wait

    def connection(self, native: Callable[..., Any]) -> Callable[..., Any]:
        def wait_conn(
            gen: Generator[tuple[int, int], int, T], *args: Any, **kw: Any
        ) -> T:
            """As `wait`, where the descriptor changes on the way."""
            limits = self._limits_of_connection(*args, **kw) if can_park() else None
            if limits is None:
                return native(gen, *args, **kw)  # type: ignore[no-any-return]
            try:
                fileno, wanted = next(gen)
                while True:
                    ready = self._ready(fileno, wanted, limits.next())
                    if not ready and not self._has_interval:
                        limits.look(ready)
                    fileno, wanted = gen.send(ready)
                    limits.look(ready)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]

        return wait_conn

    def _limits_of_query(
        self, interval: float | None = 0.0, timeout: float | None = None
    ) -> _Limits | None:
        """None for what psycopg itself refuses."""
        if not self._has_interval:
            return _Limits()
        return self._limits(interval, timeout)

    def _limits_of_connection(self, *args: Any, **kw: Any) -> _Limits | None:
        if self._has_interval:
            return self._limits(*args, **kw)
        return self._limits_of_each_wait(*args, **kw)

    def _limits_of_each_wait(self, timeout: float | None = None) -> _Limits:
        late = self._errors.ConnectionTimeout("connection timeout expired")
        return _Limits(step=timeout or None, at_step=late if timeout else None)

    def _limits(
        self, interval: float | None = 0.0, timeout: float | None = None
    ) -> _Limits | None:
        if not self._has_timeout:
            return _Limits(step=interval or None)
        if interval is None:
            return None
        if timeout is None:
            return _Limits()
        late = self._errors._WaitTimeout("wait timeout expired")
        return _Limits(seconds=timeout, at_end=late)

    def _ready(self, fileno: int, wanted: int, end: float | None) -> int:
        """What `fileno` is ready for, as psycopg counts it; nothing at `end`."""
        left = None if end is None else max(0.0, end - time.monotonic())
        try:
            ready = poll_fd(fileno, wanted, left, True)
        except BaseException as error:
            self._thrown = id(error)
            raise
        if ready < 0:
            raise self._errors.OperationalError("connection socket closed")
        return ready
