"""What locks by the identity of a thread.

By `threading.get_ident` the greenlets that drive an asyncio loop of ours are one thread:
a step that waits in the midst of an import, or with such a lock, would let those into it
that run meanwhile. Here each greenlet counts for itself.
"""

from __future__ import annotations

import _thread
import sys
import threading
from types import FunctionType
from typing import Any

from celadon._core import green
from celadon.patch.registry import replace


class _Thread:
    """Stands in for the module `_thread`."""

    get_ident = staticmethod(green.current_owner)

    def __getattr__(self, name: str) -> Any:
        return getattr(_thread, name)


def install() -> None:
    importing = sys.modules["_frozen_importlib"]
    if hasattr(
        importing, "_thread"
    ):  # CPython 3.11 to 3.15 take its locks' owners there
        replace(importing, "_thread", _Thread())
    reprlib = sys.modules.get("reprlib")
    if reprlib is not None:
        reprlib.get_ident = green.current_owner  # type: ignore[attr-defined]
    _patch_rlock_of_python(threading._PyRLock)  # type: ignore[attr-defined]


def _patch_rlock_of_python(cls: type) -> None:
    for name, function in [*vars(cls).items()]:
        if isinstance(function, FunctionType) and _asks(function):
            replace(cls, name, _asking_for_owner(function))


def _asks(function: FunctionType) -> bool:
    return "get_ident" in function.__code__.co_names


def _asking_for_owner(function: FunctionType) -> FunctionType:
    names = {**function.__globals__, "get_ident": green.current_owner}
    made = FunctionType(
        function.__code__, names, function.__name__, function.__defaults__
    )
    made.__kwdefaults__ = function.__kwdefaults__
    made.__qualname__, made.__doc__ = function.__qualname__, function.__doc__
    return made
