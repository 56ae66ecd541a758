"""Who tells asyncio of the end of a child process, where its policy has nobody for that.

A policy is the process's, whatever loop runs: that of `uvloop.install()`, whose own loops
need no such watcher, has none for ours. From Python 3.14 on a loop of asyncio's has its own.
"""

from __future__ import annotations

import asyncio
import functools
from asyncio import events
from collections.abc import Callable
from typing import Any


def install() -> None:
    """Once: for loops that ask `asyncio.events`, as asyncio's own do."""
    native = getattr(events, "get_child_watcher", None)
    if native is not None:
        vars(events)["get_child_watcher"] = _with_one(native)


def _with_one(native: Callable[[], Any]) -> Callable[[], Any]:
    @functools.cache
    def own() -> Any:
        return asyncio.ThreadedChildWatcher()

    @functools.wraps(native)
    def get_child_watcher() -> Any:
        try:
            return native()
        except NotImplementedError:
            return own()

    return get_child_watcher
