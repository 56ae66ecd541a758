"""nest_asyncio: a loop of ours that runs already runs what its callbacks ask for, beside them.

The library puts methods of its own into the classes of loops, which wait for descriptors
alone and would never hear of a loop that others drive on. Here the task waits that asks, as
in any call that blocks.
"""

from __future__ import annotations

import asyncio
import functools
from types import ModuleType
from typing import Any

from celadon import aio
from celadon.patch.registry import replace


def adapt(_module: ModuleType) -> None:
    """Once. What is between the base of all loops and ours it may have changed by now."""
    cls: Any = aio.EventLoop
    if "_nest_patched" in vars(cls):
        return
    base: Any = asyncio.BaseEventLoop
    native = base.run_until_complete

    @functools.wraps(native)
    def run_until_complete(self: Any, future: Any) -> Any:
        if not self.runs_here():
            return native(self, future)
        return aio.wait(asyncio.ensure_future(future, loop=self))

    replace(cls, "run_until_complete", run_until_complete)
    replace(cls, "_check_running", base._check_running)
    cls._nest_patched = True  # by which it leaves a class alone
