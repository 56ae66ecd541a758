"""What a loop has to run, in its order, whoever drives.

On asyncio's own loop a callback is over before the next one begins. Here one may wait in a
call that blocks while others run. Not so what has its context (`contextvars`), which nobody
can be in twice: another task of it, or the callback itself, where its descriptor is ready
again or its signal comes again. Nor what follows for the protocol of the same transport,
which hears of one thing after another (`connection_made`, `data_received`, ...), also where
somebody pauses and resumes it meanwhile. That waits until it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import selectors
from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from celadon._core import aio as _aio
from celadon.aio import state
from celadon.aio.tasks import TaskLoop

_Event = tuple[selectors.SelectorKey, int]
_FLAGS = (
    (selectors.EVENT_READ, select.EPOLLIN),
    (selectors.EVENT_WRITE, select.EPOLLOUT),
)
# What asyncio calls for a transport soon, and its protocol hears of next.
_FOLLOWS = ("_add_reader", "_call_connection_lost")


class HandleLoop(TaskLoop):
    """What a loop has to do with its handles."""

    # asyncio's own, which its stubs do not tell of.
    _ready: deque[asyncio.Handle]
    _selector: selectors.EpollSelector
    _debug: bool
    _rest: _aio.LoopWait
    _reign: int  # of who drives
    _is_forked: bool

    def __init__(self, selector: selectors.EpollSelector) -> None:
        super().__init__(selector)
        # How many of those are left that the last look around has found ready. Another
        # look would find descriptors ready whose callbacks have not run yet.
        self._left = 0
        self._running: asyncio.Handle | None = None
        self._held: dict[int, asyncio.Handle] = {}  # by their contexts
        self._put_off: list[asyncio.Handle] = []
        self._muted: dict[int, selectors.SelectorKey] = {}  # by descriptor
        # What those call whose descriptor was taken from them while they run.
        self._replaced: WeakKeyDictionary[asyncio.Handle, Any] = WeakKeyDictionary()

    def _run_ready(self, reign: int) -> None:
        """Runs what was ready then; what that adds comes after the next look around."""
        ready, begin_step = self._ready, self._rest.begin_step
        while self._left:
            self._left -= 1
            handle = ready.popleft()
            if handle.cancelled():
                continue
            if self._held and self._must_wait(handle):
                self._put_off.append(handle)
                continue
            self._running = handle
            begin_step(handle)
            try:
                if self._debug:
                    state.run_watched(self, handle)
                else:
                    handle._run()
            finally:
                if self._reign == reign:
                    self._running = None
                elif not self._is_forked:  # whose epoll object is its parent's
                    self._let_go(handle)
            if self._reign != reign:
                if self._is_forked:
                    state.end_child(handle)
                break  # it waited, and others drove meanwhile
        handle = None  # type: ignore[assignment]  # it may know an error that knows us

    def _must_wait(self, handle: asyncio.Handle) -> bool:
        if id(_context_of(handle)) in self._held:
            return True
        callback = getattr(handle, "_callback", None)
        if getattr(callback, "__name__", "") not in _FOLLOWS:
            return False
        transport = _transport_of(callback, handle._args)
        return transport is not None and any(
            transport is self._works_for(each) for each in self._held.values()
        )

    def _works_for(self, handle: asyncio.Handle) -> asyncio.BaseTransport | None:
        callback = self._replaced.get(handle) or handle._callback  # type: ignore[attr-defined]
        return _transport_of(callback, handle._args)

    def _hold(self) -> None:
        """Another one drives from now on: what ran waits."""
        handle, self._running = self._running, None
        context = _context_of(handle)
        if handle is not None and context is not None:
            self._held[id(context)] = handle

    def _let_go(self, handle: asyncio.Handle) -> None:
        """It is over, behind what others did meanwhile."""
        self._held.pop(id(_context_of(handle)), None)
        if self._put_off:
            self._ready.extendleft(reversed(self._put_off))
            self._left += len(self._put_off)
            self._put_off.clear()
            # Who drives may rest.
            self._write_to_self()  # type: ignore[attr-defined]
        while self._muted:
            fd, _ = self._muted.popitem()
            if (key := self._selector.get_map().get(fd)) is not None:
                self._listen(fd, key.events)

    def close(self) -> None:
        super().close()
        self._put_off.clear()
        self._muted.clear()

    def _process_events(self, event_list: list[_Event]) -> None:
        if self._held:
            event_list = [
                (key, self._without_held(key, had)) for key, had in event_list
            ]
        super()._process_events(event_list)  # type: ignore[misc]

    def _without_held(self, key: selectors.SelectorKey, events: int) -> int:
        """What of it has no callback that waits; the rest is not heard of any more, or
        nobody would ever rest."""
        held = 0
        for (event, _), handle in zip(_FLAGS, key.data, strict=True):
            if handle is not None and self._is_held(handle):
                held |= event
        if events & held and self._muted.get(key.fd) is not key:
            self._muted[key.fd] = key
            self._listen(key.fd, key.events & ~held)
        return events & ~held

    def _is_held(self, handle: asyncio.Handle) -> bool:
        """Or another one of the same callback."""
        if self._held.get(id(_context_of(handle))) is handle:
            return True
        callback = handle._callback  # type: ignore[attr-defined]
        return any(self._replaced.get(each) == callback for each in self._held.values())

    def _add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> Any:
        self._note_replaced(fd)
        return super()._add_reader(fd, callback, *args)  # type: ignore[misc]

    def _remove_reader(self, fd: Any) -> Any:
        self._note_replaced(fd)
        return super()._remove_reader(fd)  # type: ignore[misc]

    def _add_writer(self, fd: Any, callback: Callable[..., Any], *args: Any) -> Any:
        self._note_replaced(fd)
        return super()._add_writer(fd, callback, *args)  # type: ignore[misc]

    def _remove_writer(self, fd: Any) -> Any:
        self._note_replaced(fd)
        return super()._remove_writer(fd)  # type: ignore[misc]

    def _note_replaced(self, fd: Any) -> None:
        """A handle forgets what it calls when it is cancelled, as it is about to be."""
        key = (self._selector.get_map() or {}).get(fd)
        for handle in key.data if key is not None else ():
            if handle is not None and (
                handle is self._running or handle in self._held.values()
            ):
                self._replaced[handle] = handle._callback

    def _listen(self, fd: int, events: int) -> None:
        """Of its epoll object alone: its selector knows what is wanted."""
        flags = sum(flag for event, flag in _FLAGS if events & event)
        poller: select.epoll = self._selector._selector  # type: ignore[attr-defined]
        with contextlib.suppress(OSError):  # it is closed
            # That a peer has gone is told in any case: once, this way.
            poller.modify(fd, flags or select.EPOLLET)


def _transport_of(callback: Any, args: Any) -> asyncio.BaseTransport | None:
    """The one that this is of, or is about."""
    for each in (callback, *(args or ())):
        for it in (each, getattr(each, "__self__", None)):
            if isinstance(it, asyncio.BaseTransport):
                return it
    return None


def _context_of(handle: asyncio.Handle | None) -> object:
    """None of what the core runs."""
    return getattr(handle, "_context", None)
