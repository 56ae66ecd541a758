"""A kill or a time limit that meets a finalizer (``__del__``, the end of a generator that is
dropped, a callback of a weak reference), where CPython can only report it and go on, comes to
its greenlet at the next wait.

An application that sets a hook of its own later has it as CPython does.
"""

from __future__ import annotations

import sys
from typing import Any

from celadon._core import green
from celadon.patch.registry import replace


def install() -> None:
    report = sys.unraisablehook

    def unraisablehook(unraisable: Any, /) -> Any:
        """As `sys.unraisablehook`; what is sent to a greenlet is not lost here."""
        if not green.raise_again(unraisable.exc_value):
            report(unraisable)

    replace(sys, "unraisablehook", unraisablehook)
