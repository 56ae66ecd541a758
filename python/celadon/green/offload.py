"""Native threads that run calls which block, while the greenlet that wants them waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from celadon.green.native_pool import NativePool

T = TypeVar("T")

_pool = NativePool(8, "celadon-offload")


def offload(fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Runs ``fn(*args, **kwargs)`` on a native thread and waits for its result.

    For calls that block in C and cannot be made cooperative. Eight threads, or as many
    as the setting ``offload_threads`` says. The context is copied. A kill or a timeout
    gives up the wait, not the call.
    """
    return _pool.run(fn, *args, **kwargs)


def run_offloaded(
    call: Callable[[], T], always: Callable[[], Any], abandoned: Callable[[], Any]
) -> T:
    """As `offload`; ``always()`` is called when the call has ended, in any case.

    A caller that is killed leaves at once; ``abandoned()`` is then called before that, on
    a native thread.
    """
    return _pool.run_owned(call, always, abandoned)


def set_threads(threads: int) -> None:
    """How many threads `offload` may use; those that run already stay."""
    if threads < 1:
        raise ValueError("offload needs at least one thread")
    _pool.threads = threads


def native_thread(
    target: Callable[..., Any],
    *args: Any,
    name: str | None = None,
    daemon: bool = True,
    **kwargs: Any,
) -> threading.Thread:
    """Starts ``target(*args, **kwargs)`` in a native thread of its own."""
    thread = threading.Thread(
        target=target, args=args, kwargs=kwargs, name=name, daemon=daemon
    )
    thread.start()
    return thread
