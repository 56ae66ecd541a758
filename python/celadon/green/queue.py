"""Queues between greenlets and threads, with the standard library's names."""

from __future__ import annotations

import collections
import heapq
import sys
import time
from collections.abc import Callable
from queue import Empty, Full
from typing import Any

from celadon._core.green import Condition, Lock
from celadon.green.turns import wait_turn

_ENDLESS = sys.maxsize


class ShutDown(Exception):
    """`put` or `get` on a queue that was shut down."""


class Queue:
    """First in, first out; ``maxsize`` 0 means without bound."""

    def __init__(self, maxsize: int = 0) -> None:
        self.maxsize = maxsize
        self._mutex = Lock()._brief()
        self._not_empty = Condition(self._mutex)
        self._not_full = Condition(self._mutex)
        self._all_done = Condition(self._mutex)
        self.unfinished_tasks = 0
        self._is_shutdown = False
        self._init()

    def _init(self) -> None:
        self._items: Any = collections.deque()

    def _put(self, item: Any) -> None:
        self._items.append(item)

    def _get(self) -> Any:
        return self._items.popleft()

    def _peek(self) -> Any:
        return self._items[0]

    def qsize(self) -> int:
        return len(self._items)

    def empty(self) -> bool:
        return not self._items

    def full(self) -> bool:
        return 0 < self.maxsize <= len(self._items)

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Raises `queue.Full` after `timeout` seconds, `ShutDown` once shut down."""
        end = _end(block, timeout)
        with self._mutex:
            self._check_open()
            if not self._has_turn(self._not_full, self._room, block, end):
                raise Full
            self._check_open()
            self._put(item)
            self.unfinished_tasks += 1
            self._not_empty.notify()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Raises `queue.Empty` after `timeout` seconds, `ShutDown` once drained."""
        end = _end(block, timeout)
        with self._mutex:
            if not self._has_turn(self._not_empty, self._there, block, end):
                raise Empty
            if not self._items:
                raise ShutDown
            item = self._get()
            self._not_full.notify()
            return item

    def peek(self, block: bool = True, timeout: float | None = None) -> Any:
        """What `get` would return, without taking it."""
        end = _end(block, timeout)
        with self._mutex:
            if not self._items:
                if not self._has_turn(self._not_empty, self._there, block, end):
                    raise Empty
                if not self._items:
                    raise ShutDown
                self._not_empty.notify()  # it stays there for somebody else
            return self._peek()

    def _there(self) -> int:
        return _ENDLESS if self._is_shutdown else len(self._items)

    def _room(self) -> int:
        if self.maxsize <= 0 or self._is_shutdown:
            return _ENDLESS
        return self.maxsize - len(self._items)

    @staticmethod
    def _has_turn(
        condition: Condition,
        available: Callable[[], int],
        block: bool,
        end: float | None,
    ) -> bool:
        """False: there is nothing, and it must not or cannot be waited for."""
        if not block:
            return available() > 0
        return wait_turn(condition, available, end)

    def put_nowait(self, item: Any) -> None:
        self.put(item, block=False)

    def get_nowait(self) -> Any:
        return self.get(block=False)

    def task_done(self) -> None:
        with self._mutex:
            if self.unfinished_tasks <= 0:
                raise ValueError("task_done() called too many times")
            self.unfinished_tasks -= 1
            if self.unfinished_tasks == 0:
                self._all_done.notify_all()

    def join(self) -> None:
        """Waits until every item was taken and `task_done`."""
        with self._mutex:
            while self.unfinished_tasks:
                self._all_done.wait()

    def shutdown(self, immediate: bool = False) -> None:
        """Further puts raise `ShutDown`; gets too once empty, or at once."""
        with self._mutex:
            self._is_shutdown = True
            if immediate:
                while self._items:
                    self._get()
                    self.unfinished_tasks = max(0, self.unfinished_tasks - 1)
                if self.unfinished_tasks == 0:
                    self._all_done.notify_all()
            self._not_empty.notify_all()
            self._not_full.notify_all()

    def _check_open(self) -> None:
        if self._is_shutdown:
            raise ShutDown


class LifoQueue(Queue):
    """Last in, first out."""

    def _init(self) -> None:
        self._items = []

    def _get(self) -> Any:
        return self._items.pop()

    def _peek(self) -> Any:
        return self._items[-1]


class PriorityQueue(Queue):
    """The smallest item first."""

    def _init(self) -> None:
        self._items = []

    def _put(self, item: Any) -> None:
        heapq.heappush(self._items, item)

    def _get(self) -> Any:
        return heapq.heappop(self._items)


def _end(block: bool, timeout: float | None) -> float | None:
    if timeout is None or not block:
        return None
    if timeout < 0:
        raise ValueError("'timeout' must be a non-negative number")
    return time.monotonic() + timeout
