"""Queues: an operation took effect or raised, never both; nothing is lost, nothing is there
twice, and the queue goes on."""

from __future__ import annotations

import queue
from typing import Any

from celadon import green
from celadon.green.queue import ShutDown
from celadon.testing import Stage

from tests.explorer.catalogue import scenario


class Traffic:
    """Who puts what, and what becomes of it."""

    def __init__(self, stage: Stage, items: Any) -> None:
        self.stage, self.items = stage, items
        self.put: list[int] = []
        self.taken: list[int] = []

    def puts(self, name: str, *values: int) -> None:
        def put() -> None:
            for value in values:
                self.items.put(value, timeout=5)
                self.put.append(value)

        self.stage.spawn(name, put, expected=(queue.Full,))

    def gets(self, name: str, count: int = 1) -> None:
        def get() -> None:
            for _ in range(count):
                self.taken.append(self.items.get(timeout=5))

        self.stage.spawn(name, get, expected=(queue.Empty,))

    def check(self) -> None:
        left = []
        while not self.items.empty():
            left.append(self.items.get(timeout=1))
        assert sorted(self.put) == sorted(self.taken + left)
        self.items.put(99, timeout=1)
        assert self.items.get(timeout=1) == 99, "the next caller is not served"


def two_of_each(stage: Stage, items: Any) -> Any:
    traffic = Traffic(stage, items)
    traffic.gets("get")
    traffic.puts("put", 1, 2)
    traffic.gets("get too")
    return traffic.check


@scenario()
def queue_of_green(stage: Stage) -> Any:
    return two_of_each(stage, green.Queue(1))


@scenario()
def simple_queue_of_green(stage: Stage) -> Any:
    return two_of_each(stage, green.SimpleQueue())


@scenario()
def queue_of_one(stage: Stage) -> Any:
    return two_of_each(stage, queue.Queue(1))


@scenario()
def queue_without_bound(stage: Stage) -> Any:
    return two_of_each(stage, queue.Queue())


@scenario()
def lifo_queue(stage: Stage) -> Any:
    return two_of_each(stage, queue.LifoQueue(1))


@scenario()
def priority_queue(stage: Stage) -> Any:
    return two_of_each(stage, queue.PriorityQueue(1))


@scenario()
def simple_queue(stage: Stage) -> Any:
    return two_of_each(stage, queue.SimpleQueue())


@scenario()
def queue_of_green_that_is_looked_into(stage: Stage) -> Any:
    traffic = Traffic(stage, green.Queue(1))
    stage.spawn("peek", traffic.items.peek, True, 5, expected=(queue.Empty,))
    traffic.gets("get")
    traffic.puts("put", 1)
    return traffic.check


@scenario()
def lifo_queue_of_green(stage: Stage) -> Any:
    return two_of_each(stage, green.LifoQueue(1))


@scenario()
def priority_queue_of_green(stage: Stage) -> Any:
    return two_of_each(stage, green.PriorityQueue(1))


@scenario()
def queue_that_is_full(stage: Stage) -> Any:
    traffic = Traffic(stage, queue.Queue(1))
    traffic.puts("put", 1)
    traffic.puts("put too", 2)
    traffic.gets("get", 2)
    return traffic.check


@scenario()
def queue_of_green_that_is_full(stage: Stage) -> Any:
    traffic = Traffic(stage, green.Queue(1))
    traffic.puts("put", 1)
    traffic.puts("put too", 2)
    traffic.gets("get", 2)
    return traffic.check


@scenario()
def queue_that_is_joined(stage: Stage) -> Any:
    items: Any = queue.Queue()
    items.put(1)

    def work() -> None:
        items.get()
        try:
            green.sleep(0)
        finally:
            items.task_done()

    stage.spawn("worker", work, deliver=())
    stage.spawn("joiner", items.join)
    stage.spawn("joiner too", items.join)
    return lambda: items.join()


@scenario()
def queue_between_a_greenlet_and_a_thread(stage: Stage) -> Any:
    items: Any = queue.SimpleQueue()
    traffic = Traffic(stage, items)

    def put() -> None:
        for value in (1, 2):
            items.put(value)
            traffic.put.append(value)

    traffic.gets("get")
    stage.thread("t", put)
    traffic.gets("get too")
    return traffic.check


@scenario()
def queue_of_green_that_is_shut_down(stage: Stage) -> Any:
    items = green.Queue(1)
    stage.spawn("get", items.get, expected=(ShutDown,))
    stage.spawn("put", items.put, 1, expected=(ShutDown,))
    stage.spawn("shut", items.shutdown, deliver=())
    return None
