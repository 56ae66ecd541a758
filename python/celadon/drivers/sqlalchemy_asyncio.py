"""SQLAlchemy in coroutines: the greenlet that has its synchronous code goes back to whoever
runs the loop when it has to wait.

It is made with the greenlet that ran the loop then as its parent. Under
`celadon.aio.EventLoop` another one does, as soon as some call of the loop waits itself;
the one before is in the middle of that wait.
"""

from __future__ import annotations

import functools
import importlib
from types import ModuleType
from typing import Any

from greenlet import getcurrent

from celadon.patch.registry import replace


def adapt(_asyncio: ModuleType) -> None:
    cls = _greenlet_class()
    for name in ("switch", "throw"):
        replace(cls, name, _from_whoever_calls(getattr(cls, name)))


def _greenlet_class() -> Any:
    util = importlib.import_module("sqlalchemy.util.concurrency")
    if not hasattr(util, "_concurrency_shim"):  # before 2.1
        return importlib.import_module(
            "sqlalchemy.util._concurrency_py3k"
        )._AsyncIoGreenlet
    return util._concurrency_shim._AsyncIoGreenlet


def _from_whoever_calls(native: Any) -> Any:
    @functools.wraps(native)
    def switch(self: Any, *args: Any, **kwargs: Any) -> Any:
        caller = getcurrent()
        if caller.parent is not self:  # else it comes back from one that it called
            self.parent = caller
            if hasattr(
                self, "driver"
            ):  # where it goes back to, in some releases of 2.0
                self.driver = caller
        return native(self, *args, **kwargs)

    return switch
