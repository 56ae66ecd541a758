"""Greenlets for applications: spawn, wait, time out, synchronise.

Everything here also works in native threads, where it blocks natively, but for `Timeout`
and `deadline`: nothing can be raised in a thread that waits. Nothing is patched by
importing it.
"""

from celadon._core.green import (
    BoundedSemaphore,
    Condition,
    Event,
    Lock,
    RLock,
    Semaphore,
    SimpleQueue,
    local,
    wait_fd,
)
from celadon._core.green import (
    hub_stats as stats,
)
from celadon._core.green import sleep as sleep
from celadon.green.groups import Group, Pool
from celadon.green.offload import native_thread, offload
from celadon.green.preemption import blocking_region, preempt
from celadon.green.queue import LifoQueue, PriorityQueue, Queue
from celadon.green.report import LoopExit, dump_greenlets
from celadon.green.result import AsyncResult
from celadon.green.spawn import Greenlet, current, spawn, spawn_later
from celadon.green.timeout import Timeout, deadline, shield

__all__ = [
    "AsyncResult",
    "BoundedSemaphore",
    "Condition",
    "Event",
    "Greenlet",
    "Group",
    "LifoQueue",
    "Lock",
    "LoopExit",
    "Pool",
    "PriorityQueue",
    "Queue",
    "RLock",
    "Semaphore",
    "SimpleQueue",
    "Timeout",
    "blocking_region",
    "current",
    "deadline",
    "dump_greenlets",
    "local",
    "native_thread",
    "offload",
    "preempt",
    "shield",
    "sleep",
    "spawn",
    "spawn_later",
    "stats",
    "wait_fd",
]
