"""`subprocess` and `os.wait*`: a child's end is an event of a pidfd.

Children start as ever, by vfork or posix_spawn, and are reaped by the caller alone. Where
no pidfd can say it (any child, a stopped one), a native thread waits for the news.
"""

from __future__ import annotations

import functools
import io
import os
import warnings
from types import ModuleType
from typing import Any

from celadon._core import green
from celadon.green.native_pool import NativePool
from celadon.patch.buffered import CooperativeIO
from celadon.patch.imports import when_imported
from celadon.patch.pipes import PipeEnd
from celadon.patch.registry import replace
from celadon.patch.shields import shielded

_waitpid = os.waitpid
_waitid = os.waitid
_wait3 = os.wait3
_wait4 = os.wait4
_system = os.system
_pidfd_open = os.pidfd_open

# One thread waits for each kind of news, for all who want it: who is killed cannot take
# back the wait of a thread.
_pool = NativePool(64, "celadon-wait", is_hasty=False)
_flights: dict[tuple[int, int, int], green.Event] = {}
_commands = NativePool(64, "celadon-system", is_hasty=False)


def install() -> None:
    for function in (wait, waitpid, waitid, wait3, wait4, system):
        replace(os, function.__name__, function)
    os.register_at_fork(after_in_child=_flights.clear)
    when_imported("subprocess", _patch)


def _wait_for_end(pid: int, timeout: float | None = None) -> bool:
    """Until the process `pid` has ended. False: `timeout` has passed."""
    try:
        fd = _pidfd_open(pid)
    except ProcessLookupError:
        return True
    except OSError:
        _in_thread(os.P_PID, pid, os.WEXITED)
        return True
    try:
        return green.poll_fd(fd, 1, timeout) != 0
    finally:
        os.close(fd)


def _in_thread(kind: int, id_: int, options: int) -> None:
    """Until there may be news; whoever wants it looks whether there is, or an error."""
    key = (kind, id_, options)
    news = _flights.get(key)
    if news is None:
        news = _flights[key] = green.Event("thread")
        _begin(key, news)
    news.wait()


def _begin(key: tuple[int, int, int], news: green.Event) -> None:
    kind, id_, options = key

    def wait() -> None:
        try:
            _waitid(kind, id_, options | os.WNOWAIT)
        finally:
            if _flights.get(key) is news:
                del _flights[key]
            news.set()

    try:
        _pool.start(wait)
    except BaseException:  # no thread can be started
        del _flights[key]
        raise


def _news_of(options: int) -> int:
    """The `waitid` options that see what `waitpid` with `options` sees."""
    news = os.WEXITED
    if options & os.WUNTRACED:
        news |= os.WSTOPPED
    if options & os.WCONTINUED:
        news |= os.WCONTINUED
    return news


def _await_news(pid: int, options: int) -> None:
    if pid > 0 and not options & (os.WUNTRACED | os.WCONTINUED):
        _wait_for_end(pid)
    elif pid > 0:
        _in_thread(os.P_PID, pid, _news_of(options))
    elif pid == -1:
        _in_thread(os.P_ALL, 0, _news_of(options))
    else:
        _in_thread(os.P_PGID, -pid or os.getpgrp(), _news_of(options))


def _reap(pid: int, options: int, reap: Any) -> Any:
    """What ``reap(options)`` gives, its first item being 0 as long as there is no news."""
    if options & os.WNOHANG or not green.can_park():
        return reap(options)
    while True:
        status = reap(options | os.WNOHANG)
        if status[0] != 0:
            return status
        _await_news(pid, options)


def waitpid(pid: int, options: int, /) -> tuple[int, int]:
    """As `os.waitpid`; a greenlet lets others run meanwhile."""
    return _reap(pid, options, lambda how: _waitpid(pid, how))  # type: ignore[no-any-return]


def wait() -> tuple[int, int]:
    """As `os.wait`; a greenlet lets others run meanwhile."""
    return waitpid(-1, 0)


def wait3(options: int) -> tuple[int, int, Any]:
    """As `os.wait3`; a greenlet lets others run meanwhile."""
    return _reap(-1, options, _wait3)  # type: ignore[no-any-return]


def wait4(pid: int, options: int) -> tuple[int, int, Any]:
    """As `os.wait4`; a greenlet lets others run meanwhile."""
    return _reap(pid, options, lambda how: _wait4(pid, how))  # type: ignore[no-any-return]


def waitid(idtype: int, id: int, options: int, /) -> os.waitid_result | None:
    """As `os.waitid`; a greenlet lets others run meanwhile."""
    if options & os.WNOHANG or not green.can_park():
        return _waitid(idtype, id, options)
    while True:
        result = _waitid(idtype, id, options | os.WNOHANG)
        if result is not None:
            return result
        if idtype == os.P_PID and options & ~os.WNOWAIT == os.WEXITED:
            _wait_for_end(id)
        else:
            _in_thread(idtype, id, options)


def system(command: Any) -> int:
    """As `os.system`; a greenlet lets others run meanwhile."""
    return _commands.run(_system, command)


def _patch(subprocess: ModuleType) -> None:
    cls = subprocess.Popen
    native_wait = cls._wait

    @functools.wraps(native_wait)
    def _wait(self: Any, timeout: float | None) -> Any:
        if self.returncode is None and green.can_park():
            limit = None if timeout is None else max(timeout, 0)
            if not _wait_for_end(self.pid, limit):
                raise subprocess.TimeoutExpired(self.args, timeout)
        return native_wait(self, timeout)

    replace(cls, "_wait", _wait)
    # It waits until the child runs the program. A kill that came then would leave a child
    # that nobody knows of.
    replace(cls, "_execute_child", shielded(cls._execute_child))
    replace(subprocess, "io", _PipeIO("io"))


class _PipeIO(CooperativeIO):
    """`io`, as `subprocess` sees it."""

    @staticmethod
    def open(file: int, mode: str, buffering: int = -1) -> Any:
        if buffering == 1:
            warnings.warn(
                "line buffering (buffering=1) isn't supported in binary mode, the "
                "default buffer size will be used",
                RuntimeWarning,
                stacklevel=3,
            )
        raw = PipeEnd(file, mode)
        if buffering == 0:
            return raw
        size = io.DEFAULT_BUFFER_SIZE if buffering < 0 or buffering == 1 else buffering
        if "r" in mode:
            return CooperativeIO.BufferedReader(raw, size)
        return CooperativeIO.BufferedWriter(raw, size)
