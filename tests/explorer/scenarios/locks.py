"""Locks, semaphores, events, conditions and barriers: whoever is stopped wherever, the lock is
free, the permits are back, and the next caller is served."""

from __future__ import annotations

import threading
import time
from typing import Any

from celadon import green
from celadon.testing import Stage

from tests.explorer.catalogue import scenario


class Room:
    """Where only so many may be at a time."""

    def __init__(self, places: int = 1) -> None:
        self.places, self.inside = places, 0

    def __enter__(self) -> None:
        self.inside += 1
        assert self.inside <= self.places, "too many inside"

    def __exit__(self, *_: object) -> None:
        self.inside -= 1


def users(stage: Stage, lock: Any, places: int = 1, count: int = 3) -> Room:
    """Greenlets that go in, wait there, and come out."""
    room = Room(places)

    def use() -> None:
        with lock, room:
            time.sleep(0)

    for name in "abc"[:count]:
        stage.spawn(name, use)
    return room


def is_free(lock: Any, places: int = 1) -> None:
    for _ in range(places):
        assert lock.acquire(timeout=1), "the next caller is not served"
    assert not lock.acquire(blocking=False), "a permit too many"
    for _ in range(places):
        lock.release()


@scenario()
def lock(stage: Stage) -> Any:
    lock = threading.Lock()
    users(stage, lock)
    return lambda: is_free(lock)


@scenario()
def rlock_that_is_taken_twice(stage: Stage) -> Any:
    lock = threading.RLock()
    room = Room()

    def use() -> None:
        with lock, room:
            time.sleep(0)
            with lock:
                time.sleep(0)

    for name in "ab":
        stage.spawn(name, use)

    def check() -> None:
        assert lock.acquire(timeout=1)
        assert lock._recursion_count() == 1  # type: ignore[attr-defined]
        lock.release()

    return check


@scenario()
def lock_with_a_time_limit(stage: Stage) -> Any:
    lock = threading.Lock()
    room = Room()

    def use() -> str:
        if not lock.acquire(timeout=1):
            return "late"
        try:
            with room:
                time.sleep(2)
        finally:
            lock.release()
        return "done"

    for name in "abc":
        stage.spawn(name, use)
    return lambda: is_free(lock)


@scenario()
def lock_between_greenlets_and_a_thread(stage: Stage) -> Any:
    lock = threading.Lock()
    room = Room()

    def use() -> None:
        with lock, room:
            stage.point()

    stage.spawn("a", use)
    stage.thread("t", use)
    stage.spawn("b", use)
    return lambda: is_free(lock)


@scenario()
def semaphore(stage: Stage) -> Any:
    semaphore = threading.Semaphore(2)
    users(stage, semaphore, places=2)
    return lambda: is_free(semaphore, 2)


@scenario()
def bounded_semaphore(stage: Stage) -> Any:
    semaphore = threading.BoundedSemaphore(1)
    users(stage, semaphore)
    return lambda: is_free(semaphore)


@scenario()
def semaphore_of_green(stage: Stage) -> Any:
    semaphore = green.BoundedSemaphore(2)
    users(stage, semaphore, places=2)
    return lambda: is_free(semaphore, 2)


@scenario()
def semaphore_with_a_time_limit(stage: Stage) -> Any:
    semaphore = threading.Semaphore(1)

    def use() -> None:
        if semaphore.acquire(timeout=1):
            try:
                time.sleep(1)
            finally:
                semaphore.release()

    for name in "abc":
        stage.spawn(name, use)
    return lambda: is_free(semaphore)


@scenario()
def event(stage: Stage) -> Any:
    event = threading.Event()
    seen = []

    def wait() -> None:
        assert event.wait()
        seen.append(event.is_set())

    for name in "ab":
        stage.spawn(name, wait)
    stage.spawn("setter", event.set, deliver=())

    def check() -> None:
        assert all(seen)
        assert event.wait(0)

    return check


@scenario()
def event_with_a_time_limit(stage: Stage) -> Any:
    event = green.Event()

    def wait() -> None:
        event.wait(1)
        event.wait(1)
        assert event.wait(), "it is set after two"

    def set_it() -> None:
        time.sleep(2)
        event.set()

    stage.spawn("a", wait)
    stage.spawn("setter", set_it, deliver=())
    return None


@scenario()
def condition(stage: Stage) -> Any:
    """As a queue is made of one: what is taken is gone, what is not is there."""
    changed = threading.Condition()
    items: list[int] = []
    put: list[int] = []
    taken: list[int] = []

    def give(item: int) -> None:
        with changed:
            items.append(item)
            put.append(item)
            changed.notify()

    def take() -> None:
        with changed:
            while not items:
                if not changed.wait(5):
                    return
            taken.append(items.pop())

    stage.spawn("get", take)
    stage.spawn("get too", take)
    stage.spawn("put", give, 1)

    def check() -> None:
        assert sorted(put) == sorted(items + taken)
        assert changed.acquire(timeout=1), "the next caller is not served"
        changed.notify_all()
        changed.release()

    return check


@scenario()
def condition_wait_for(stage: Stage) -> Any:
    changed = threading.Condition(threading.Lock())
    state = {"open": False}

    def wait() -> None:
        with changed:
            assert changed.wait_for(lambda: state["open"])

    def open_it() -> None:
        with changed:
            state["open"] = True
            changed.notify_all()

    stage.spawn("a", wait)
    stage.spawn("b", wait)
    stage.spawn("opener", open_it, deliver=())
    return lambda: is_free(changed)


@scenario()
def barrier(stage: Stage) -> Any:
    barrier = threading.Barrier(2, timeout=5)
    broken = (threading.BrokenBarrierError,)

    for name in "ab":
        stage.spawn(name, barrier.wait, expected=broken)

    def check() -> None:
        if barrier.broken:
            barrier.reset()
        again = [green.spawn(barrier.wait) for _ in range(2)]
        assert sorted(each.get(timeout=1) for each in again) == [0, 1]

    return check


@scenario()
def rlock_of_green(stage: Stage) -> Any:
    lock = green.RLock()
    users(stage, lock)

    def check() -> None:
        assert lock.acquire(timeout=1), "the next caller is not served"
        lock.release()

    return check


@scenario()
def lock_of_green(stage: Stage) -> Any:
    lock = green.Lock()
    users(stage, lock)
    return lambda: is_free(lock)


@scenario()
def condition_of_green(stage: Stage) -> Any:
    """Who was notified goes on, or hands it to the next one."""
    lock = green.Lock()
    changed = green.Condition(lock)
    tickets: list[int] = []
    used: list[int] = []

    def use() -> None:
        with lock:
            while not tickets:
                changed.wait()
            used.append(tickets.pop())
            changed.notify()

    def give() -> None:
        with lock:
            tickets.extend((1, 2))
            changed.notify()

    stage.spawn("a", use)
    stage.spawn("b", use)
    stage.spawn("giver", give, deliver=())

    def check() -> None:
        assert len(used) == [stage.ended_by(name) for name in "ab"].count("value")
        is_free(lock)

    return check


@scenario()
def lock_that_another_gives_back(stage: Stage) -> Any:
    """As a lock that is a signal: whoever gives it back, one goes on."""
    lock = threading.Lock()
    lock.acquire()
    passed: list[int] = []

    def wait() -> None:
        lock.acquire()
        passed.append(1)
        lock.release()

    stage.spawn("a", wait)
    stage.spawn("b", wait)
    stage.spawn("giver", lock.release, deliver=())

    def check() -> None:
        assert len(passed) == [stage.ended_by(name) for name in "ab"].count("value")
        is_free(lock)

    return check
