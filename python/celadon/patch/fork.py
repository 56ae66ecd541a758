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


def install() -> None:
    global _installed
    if _installed:
        return
    _installed = True
    os.register_at_fork(
        after_in_child=after_fork_in_child,
        after_in_parent=after_fork_in_parent,
    )
    for native in (os.fork, os.forkpty):
        replace(os, native.__name__, _without_switch(native))


def _without_switch(native: Callable[[], Any]) -> Callable[[], Any]:
    @functools.wraps(native)
    def fork() -> Any:
        _wait_for_hooks_locks()
        green.enter_no_switch()
        try:
            return native()
        finally:
            green.leave_no_switch()

    return fork


def _wait_for_hooks_locks() -> None:
    """The standard library's hooks take these locks where nobody may wait."""
    locks: list[Any] = [logging._lock]  # type: ignore[attr-defined]
    futures = sys.modules.get("concurrent.futures.thread")
    if futures is not None:
        locks.append(futures._global_shutdown_lock)
    for lock in locks:
        with lock:
            pass
