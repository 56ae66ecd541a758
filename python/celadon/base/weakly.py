"""What is remembered of objects that belong to somebody else."""

from __future__ import annotations

import weakref
from typing import Generic, TypeVar

T = TypeVar("T")


class Weakly(Generic[T]):
    """Objects, each for as long as somebody else has it.

    Any thread may add one while others look at all of them, and finalizers take them out:
    so nothing here goes through the dictionary by steps in between which others run.
    """

    def __init__(self) -> None:
        self._known: dict[int, weakref.ref[T]] = {}

    def add(self, one: T) -> None:
        known, key = self._known, id(one)

        def forget(ref: weakref.ref[T]) -> None:
            if known.get(key) is ref:
                del known[key]

        if key not in known:
            known[key] = weakref.ref(one, forget)

    def all(self) -> list[T]:
        """Those that there are now."""
        refs = list(self._known.values())
        return [one for ref in refs if (one := ref()) is not None]
