"""What a loop has to run, in its order, whoever drives.

On asyncio's own loop a callback is over before the next one begins. Here one may wait in a
call that blocks while others run. Not so what has its context (`contextvars`), which nobody
can be in twice: another task of it, or the callback itself, where its descriptor is ready
again or its signal comes again. That waits until it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import selectors
from collections import deque

from celadon._core import aio as _aio
from celadon.aio import state
from celadon.aio.tasks import TaskLoop

_Event = tuple[selectors.SelectorKey, int]
_FLAGS = (
    (selectors.EVENT_READ, select.EPOLLIN),
    (selectors.EVENT_WRITE, select.EPOLLOUT),
)


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

    def _run_ready(self, reign: int) -> None:
        """Runs what was ready then; what that adds comes after the next look around."""
        ready, begin_step = self._ready, self._rest.begin_step
        while self._left:
            self._left -= 1
            handle = ready.popleft()
            if handle.cancelled():
                continue
            if self._held and id(_context_of(handle)) in self._held:
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

    def _hold(self) -> None:
        """Another one drives from now on: what ran waits."""
        handle, self._running = self._running, None
        context = _context_of(handle)
        if handle is not None and context is not None:
            self._held[id(context)] = handle

    def _let_go(self, handle: asyncio.Handle) -> None:
        """It is over, behind what others did meanwhile."""
        self._held.pop(id(_context_of(handle)), None)
        self._ready.extendleft(reversed(self._put_off))
        self._left += len(self._put_off)
        self._put_off.clear()
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
            if handle is not None and self._held.get(id(handle._context)) is handle:
                held |= event
        if events & held and self._muted.get(key.fd) is not key:
            self._muted[key.fd] = key
            self._listen(key.fd, key.events & ~held)
        return events & ~held

    def _listen(self, fd: int, events: int) -> None:
        """Of its epoll object alone: its selector knows what is wanted."""
        flags = sum(flag for event, flag in _FLAGS if events & event)
        poller: select.epoll = self._selector._selector  # type: ignore[attr-defined]
        with contextlib.suppress(OSError):  # it is closed
            # That a peer has gone is told in any case: once, this way.
            poller.modify(fd, flags or select.EPOLLET)


def _context_of(handle: asyncio.Handle | None) -> object:
    """None of what the core runs."""
    return getattr(handle, "_context", None)
