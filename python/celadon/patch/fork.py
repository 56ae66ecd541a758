"""`os.fork`: no greenlet runs between the hooks, and the child keeps nothing of the server."""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from celadon._core import after_fork_in_child, after_fork_in_parent, green
from celadon.patch.registry import replace

_turn = green.RLock()
_is_child = False
_in_child: list[Callable[[], None]] = []  # what is called there, the core's first


def install_hooks(*in_child: Callable[[], None]) -> None:
    """Those of the core, and `in_child`, each once."""
    if not _in_child:
        _in_child.extend((after_fork_in_child, _renew_turn))
        os.register_at_fork(
            after_in_child=_begin_child, after_in_parent=after_fork_in_parent
        )
        flush_at_exit()  # early, so that it is called late
    _in_child.extend(each for each in in_child if each not in _in_child)


def flush_at_exit() -> None:
    """Of a child that is forked later."""
    atexit.register(_flush_files)


def _renew_turn() -> None:
    """Whoever had it may be a greenlet of the parent's; who forks gives back its own."""
    global _turn
    _turn = green.RLock()


def _begin_child() -> None:
    global _is_child
    _is_child = True
    for call in _in_child:
        call()


def _flush_files() -> None:
    """Those of modules, which the greenlets that a child leaves behind keep for ever.

    No others: what a greenlet has written by half is its own, in the parent.
    """
    if not _is_child:
        return
    for module in [*sys.modules.values()]:
        for value in [*getattr(module, "__dict__", {}).values()]:
            # By its type: to ask a proxy for its class may be to make what it stands for.
            if issubclass(type(value), io.IOBase) and not value.closed:
                with contextlib.suppress(Exception):
                    value.flush()


def install() -> None:
    install_hooks()
    for native in (os.fork, os.forkpty):
        replace(os, native.__name__, _without_switch(native))


def _without_switch(native: Callable[[], Any]) -> Callable[[], Any]:
    @functools.wraps(native)
    def fork() -> Any:
        return _when_hooks_need_not_wait(native)

    return fork


def _when_hooks_need_not_wait(native: Callable[[], Any]) -> Any:
    """Calls it in a region without switches, while no lock that hooks take is a greenlet's.

    A native thread that holds one goes on and lets go. Looked at inside of the region: a
    lock that was waited for may be the next one's as soon as it is released. One greenlet
    at a time, else they would hand the locks to each other for ever.
    """
    if not green.can_park():
        return _alone(native, lambda: None)[1]
    turn = _turn
    try:
        # No `with`: since 3.14 a signal's handler may raise between its lock and its block.
        turn.acquire()
        while True:
            held, done = _alone(native, _lock_in_the_way)
            if held is None:
                return done
            with held:
                pass
    finally:
        try:  # noqa: SIM105, whose own calls would come before it
            turn.release()
        except RuntimeError:  # it was not taken, or is the parent's
            pass


def _alone(native: Callable[[], Any], obstacle: Callable[[], Any]) -> tuple[Any, Any]:
    """The obstacle, or what `native` gives where there is none.

    A signal's handler may raise behind each call, its effect done: what ends a region is
    reached from there, too, and by itself takes back no more than that.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        try:
            green.enter_no_switch()
            held = obstacle()
            if held is not None:
                return held, None
            # One that comes to the child before it has its own handlers must not be lost.
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            return None, native()
        finally:
            green.leave_no_switch()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _lock_in_the_way() -> Any:
    return next(filter(_is_other_greenlets, _locks_of_hooks()), None)


def _locks_of_hooks() -> list[Any]:
    """What the standard library's hooks take before a fork."""
    locks: list[Any] = [logging._lock]  # type: ignore[attr-defined]
    futures = sys.modules.get("concurrent.futures.thread")
    if futures is not None:
        locks.append(futures._global_shutdown_lock)
    return locks


def _is_other_greenlets(lock: Any) -> bool:
    ask = getattr(lock, "_is_other_greenlets", None)
    return ask is not None and bool(ask())
