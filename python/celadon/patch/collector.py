"""Nothing may switch while the garbage collector runs (green.md 3.6).

Nor in what others have it call before and after: until the last of those has returned,
CPython collects nothing at all.
"""

import gc

from celadon._core import green


def install() -> None:
    if green.gc_begins not in gc.callbacks:
        gc.callbacks.insert(0, green.gc_begins)
        gc.callbacks.append(green.gc_ends)
