"""pyzmq: a socket says by its own descriptor that its state may have changed, and the
greenlet waits for that.

The descriptor tells of changes alone, and whoever looks at the state takes that away from
others who wait for the same socket: so everybody looks again after a while.
"""

from __future__ import annotations

import functools
import select
import time
from types import ModuleType
from typing import Any

import zmq

from celadon._core.green import can_park
from celadon.green.offload import offload
from celadon.patch.registry import replace

_AGAIN = 0.05  # seconds
_RECEIVING = ("recv", "recv_into")


def adapt(module: ModuleType) -> None:
    cls: Any = zmq.Socket
    for name in _RECEIVING:
        if hasattr(cls, name):
            replace(cls, name, _waiting(getattr(cls, name), zmq.POLLIN, zmq.RCVTIMEO))
    replace(cls, "send", _waiting(cls.send, zmq.POLLOUT, zmq.SNDTIMEO))
    _adapt_poller(zmq.Poller)
    replace(zmq.Context, "term", _offloaded(zmq.Context.term))
    for name in ("proxy", "proxy_steerable", "device"):
        if hasattr(zmq, name):
            replace(zmq, name, _offloaded(getattr(zmq, name)))


def _offloaded(native: Any) -> Any:
    @functools.wraps(native)
    def method(*args: Any, **kwargs: Any) -> Any:
        return offload(native, *args, **kwargs)

    return method


def _waiting(native: Any, event: int, limit: int) -> Any:
    """The method `native`, whose flags are the second argument of both kinds."""
    place = 2 if native.__name__ == "recv_into" else (1 if event == zmq.POLLOUT else 0)

    @functools.wraps(native)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = list(args)
        by_place = place < len(given) and native.__name__ != "recv_into"
        flags = given[place] if by_place else kwargs.get("flags", 0)
        if not can_park() or flags & zmq.NOBLOCK:
            return native(self, *args, **kwargs)
        if by_place:
            given[place] = flags | zmq.NOBLOCK
        else:
            kwargs["flags"] = flags | zmq.NOBLOCK
        milliseconds = self.getsockopt(limit)
        end = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000
        while True:
            try:
                return native(self, *given, **kwargs)
            except zmq.Again:
                if end is not None and time.monotonic() >= end:
                    raise
            _wait(self, event, end)

    return method


def _wait(socket: Any, event: int, end: float | None) -> None:
    if socket.getsockopt(zmq.EVENTS) & event:
        return
    left = _AGAIN if end is None else max(0.0, min(_AGAIN, end - time.monotonic()))
    # Raises what was sent to this greenlet, a TimeoutError too, and not that time is over.
    _descriptors([(socket, event)]).poll(1000 * left)


def _descriptors(sockets: Any) -> Any:
    """The standard library's poll object for what zmq's looks at."""
    found = select.poll()
    for each, events in sockets:
        if isinstance(each, zmq.Socket):
            number: Any = each.getsockopt(zmq.FD)
            found.register(number, select.POLLIN)
        else:
            wanted = select.POLLIN if events & zmq.POLLIN else 0
            wanted |= select.POLLOUT if events & zmq.POLLOUT else 0
            found.register(each, wanted)
    return found


def _adapt_poller(cls: Any) -> None:
    native = cls.poll

    @functools.wraps(native)
    def poll(self: Any, timeout: float | None = None) -> Any:
        limited = timeout is not None and timeout >= 0
        end = time.monotonic() + (timeout or 0) / 1000 if limited else None
        while True:
            found = native(self, 0 if can_park() else timeout)
            left = None if end is None else end - time.monotonic()
            if found or not can_park() or (left is not None and left <= 0):
                return found
            seconds = _AGAIN if left is None else min(left, _AGAIN)
            _descriptors(self.sockets).poll(1000 * seconds)

    replace(cls, "poll", poll)
