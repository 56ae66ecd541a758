"""anyio: what it keeps for a loop lives as long as that, not as long as one request.

It looks for the task that the loop was run for, by `run_until_complete`, and ends its threads
and its processes with that. Where there is none it takes the task that asks, which is a
request's: each had a thread of its own, and ended processes that others were at.
"""

from __future__ import annotations

import asyncio
import functools
from types import ModuleType
from typing import Any

from celadon.aio import state
from celadon.patch.registry import patched, replace


def adapt(backend: ModuleType) -> None:
    """Once; `backend` is its part for asyncio."""
    if patched(backend.__name__, "find_root_task"):
        return
    native = backend.find_root_task

    @functools.wraps(native)
    def find_root_task() -> Any:
        life = state.life_of(asyncio.get_running_loop())
        return native() if life is None else life

    replace(backend, "find_root_task", find_root_task)
