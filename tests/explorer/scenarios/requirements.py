"""Interleavings that were found by hand, by the id of their requirement."""

from __future__ import annotations

import gc
import socket
import threading
from typing import Any

from celadon import green
from celadon.testing import Stage

from tests.explorer.catalogue import scenario


@scenario(proves=("G06",))
def limit_that_is_cancelled_by_another(stage: Stage) -> Any:
    """It fired, and before its greenlet went on somebody took it back."""
    lock = green.Lock()
    inside: list[int] = []
    limits: list[green.Timeout] = []

    def hold() -> None:
        with lock:
            inside.append(1)
            green.sleep(2)
            inside.pop()

    def wait() -> None:
        limits.append(green.Timeout(1))
        limits[0].start()
        try:
            with lock:
                assert not inside, "inside without the lock"
        finally:
            limits[0].cancel()

    def cancel() -> None:
        green.sleep(1)
        limits[0].cancel()

    stage.spawn("holder", hold, deliver=())
    stage.spawn("waiter", wait, deliver=(), expected=(green.Timeout,))
    stage.spawn("canceller", cancel, deliver=(), expected=(IndexError,))
    return lambda: lock.acquire(timeout=5)


@scenario(proves=("G06",))
def limit_of_a_recv_that_is_cancelled_by_another(stage: Stage) -> Any:
    left, right = socket.socketpair()
    stage.at_end(left.close)
    stage.at_end(right.close)
    limit = green.Timeout(1)

    def receive() -> None:
        with limit:
            assert left.recv(1) == b"x"

    def cancel() -> None:
        green.sleep(1)
        limit.cancel()
        green.sleep(1)
        right.sendall(b"x")

    stage.spawn("receiver", receive, deliver=(), expected=(green.Timeout,))
    stage.spawn("canceller", cancel, deliver=())
    return None


def finalizer(stage: Stage, wait: Any) -> Any:
    """Who holds a lock has to wait; another's garbage wants it."""
    lock = threading.Lock()
    done: list[int] = []

    class Dropped:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            with lock:
                done.append(1)

    def hold() -> None:
        with lock:
            wait()

    def collect() -> None:
        Dropped()
        gc.collect()

    stage.spawn("holder", hold)
    stage.spawn("collector", collect, deliver=())

    def check() -> None:
        gc.collect()
        assert done == [1]

    return check


@scenario(proves=("G09",))
def finalizer_that_takes_a_lock(stage: Stage) -> Any:
    return finalizer(stage, stage.point)


@scenario(fault="in a collection nothing can be waited for")
def finalizer_that_takes_a_lock_of_one_who_waits(stage: Stage) -> Any:
    """The collector has the heads of its lists on the C stack, which a switch would copy
    away from under them; and its finalizers run at any allocation, so not even
    `gc.collect` on a native thread, which may wait, would help but who calls it."""
    return finalizer(stage, lambda: green.sleep(0))


@scenario(proves=("G14",), kept=("1 kill a",))
def condition_that_waits_for_no_time(stage: Stage) -> Any:
    """What cannot wait is no place for a kill."""
    changed = threading.Condition()
    items: list[int] = []

    def put() -> None:
        with changed:
            items.append(1)
            changed.wait(0)

    stage.spawn("a", put)
    stage.spawn("b", put)

    def check() -> None:
        assert len(items) == [stage.ended_by(name) for name in "ab"].count("value")

    return check


@scenario(proves=("G14",), kept=("1 kill a",))
def semaphore_that_waits_for_no_time(stage: Stage) -> Any:
    tries = threading.Semaphore(0)
    items: list[int] = []

    def put() -> None:
        items.append(1)
        tries.acquire(timeout=0)

    stage.spawn("a", put)
    stage.spawn("b", put)

    def check() -> None:
        assert len(items) == [stage.ended_by(name) for name in "ab"].count("value")

    return check
