"""Handlers of signals that raise, as time limits by SIGALRM do: what they raise comes to
the greenlet that asked for it, never to one that happens to run, and never to the hub.
What is sent to the one that happens to run, a kill or a time limit, waits for the end of
a handler that waits there.

Who waits for signals that are blocked, as `signal.sigwait` does, lets others run.

What a signal is to wake by `signal.set_wakeup_fd` each greenlet sets for itself, and puts
back what it had: trio does in each of its runs. It is written to one of theirs.

Python calls handlers in the main thread, between two bytecodes of whichever greenlet runs
there, or on the hub's stack.
"""

from __future__ import annotations

import functools
import operator
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Iterable
from typing import Any, NamedTuple

from celadon._core import green
from celadon.green.spawn import Greenlet, current
from celadon.logging import logger
from celadon.patch.registry import replace

_native_signal = signal.signal
_native_getsignal = signal.getsignal
_sigwait = signal.sigwait
_sigwaitinfo = signal.sigwaitinfo
_sigtimedwait = signal.sigtimedwait
_set_wakeup_fd = signal.set_wakeup_fd
_LONGEST = 1e9  # seconds
_TIMERS = {
    signal.ITIMER_REAL: signal.SIGALRM,
    signal.ITIMER_VIRTUAL: signal.SIGVTALRM,
    signal.ITIMER_PROF: signal.SIGPROF,
}


def install() -> None:
    replace(signal, "signal", set_handler)
    replace(signal, "getsignal", get_handler)
    replace(signal, "setitimer", _for_whoever_asks(signal.setitimer))
    replace(signal, "alarm", _for_whoever_asks(signal.alarm))
    for function in (set_wakeup_fd, sigwait, sigwaitinfo, sigtimedwait):
        replace(signal, function.__name__, function)


class Handler:
    """An application's handler, and who asked for it: a greenlet, or the main script."""

    def __init__(self, own: Any) -> None:
        self.own = own
        self.owner: Greenlet | None = current()

    def __call__(self, signum: int, frame: types.FrameType | None) -> Any:
        is_guest = not self._runs_here()
        try:
            if is_guest:
                # What is sent to the host is not for its guest.
                green.enter_shield(None)
            return self.own(signum, frame)
        except BaseException as error:
            if self._runs_here():
                raise
            self._deliver(signum, error)
        finally:
            if is_guest:
                green.leave_shield()
            green.read_clock()

    def _runs_here(self) -> bool:
        if green.hub_stats() is None:
            return True  # no greenlets: as ever
        if self.owner is None:
            return green.current_slot() == 0
        return green.current_task() is self.owner

    def _deliver(self, signum: int, error: BaseException) -> None:
        if self.owner is None:
            came = green.interrupt_main(error)
        else:
            came = self.owner._interrupt(error) is True
        if not came:
            logger.error(
                "a handler of %s raised, and who set it has ended",
                signal.Signals(signum).name,
                exc_info=error,
            )


def _own(handler: Any) -> Any:
    return handler.own if isinstance(handler, Handler) else handler


@functools.wraps(_native_signal)
def set_handler(signalnum: Any, handler: Any) -> Any:
    # One of C's raises nothing that is for anybody else, and must be quick.
    is_code = callable(handler) and not isinstance(handler, types.BuiltinFunctionType)
    is_code = is_code and not isinstance(handler, signal.Handlers)
    return _own(_native_signal(signalnum, Handler(handler) if is_code else handler))


@functools.wraps(_native_getsignal)
def get_handler(signalnum: Any) -> Any:
    return _own(_native_getsignal(signalnum))


def _for_whoever_asks(native: Any) -> Any:
    """The timer is one of the process: its signal is for who has set it last."""

    @functools.wraps(native)
    def timer(*args: Any) -> Any:
        which = (
            _TIMERS.get(args[0], signal.SIGALRM) if len(args) > 1 else signal.SIGALRM
        )
        handler = _native_getsignal(which)
        if isinstance(handler, Handler):
            handler.owner = current()
        return native(*args)

    return timer


@functools.wraps(_sigwait)
def sigwait(sigset: Iterable[int]) -> Any:
    wanted = [*sigset]
    if not _is_waited_for_here(wanted):
        return _sigwait(wanted)
    number = _await(wanted, None).si_signo
    return next((each for each in signal.Signals if each == number), number)


def sigwaitinfo(sigset: Iterable[int], /) -> signal.struct_siginfo:
    """As `signal.sigwaitinfo`; a greenlet lets others run meanwhile."""
    wanted = [*sigset]
    if not _is_waited_for_here(wanted):
        return _sigwaitinfo(wanted)
    return _await(wanted, None)  # type: ignore[no-any-return]


def sigtimedwait(sigset: Iterable[int], timeout: Any, /) -> Any:
    """As `signal.sigtimedwait`; a greenlet lets others run meanwhile."""
    wanted = [*sigset]
    is_time = isinstance(timeout, int | float) and 0 < timeout < _LONGEST
    if not is_time or not _is_waited_for_here(wanted):
        return _sigtimedwait(wanted, timeout)
    return _await(wanted, time.monotonic() + timeout)


class _Wakeup(NamedTuple):
    """A descriptor that somebody has set, and how."""

    fd: int
    warns: bool


# By who has set it, a loop or a greenlet, and its identity; the last one last.
_wakeups: dict[tuple[bool, int], _Wakeup] = {}


def set_wakeup_fd(fd: int, /, *, warn_on_full_buffer: bool = True) -> int:
    """As `signal.set_wakeup_fd`, of this greenlet, or of the loop of asyncio that calls it."""
    before = _set_wakeup_fd(fd, warn_on_full_buffer=warn_on_full_buffer)
    if green.hub_stats() is None:
        return before
    is_loop = sys._getframe(1).f_globals.get("__name__") == "asyncio.unix_events"
    me = is_loop, green.get_ident() if is_loop else green.current_owner()
    if not _wakeups and before != -1:  # of the main script, before there were others
        _wakeups[False, threading.main_thread().ident or 0] = _Wakeup(before, True)
    had = _wakeups.pop(me, None)
    if fd != -1:
        _wakeups[me] = _Wakeup(fd, warn_on_full_buffer)
    elif had is None:
        _wakeups.clear()  # it puts back what another one has set, and closes that
    _wake_one()
    return had.fd if had else -1


def _wake_one() -> None:
    """The last one of a loop, which calls its handlers by that, or the last one; those that
    are closed are none."""
    while _wakeups:
        who = sorted(_wakeups, key=operator.itemgetter(0))[-1]
        wakeup = _wakeups[who]
        try:
            _set_wakeup_fd(wakeup.fd, warn_on_full_buffer=wakeup.warns)
            return
        except (OSError, ValueError):
            del _wakeups[who]
    _set_wakeup_fd(-1)


def _is_waited_for_here(wanted: list[Any]) -> bool:
    """Those that are not blocked have their handlers called; only the kernel's own wait
    comes before those."""
    if not green.can_park() or not all(isinstance(each, int) for each in wanted):
        return False
    return {*wanted} <= signal.pthread_sigmask(signal.SIG_BLOCK, ())


def _await(wanted: list[int], end: float | None) -> Any:
    fd = green.signal_fd(wanted)
    try:
        while (came := _sigtimedwait(wanted, 0)) is None:
            left = None if end is None else max(end - time.monotonic(), 0)
            if green.poll_fd(fd, 1, left) == 0:
                return _sigtimedwait(wanted, 0)
        return came
    finally:
        os.close(fd)
