"""What the core's watchdog needs of the interpreter to say where a loop is held.

A stack is written by `faulthandler` in a signal's handler, without the interpreter's
lock: also where the thread is stuck in C.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import weakref
from collections.abc import Callable

from celadon import logging
from celadon.green import preemption, report
from celadon.serving import signals

# Below those that applications pick by counting up from SIGRTMIN, and preemption's.
_STACK = int(signal.SIGRTMIN) + 6
_STACKS = int(signal.SIGRTMIN) + 5

_descriptors: list[int] = []  # of this process's pipe, for as long as it lives


class _ErrorLog:
    """Where a process that crashes writes its stacks; `faulthandler` keeps it as long as
    it writes there, and not elsewhere as the application wants."""

    def __init__(self) -> None:
        self._descriptor = logging.descriptor()

    def fileno(self) -> int:
        return self._descriptor

    def flush(self) -> None:
        pass


_ours: weakref.ref[_ErrorLog] | None = None


def trace_crashes() -> bool:
    """One that crashes in C writes its stacks into the error log, as that is now, unless
    the application has them written elsewhere; whether it is so."""
    global _ours
    is_ours = _ours is not None and _ours() is not None
    if is_ours or not faulthandler.is_enabled():
        log = _ErrorLog()
        faulthandler.enable(file=log)
        _ours = weakref.ref(log)
        return True
    return False


def prepare(on_abort: Callable[[], None] | None = None) -> dict[str, int]:
    """Signals and descriptors for the core, of the main thread of this process.

    `on_abort` is called where the master gives this worker up (SIGABRT).
    """
    log = logging.descriptor()
    if not _descriptors:
        _descriptors.extend(os.pipe())
        for descriptor in _descriptors:
            os.set_blocking(descriptor, False)
    faulthandler.register(_STACK, file=_descriptors[1], all_threads=False)
    faulthandler.register(_STACKS, file=log, all_threads=True)
    if trace_crashes():  # else the application's writes the stacks
        signals.take([signal.SIGABRT], _abort_handler(on_abort))
    return {
        "stack_signal": _STACK,
        "stack_pipe": _descriptors[0],
        "stacks_signal": _STACKS,
        "log_fd": log,
        "log_later": not logging.is_plain(),
        "log_level": logging.logger.getEffectiveLevel(),
        "preempt_signal": preemption.handle_signal(),
    }


def _abort_handler(
    on_abort: Callable[[], None] | None,
) -> Callable[[int, object], None]:
    def handle(_signal: int, _frame: object) -> None:
        # What can be told is told, then this process ends.
        try:
            logging.last_words(report.as_text())
            if on_abort is not None:
                on_abort()
        finally:
            os._exit(1)

    return handle
