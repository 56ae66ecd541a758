"""`os.fork`: no greenlet runs between the hooks, and the child keeps nothing of the server."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from celadon._core import after_fork_in_child, after_fork_in_parent, green
from celadon.patch.registry import replace

_installed = False
_turn = green.Lock()


def install() -> None:
    global _installed
    if _installed:
        return
    _installed = True
    os.register_at_fork(
        after_in_child=after_fork_in_child,
        after_in_parent=after_fork_in_parent,
    )
    # In the child its waiters are greenlets of the parent's.
    os.register_at_fork(after_in_child=_turn._at_fork_reinit)
    for native in (os.fork, os.forkpty):
        replace(os, native.__name__, _without_switch(native))


def _without_switch(native: Callable[[], Any]) -> Callable[[], Any]:
    @functools.wraps(native)
    def fork() -> Any:
        _enter_when_hooks_need_not_wait()
        try:
            return native()
        finally:
            green.leave_no_switch()

    return fork


def _enter_when_hooks_need_not_wait() -> None:
    """Enters a region without switches while no lock that hooks take is a greenlet's.

    A native thread that holds one goes on and lets go. Looked at inside of the region: a
    lock that was waited for may be the next one's as soon as it is released. One greenlet
    at a time, else they would hand the locks to each other for ever.
    """
    if not green.can_park():
        green.enter_no_switch()
        return
    with _turn:
        while True:
            green.enter_no_switch()
            held = next(filter(_is_other_greenlets, _locks_of_hooks()), None)
            if held is None:
                return
            green.leave_no_switch()
            with held:
                pass


def _locks_of_hooks() -> list[Any]:
    """What the standard library's hooks take before a fork."""
    locks: list[Any] = [logging._lock]  # type: ignore[attr-defined]
    futures = sys.modules.get("concurrent.futures.thread")
    if futures is not None:
        locks.append(futures._global_shutdown_lock)
    return locks


def _is_other_greenlets(lock: Any) -> bool:
    ask = getattr(lock, "_is_other_greenlets", None)
    return ask is not None and bool(ask())
