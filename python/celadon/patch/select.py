"""`select`: what waits for many descriptors at once.

A greenlet waits for the epoll object itself, which is ready when one of its members is.
For `select` and `poll` objects one is made for the time of the wait.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import math
import os
import select
import time
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, TypeVar

from celadon._core import green
from celadon.patch.imports import when_imported
from celadon.patch.numbers import plain
from celadon.patch.registry import replace

T = TypeVar("T")
Ready = tuple[list[Any], list[Any], list[Any]]

_epoll_poll = select.epoll.poll
_select = select.select
_Poll = type(select.poll())
_poll_poll = _Poll.poll
_FD_SETSIZE = 1024  # what a set of bits of the C library holds
# Beyond these CPython raises OverflowError.
_MOST_MILLISECONDS = 2**31 - 1
_MOST_SECONDS = 2**63 / 1e9


def install() -> None:
    replace(select.epoll, "poll", poll)
    replace(select, "select", select_cooperatively)
    if _tells_its_members():
        replace(_Poll, "poll", poll_cooperatively)
    when_imported("selectors", _patch_selectors)


def _patch_selectors(selectors: ModuleType) -> None:
    replace(selectors.SelectSelector, "_select", select_cooperatively)


def _tells_its_members() -> bool:
    probe = select.poll()
    probe.register(0, select.POLLIN)
    return green.poll_members(probe) == {0: select.POLLIN}


def _waits_for_nothing(timeout: Any) -> bool:
    """Whether CPython's own function answers at once, if only by an error."""
    if timeout is None:
        return not green.can_park()
    if not isinstance(timeout, int | float) or timeout == 0 or not green.can_park():
        return True
    return not abs(timeout) < _MOST_SECONDS  # or it is no number: CPython says so


def _wait_until(look: Callable[[], T], fd: Any, timeout: float | None) -> T:
    """What ``look()`` finds once `fd` is ready, or `timeout` seconds are over."""
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = None if end is None else max(0.0, end - time.monotonic())
        is_over = green.poll_fd(fd, 1, left) == 0
        found = look()
        if found or is_over:
            return found


def poll(
    self: select.epoll, timeout: float | None = None, maxevents: int = -1
) -> list[tuple[int, int]]:
    """As `select.epoll.poll`; a greenlet lets others run meanwhile."""
    timeout = plain(timeout)
    is_too_long = (timeout or 0) > _MOST_MILLISECONDS / 1000
    if _waits_for_nothing(timeout) or is_too_long:
        return _epoll_poll(self, timeout, maxevents)
    look = functools.partial(_epoll_poll, self, 0, maxevents)
    endless = timeout is None or timeout < 0
    return look() or _wait_until(look, self, None if endless else timeout)


def _sequence(items: Iterable[Any]) -> Iterable[Any]:
    """`items`, or a list where looking would use them up."""
    return items if isinstance(items, list | tuple) else list(items)


def _plain(rlist: Any, wlist: Any, xlist: Any, timeout: float | None) -> Ready:
    """As `select.select`, also of descriptors that its sets of bits have no room for."""
    lists = _sequence(rlist), _sequence(wlist), _sequence(xlist)
    try:
        return _select(*lists, timeout)
    except ValueError:
        masks = _masks(*lists)
        if min(masks, default=0) < 0 or max(masks, default=0) < _FD_SETSIZE:
            raise
    poll = select.poll()
    for fd, mask in masks.items():
        poll.register(fd, mask)
    endless = timeout is None or timeout < 0
    limit = None if endless else math.ceil((timeout or 0) * 1000)
    found = dict(_poll_poll(poll, limit))
    if any(events & select.POLLNVAL for events in found.values()):
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    kinds = (
        select.POLLIN | select.POLLHUP | select.POLLERR,
        select.POLLOUT | select.POLLERR,
        select.POLLPRI,
    )
    r, w, x = (
        [file for file in files if found.get(_number(file), 0) & kind]
        for files, kind in zip(lists, kinds, strict=True)
    )
    return r, w, x


def _watch(group: select.epoll, fd: int, events: int) -> None:
    # What epoll refuses, a regular file, was ready at once or never will be.
    with contextlib.suppress(PermissionError):
        group.register(fd, events)


def _number(file: Any) -> int:
    return file if isinstance(file, int) else int(file.fileno())


def select_cooperatively(
    rlist: Iterable[Any],
    wlist: Iterable[Any],
    xlist: Iterable[Any],
    timeout: float | None = None,
    /,
) -> Ready:
    """As `select.select`; a greenlet lets others run meanwhile."""
    timeout = plain(timeout)
    if _waits_for_nothing(timeout) or (timeout is not None and timeout < 0):
        return _plain(rlist, wlist, xlist, timeout)
    given = _sequence(rlist), _sequence(wlist), _sequence(xlist)
    # What cannot be polled, such as a file, is ready always; errors come out here too.
    ready = _plain(*given, 0)
    if any(ready):
        return ready
    lists = list(given[0]), list(given[1]), list(given[2])
    masks = _masks(*lists)
    with select.epoll() as members:
        for fd, mask in masks.items():
            _watch(members, fd, mask | select.EPOLLONESHOT)

        def look() -> Ready | None:
            reported = _epoll_poll(members, 0)
            now = _plain(*lists, 0)
            if any(now):
                return now
            # A hang-up that nobody asked about would be reported for ever.
            for fd, events in reported:
                if events & masks[fd]:
                    members.modify(fd, masks[fd] | select.EPOLLONESHOT)
            return None

        return _wait_until(look, members, timeout) or ([], [], [])


def poll_cooperatively(
    self: Any, timeout: float | None = None, /
) -> list[tuple[int, int]]:
    """As `select.poll().poll`, in milliseconds; a greenlet lets others run meanwhile."""
    timeout = plain(timeout)
    direct = _waits_for_nothing(timeout) or (timeout or 0) > _MOST_MILLISECONDS
    members = {} if direct else green.poll_members(self)
    if not members:
        return _poll_poll(self, timeout)
    ready = _poll_poll(self, 0)
    if ready:
        return ready
    seconds = None if timeout is None or timeout < 0 else timeout / 1000
    look = functools.partial(_poll_poll, self, 0)
    with select.epoll() as group:
        for fd, events in members.items():
            _watch(group, fd, events)
        return _wait_until(look, group, seconds)


def _masks(
    rlist: Iterable[Any], wlist: Iterable[Any], xlist: Iterable[Any]
) -> dict[int, int]:
    masks: dict[int, int] = {}
    kinds = select.EPOLLIN, select.EPOLLOUT, select.EPOLLPRI
    for files, kind in zip((rlist, wlist, xlist), kinds, strict=True):
        for file in files:
            fd = _number(file)
            masks[fd] = masks.get(fd, 0) | kind
    return masks
