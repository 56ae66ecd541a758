"""What is measured by the clock."""

from __future__ import annotations

from collections.abc import Callable

_TRIES = 20


def once_right(measure: Callable[[], None]) -> None:
    """Measures until it is as it should be, which it has to be once.

    Whoever else wants the processor makes it wrong now and then, on any machine; what is
    wrong by itself is so each time.
    """
    for _ in range(_TRIES - 1):
        try:
            return measure()
        except AssertionError:
            continue
    return measure()
