"""Where a pool's own work runs, and for how long it may."""

from __future__ import annotations

import contextvars
import functools
import sys
from collections.abc import Callable
from typing import Any

from celadon._core import green as _green
from celadon.green.helpers import HelperThread
from celadon.green.native_pool import NativePool
from celadon.green.spawn import spawn
from celadon.green.timeout import Timeout

HOOK_BOUND = 5.0  # seconds that a reset, a check or a close may take

_threads = NativePool(4, "celadon-pool")


def _has_hub() -> bool:
    return _green.current_slot() is not None or _green.hub_stats() is not None


def start(fn: Callable[..., Any], *args: Any) -> None:
    """Runs it in the background: on a greenlet, where this thread has a hub."""
    if _has_hub():
        spawn(fn, *args)
    else:
        _threads.start(functools.partial(fn, *args))


def start_for_long(fn: Callable[..., Any], *args: Any) -> None:
    """As `start`, for what ends late: it occupies no thread of the others, and keeps
    nothing of the context of whoever happens to be the first."""
    if _has_hub():
        contextvars.Context().run(spawn, fn, *args)
    else:
        HelperThread(fn, "celadon-pool-upkeep", *args).start()


def bounded(fn: Callable[..., Any], *args: Any, bound: float = HOOK_BOUND) -> Any:
    """``fn(*args)``, or `TimeoutError` after `bound` seconds where that can be had."""
    if not _green.can_park() or not bound:
        return fn(*args)
    late = TimeoutError(f"took longer than {bound:g} s")
    handled = sys.exception()
    try:
        with Timeout(bound, late):
            return fn(*args)
    except TimeoutError as error:
        if error is late and (first := _deadline_before(late, handled)):
            raise first from None
        raise
    finally:
        late.__traceback__ = None


def _deadline_before(
    late: BaseException, handled: BaseException | None
) -> _green.RequestTimeout | None:
    """The caller's, which came to `fn` and was what that was ending with when it took too
    long; it comes but once."""
    error = late.__context__
    while error is not None and error is not handled:
        if isinstance(error, _green.RequestTimeout):
            return error
        error = error.__context__
    return None
