"""Checks of the application's own: whether a worker may be given requests.

A check is a function that raises, or returns False, where something that requests need is
missing::

    from celadon import health


    @health.check(interval=5)
    def database():
        with pool.connection() as conn:
            conn.execute("SELECT 1")

Each worker runs its checks on a greenlet, so they may wait like a request. While one fails,
takes longer than its `timeout`, or has not been heard of for too long, the worker is not
ready: ``/-/ready`` says 503 once no worker is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, overload

from celadon.logging import escape, logger

if TYPE_CHECKING:
    from celadon._core import Server
    from celadon.metrics import Gauge

Check = Callable[[], Any]
F = TypeVar("F", bound=Check)


@dataclass
class _Registered:
    name: str
    fn: Check
    interval: float
    timeout: float
    failing: str = field(default="has not run yet", init=False)
    due: float = field(default=0.0, init=False)


_checks: list[_Registered] = []


@overload
def check(fn: F, /) -> F: ...
@overload
def check(
    *, name: str = ..., interval: float = ..., timeout: float = ...
) -> Callable[[F], F]: ...
def check(
    fn: Any = None, /, *, name: str = "", interval: float = 10.0, timeout: float = 5.0
) -> Any:
    """Registers a check; a decorator, with arguments or without.

    It runs every `interval` seconds and fails after `timeout` seconds. `name`, by default
    that of the function, is what logs and the metric ``celadon_health_check_up`` call it.
    Raises `ValueError` unless both times are above zero.
    """
    if interval <= 0 or timeout <= 0:
        raise ValueError("interval and timeout must be above zero")

    def register(function: F) -> F:
        label = name or getattr(function, "__name__", "check")
        _checks.append(_Registered(label, function, interval, timeout))
        return function

    return register if fn is None else register(fn)


def status() -> dict[str, str]:
    """Why each check of this process fails; empty where it passes."""
    return {each.name: each.failing for each in _checks}


def start(core: Server) -> None:
    """Has a worker run what was registered, from now on."""
    if not _checks:
        return
    from celadon.green import spawn
    from celadon.metrics.levels import ServersGauge

    up = ServersGauge(
        "celadon_health_check_up",
        "Whether a check of the application passes, in all workers.",
        ["check"],
        multiprocess_mode="min",
    )
    core.publish_health(False, 0.0)
    spawn(_run, core, up)


def _run(core: Server, up: Gauge) -> None:
    from celadon.green import sleep

    while True:
        now = time.monotonic()
        for each in _checks:
            if each.due <= now:
                _ask(each)
                up.labels(each.name).set(0 if each.failing else 1)
                each.due = time.monotonic() + each.interval
        failing = any(each.failing for each in _checks)
        # As long as the slowest round may take; then it is stale.
        stands = sum(each.timeout for each in _checks) + 2 * max(
            each.interval for each in _checks
        )
        core.publish_health(not failing, stands)
        next_due = min(each.due for each in _checks)
        sleep(max(next_due - time.monotonic(), 0.01))


def _ask(each: _Registered) -> None:
    from celadon.green import Timeout

    before = each.failing
    each.failing = ""
    limit = Timeout(each.timeout)
    try:
        with limit:
            if each.fn() is False:
                each.failing = "it returned False"
    except Timeout as error:
        is_ours = error is limit
        late = f"it took longer than {each.timeout:g} s"
        each.failing = late if is_ours else f"Timeout: {error}"
    except Exception as error:
        each.failing = f"{type(error).__name__}: {error}"
    if each.failing and each.failing != before:
        logger.warning("health check %s fails: %s", each.name, escape(each.failing))
    elif before and not each.failing and each.due:
        logger.info("health check %s passes again", each.name)
