"""asgiref: what a task keeps in a `Local`, as Django does, it finds in each of its steps.

A `Local` tells by the identity of the thread whether what it finds was kept for another
one (asgiref 3.12 and later), and has a context variable for each thread where it is
critical. Both are of the event loop in each step of a task. But a `threading.local` that
one looks at in a step which then waits in a call is another one to those that run meanwhile,
and `celadon.aio.green` and `wait` hand a context on to a greenlet and to a loop of the same
native thread: what counts is that thread.
"""

from __future__ import annotations

import asyncio
import threading
from _thread import get_native_id
from types import ModuleType
from typing import Any

from celadon.patch.registry import replace


class _Threads:
    """Stands in for the module `threading`."""

    get_ident = staticmethod(get_native_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(threading, name)


def adapt(module: ModuleType) -> None:
    replace(module, "threading", _Threads())
    critical = getattr(module, "_ThreadCriticalLocal", None)
    if critical is None:
        return
    in_threads = critical._get_storage
    make = module._CVar

    def get_storage(self: Any) -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return in_threads(self)
        by_thread = vars(self).setdefault("_by_native_thread", {})
        ident = get_native_id()
        if ident not in by_thread:
            by_thread[ident] = make()
        return by_thread[ident]

    replace(critical, "_get_storage", get_storage)
