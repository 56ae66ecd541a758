"""Locks inside of others' classes that are held for a few lines only.

To wait for one is no place for a kill: none comes between a call, such as a semaphore's
release, and what it does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from celadon.patch.registry import replace

guarded: list[tuple[type, Callable[[Any], Any]]] = []


def guard_by_brief_lock(cls: Any, lock_of: Callable[[Any], Any]) -> None:
    """Marks the lock that ``lock_of(instance)`` finds in each new instance of `cls`."""
    native = cls.__init__
    guarded.append((cls, lock_of))

    @functools.wraps(native)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        native(self, *args, **kwargs)
        lock_of(self)._brief()

    replace(cls, "__init__", __init__)
