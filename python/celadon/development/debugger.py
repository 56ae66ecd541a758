"""`breakpoint()` in a view: its greenlet waits for the terminal, others go on."""

from __future__ import annotations

import os
import pdb
import select
import sys
from types import FrameType
from typing import Any, TextIO

from celadon._core import green
from celadon.green.timeout import shield

_FOREVER = 365 * 86400.0  # seconds


def install() -> None:
    """Unless the user has chosen another debugger (PYTHONBREAKPOINT)."""
    if "PYTHONBREAKPOINT" not in os.environ:
        sys.breakpointhook = _break


class _Terminal:
    """Lines of standard input, waited for as greenlets wait."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = b""

    def readline(self) -> str:
        with shield(_FOREVER):  # a time-out would only be in the way
            while b"\n" not in self._buffer:
                select.select([self._descriptor], [], [])
                data = os.read(self._descriptor, 4096)
                if not data:
                    return self._buffer.decode(errors="replace")
                self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace") + "\n"


_terminal = _Terminal(0)


class _Debugger(pdb.Pdb):
    def __init__(self) -> None:
        terminal: Any = _terminal
        output: TextIO = sys.stdout
        super().__init__(stdin=terminal, stdout=output, nosigint=True)


def _break(*args: Any, **kwargs: Any) -> None:
    caller: FrameType | None = sys._getframe(1)
    if green.can_park():
        _Debugger().set_trace(caller)
    else:  # in a thread of its own, or while modules are imported
        pdb.Pdb(*args, **kwargs).set_trace(caller)
