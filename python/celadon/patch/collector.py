"""Nothing may switch while the garbage collector runs (green.md 3.6)."""

import gc

from celadon._core import green


def install() -> None:
    if green.gc_guard not in gc.callbacks:
        gc.callbacks.insert(0, green.gc_guard)
