"""Greenlets that compute are parked at a bytecode boundary: an option."""

from __future__ import annotations

import atexit
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from celadon._core import green as _green

# The last one: CPython looks at the others first, so that none waits behind a greenlet
# that is parked in the handler. Where a tool has that for itself (valgrind), the one before.
_SIGNALS = (int(signal.SIGRTMAX), int(signal.SIGRTMAX) - 1)


def handle_signal() -> int:
    """The number of the signal at which what runs is parked."""
    last, before = _SIGNALS
    try:
        return _handled(last)
    except OSError:
        return _handled(before)


def _handled(number: int) -> int:
    signal.signal(number, _green.on_preempt)
    signal.siginterrupt(number, False)
    return number


def preempt(seconds: float) -> None:
    """From now on a greenlet that computes for `seconds` takes its turn; 0: off.

    For the main thread's hub; the ``celadon`` command has the setting ``preempt``. It is
    no wait point: nothing is delivered there. A greenlet is left alone in an import, in a
    finalizer, in a garbage collection, and in C code that may hold a native lock.

    Raises `ValueError` outside of the main thread and for a negative time.
    """
    if seconds < 0:
        raise ValueError("preempt() needs a time that is not negative")
    number = handle_signal()
    if not seconds:
        _green.stop_preempting()
        return
    _green.start_preempting(seconds, number)
    atexit.register(_green.stop_preempting)


@contextmanager
def blocking_region() -> Iterator[None]:
    """What runs inside is meant to hold the loop: neither reported nor preempted."""
    _green.enter_blocking()
    try:
        yield
    finally:
        _green.leave_blocking()
