"""What is measured by the clock."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.support.raw import TIMEOUT


def once_right(measure: Callable[[], None]) -> None:
    """Measures until it is as it should be, which it has to be once.

    Whoever else wants the processor makes it wrong now and then, on any machine; what is
    wrong by itself is so each time.
    """
    end = time.monotonic() + TIMEOUT
    while True:
        try:
            return measure()
        except (AssertionError, ConnectionError):
            if time.monotonic() > end:
                raise
