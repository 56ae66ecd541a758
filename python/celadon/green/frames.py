"""Where Python code is: the innermost frames of native threads, and of greenlets."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import FrameType

from celadon._core.green import Described

# CPython's own: the name in `sys` is patched to know greenlets, which takes its time.
of_threads = sys._current_frames


def of_greenlet(
    described: Described, threads: Mapping[int, FrameType]
) -> FrameType | None:
    """Of one of `celadon._core.green.greenlets`; `threads` is what `of_threads` said."""
    if described.state == "running":
        return threads.get(described.thread)
    parked = described.greenlet
    frame: FrameType | None = parked.gr_frame if parked else None
    return frame
