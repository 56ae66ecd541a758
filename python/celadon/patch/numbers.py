"""Which numbers are seconds: since 3.15 all that are real, `Decimal` among them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class _Nothing:
    def __float__(self) -> float:
        return 0.0


def takes_all(sleep: Callable[[Any], None]) -> bool:
    """Whether `sleep`, which is CPython's, takes what only can become a float."""
    try:
        sleep(_Nothing())
    except TypeError:
        return False
    return True


_all_are_seconds = takes_all(time.sleep)


def plain(timeout: Any) -> Any:
    """`timeout` as a float, where CPython takes it for one; else as it is, for CPython to
    say what is wrong with it."""
    if timeout is None or isinstance(timeout, int | float) or not _all_are_seconds:
        return timeout
    return float(timeout) if hasattr(type(timeout), "__float__") else timeout
