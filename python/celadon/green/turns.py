"""First come, first served, at what a condition tells of: items, room, permits.

Who was notified has not come back yet, and what it was told of is still there for anybody
to take. Under load that is a newcomer each time, and who waits does so for ever. So what
others were told of is theirs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from celadon._core.green import Condition


def core_of(condition: Any) -> Condition | None:
    """Of one of `threading`'s; null where nobody has waited for it yet."""
    return getattr(condition, "_celadon_core", None)


def is_promised(condition: Condition | None, available: Callable[[], int]) -> bool:
    """Whether there is something, and all of it is somebody else's."""
    return condition is not None and 0 < available() <= condition.notified()


def wait_turn(
    condition: Condition, available: Callable[[], int], end: float | None
) -> bool:
    """With the condition's lock held, until one is there for us. False: too late."""
    while available() <= condition.notified():
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            return False
        if condition.wait(left) and available() > 0:
            return True  # it is what we were told of
    return True
