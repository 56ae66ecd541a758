"""Faults of each kind that the explorer must find, beside versions in which it finds nothing."""

from __future__ import annotations

import socket
import time
from typing import Any

from celadon import green
from celadon.testing import Stage

from tests.explorer.catalogue import scenario

PLANTED = "planted"


def waits_for_news(stage: Stage, forget: bool) -> None:
    event = green.Event()

    def wait() -> None:
        if forget:
            event.clear()  # what was said before is forgotten
        event.wait()

    stage.spawn("waiter", wait, deliver=())
    stage.spawn("setter", event.set, deliver=())


@scenario(fault=PLANTED)
def lost_wake_up(stage: Stage) -> None:
    waits_for_news(stage, forget=True)


@scenario()
def kept_wake_up(stage: Stage) -> None:
    waits_for_news(stage, forget=False)


def uses_a_lock(stage: Stage, careful: bool) -> Any:
    lock = green.Lock()

    def use() -> None:
        lock.acquire()
        if not careful:
            green.sleep(0)  # a kill that comes here keeps the lock
        try:
            green.sleep(0)
        finally:
            lock.release()

    stage.spawn("a", use)
    stage.spawn("b", use)

    def check() -> None:
        assert lock.acquire(timeout=1), "the lock is held"

    return check


@scenario(fault=PLANTED)
def leaked_lock(stage: Stage) -> Any:
    return uses_a_lock(stage, careful=False)


@scenario()
def returned_lock(stage: Stage) -> Any:
    return uses_a_lock(stage, careful=True)


class Permits:
    """A pool of places that hands one over to who waits."""

    def __init__(self, careful: bool) -> None:
        self.free, self.careful = 1, careful
        self.waiting: list[green.Event] = []

    def acquire(self) -> None:
        if self.free:
            self.free -= 1
            return
        turn = green.Event()
        self.waiting.append(turn)
        try:
            turn.wait()
        except BaseException:
            if self.careful:
                if turn in self.waiting:
                    self.waiting.remove(turn)
                else:
                    self.release()
            raise

    def release(self) -> None:
        if self.waiting:
            self.waiting.pop(0).set()
        else:
            self.free += 1


def uses_permits(stage: Stage, careful: bool) -> Any:
    permits = Permits(careful)

    def use() -> None:
        permits.acquire()
        try:
            green.sleep(0)
        finally:
            permits.release()

    stage.spawn("a", use)
    stage.spawn("b", use)

    def check() -> None:
        assert permits.free == 1, "the permit is lost"

    return check


@scenario(fault=PLANTED)
def lost_permit(stage: Stage) -> Any:
    return uses_permits(stage, careful=False)


@scenario()
def kept_permit(stage: Stage) -> Any:
    return uses_permits(stage, careful=True)


def takes_letters(stage: Stage, careful: bool) -> Any:
    letters, taken = [1], []

    def take(reads: bool) -> None:
        while letters:
            letter = letters.pop() if careful else letters[0]
            if reads:
                green.sleep(0)
            if letter in letters:
                letters.remove(letter)
            taken.append(letter)

    stage.spawn("a", take, False, deliver=())
    stage.spawn("b", take, True, deliver=())

    def check() -> None:
        assert taken == [1], "delivered twice"

    return check


@scenario(fault=PLANTED)
def double_delivery(stage: Stage) -> Any:
    return takes_letters(stage, careful=False)


@scenario()
def single_delivery(stage: Stage) -> Any:
    return takes_letters(stage, careful=True)


def takes_two_locks(stage: Stage, in_order: bool) -> None:
    left, right = green.Lock(), green.Lock()

    def use_both() -> None:
        with left, right:
            pass

    def use_one_after_another(first: Any, second: Any) -> None:
        with first:
            green.sleep(0)
            with second:
                pass

    stage.spawn("a", use_both)
    locks = (left, right) if in_order else (right, left)
    stage.spawn("b", use_one_after_another, *locks)


@scenario(fault=PLANTED)
def deadlock(stage: Stage) -> None:
    takes_two_locks(stage, in_order=False)


@scenario()
def no_deadlock(stage: Stage) -> None:
    takes_two_locks(stage, in_order=True)


def waits_with_a_limit(stage: Stage, limit: float | None) -> None:
    """Ten minutes are over as soon as a moment."""
    event = green.Event()
    began = time.monotonic()

    def say() -> None:
        time.sleep(600)
        event.set()

    def wait() -> None:
        assert event.wait(limit), "it came too late"
        assert time.monotonic() - began >= 600

    stage.spawn("waiter", wait, deliver=())
    stage.spawn("sayer", say, deliver=())


@scenario(fault=PLANTED)
def limit_that_comes_first(stage: Stage) -> None:
    waits_with_a_limit(stage, 601)


@scenario()
def no_limit(stage: Stage) -> None:
    waits_with_a_limit(stage, None)


def counts_in_a_thread(stage: Stage, careful: bool) -> Any:
    lock, count = green.Lock(), [0]

    def add() -> None:
        seen = count[0]
        stage.point()
        count[0] = seen + 1

    def add_alone() -> None:
        with lock:
            add()

    stage.spawn("a", add_alone if careful else add, deliver=())
    stage.thread("t", add_alone if careful else add)

    def check() -> None:
        time.sleep(1)
        assert count == [2], "an addition is lost"

    return check


@scenario(fault=PLANTED)
def lost_update_of_a_thread(stage: Stage) -> Any:
    return counts_in_a_thread(stage, careful=False)


@scenario()
def updates_of_a_thread(stage: Stage) -> Any:
    return counts_in_a_thread(stage, careful=True)


def serves_a_client(stage: Stage, careful: bool) -> Any:
    ours, theirs = socket.socketpair()
    served: list[bytes] = []
    stage.at_end(ours.close)
    stage.at_end(theirs.close)

    def serve() -> None:
        request = ours.recv(10)
        assert request or careful, "there is no request"
        served.append(request)

    def ask() -> None:
        theirs.sendall(b"x")

    stage.spawn("server", serve, deliver=())
    stage.spawn("client", ask, deliver=(), expected=(OSError,))
    stage.deliver("the client leaves", theirs.close)
    return lambda: served


@scenario(fault=PLANTED)
def disconnect(stage: Stage) -> Any:
    return serves_a_client(stage, careful=False)


@scenario()
def noticed_disconnect(stage: Stage) -> Any:
    return serves_a_client(stage, careful=True)
