"""Calls that are not stopped half way: a kill or a time limit comes when they have ended."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from celadon._core import green

# How long the system or another process may take to do its part.
BOUND = 60.0


def shielded(native: Callable[..., Any]) -> Callable[..., Any]:
    """`native`, which a kill finds done or not begun."""

    @functools.wraps(native)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            green.enter_shield(BOUND)
            return native(*args, **kwargs)
        finally:
            green.leave_shield()

    return call
