"""What takes the identity of a thread: a greenlet's is no address that the C library knows.

A greenlet has an identity of its own (`threading.get_ident`), or that of the event loop
which it drives. Handed on, it stands for the native thread that it runs in, or for its own
frames and exceptions.
"""

from __future__ import annotations

import functools
import signal
import sys
import time
from types import FrameType, ModuleType
from typing import Any

from celadon._core import green
from celadon.green import frames
from celadon.patch.imports import when_imported
from celadon.patch.registry import replace


def install() -> None:
    replace(signal, "pthread_kill", _of_native_thread(signal.pthread_kill))
    if hasattr(time, "pthread_getcpuclockid"):
        native = time.pthread_getcpuclockid
        replace(time, "pthread_getcpuclockid", _of_native_thread(native))
    replace(sys, "_current_frames", _with_greenlets(frames.of_threads))
    when_imported("ctypes", _patch_ctypes)


def _of_native_thread(native: Any) -> Any:
    @functools.wraps(native)
    def call(thread_id: int, *args: Any) -> Any:
        return native(green.thread_of(thread_id) or thread_id, *args)

    return call


def _with_greenlets(native: Any) -> Any:
    @functools.wraps(native)
    def _current_frames() -> dict[int, FrameType]:
        threads: dict[int, FrameType] = native()
        here = sys._getframe()
        found = [thread for thread, frame in threads.items() if frame is here]
        for thread in found:  # C code has no frame
            threads[thread] = here.f_back or here
        greenlets = [
            (each.known_ident, frames.of_greenlet(each, threads))
            for each in sorted(green.greenlets(), key=_precedence)
            if each.known_ident != each.thread and each.state != "idle"
        ]
        return threads | {ident: frame for ident, frame in greenlets if frame}

    return _current_frames


def _precedence(each: green.Described) -> tuple[bool, bool]:
    """Of several greenlets that are one thread, the last one stands for it."""
    return each.state == "running", each.ident == each.known_ident


def _patch_ctypes(ctypes: ModuleType) -> None:
    api: Any = ctypes.pythonapi
    api.PyThreadState_SetAsyncExc = SetAsyncExc(api.PyThreadState_SetAsyncExc)


class SetAsyncExc:
    """``ctypes.pythonapi.PyThreadState_SetAsyncExc``, as time limits from a thread use it.

    A greenlet that runs gets the exception at its next bytecode, as a thread does; one
    that waits, at once; one that is ready, at its next wait.
    """

    def __init__(self, native: Any) -> None:
        vars(self)["_native"] = native

    def __getattr__(self, name: str) -> Any:
        return getattr(self._native, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._native, name, value)

    def __call__(self, thread_id: Any, exception: Any) -> int:
        number = int(getattr(thread_id, "value", thread_id))
        value = getattr(exception, "value", exception)
        if value is not None and green.interrupt_thread(number, value):
            return 1
        thread = green.thread_of(number)
        if not thread or value is None:
            return int(self._native(thread_id, exception))
        kind = type(thread_id) if hasattr(thread_id, "value") else int
        return int(self._native(kind(thread), exception))
