"""Greenlets that start, wait for and kill each other; time limits; results."""

from __future__ import annotations

import logging
import time
from typing import Any

from celadon import green
from celadon.logging import logger
from celadon.testing import Stage

from tests.explorer.catalogue import scenario


@scenario()
def spawn_and_join(stage: Stage) -> Any:
    """Who joins may be stopped; the child is not."""
    ended: list[str] = []

    def child() -> str:
        green.sleep(0)
        ended.append("child")
        return "value"

    def parent() -> None:
        assert green.spawn(child).get() == "value"

    stage.spawn("a", parent)
    stage.spawn("b", parent)

    def check() -> None:
        began = sum(stage.ended_by(name) == "value" for name in "ab")
        assert len(ended) >= began

    return check


@scenario()
def join_with_a_time_limit(stage: Stage) -> Any:
    def child() -> None:
        green.sleep(1)

    task = green.spawn(child)

    def join() -> None:
        task.join(1)
        assert task.ready() or task.join(1) is None
        task.join()
        assert task.ready()

    stage.spawn("a", join)
    stage.spawn("b", join)
    return lambda: task.get(timeout=5)


@scenario()
def kill_of_one_that_waits(stage: Stage) -> Any:
    """Whoever kills it: it ends once, and all who join it go on."""
    event = green.Event()
    ended: list[int] = []

    def wait() -> None:
        try:
            event.wait()
        finally:
            ended.append(1)

    task = green.spawn(wait)
    stage.spawn("killer", task.kill)
    stage.spawn("killer too", task.kill)
    stage.spawn("setter", event.set, deliver=())

    def check() -> None:
        task.join(1)
        assert task.ready()
        assert len(ended) <= 1

    return check


@scenario()
def group(stage: Stage) -> Any:
    members = green.Group()
    ended: list[int] = []

    def member() -> None:
        try:
            green.sleep(0)
        finally:
            ended.append(1)

    def work() -> None:
        members.spawn(member)
        members.spawn(member)
        members.join()

    stage.spawn("a", work)
    stage.spawn("b", members.kill)

    def check() -> None:
        assert members.join(timeout=5)
        assert len(members) == 0

    return check


@scenario()
def pool_of_greenlets(stage: Stage) -> Any:
    """Its places are back, whoever was stopped while he waited for one."""
    pool = green.Pool(1)

    def work() -> None:
        pool.spawn(green.sleep, 0)

    for name in "abc":
        stage.spawn(name, work)

    def check() -> None:
        assert pool.join(timeout=5)
        assert pool.free_count() == 1
        assert pool.wait_available(timeout=1)
        assert pool.apply(lambda: 5) == 5

    return check


@scenario()
def map_in_a_group(stage: Stage) -> Any:
    members = green.Group()
    kinds: list[Any] = [members.map, members.imap_unordered]
    for name, kind in zip("ab", kinds, strict=True):
        stage.spawn(name, lambda kind=kind: list(kind(green.sleep, (0, 0))))

    def check() -> None:
        assert members.join(timeout=5)

    return check


@scenario()
def map_in_a_pool(stage: Stage) -> Any:
    pool = green.Pool(1)
    for name in "ab":
        stage.spawn(name, pool.map, green.sleep, (0, 0))

    def check() -> None:
        assert pool.join(timeout=5)
        assert pool.free_count() == 1
        assert pool.wait_available(timeout=1)

    return check


@scenario()
def result(stage: Stage) -> Any:
    value = green.AsyncResult()
    stage.spawn("a", value.get)
    stage.spawn("b", value.get)
    stage.spawn("setter", value.set, 7, deliver=())

    def check() -> None:
        assert value.get(timeout=1) == 7

    return check


@scenario()
def spawn_later(stage: Stage) -> Any:
    ran: list[int] = []
    task = green.spawn_later(1, ran.append, 1)

    def kill() -> None:
        green.sleep(1)
        task.kill()

    stage.spawn("killer", kill)
    stage.spawn("joiner", task.join)

    def check() -> None:
        task.join(5)
        assert task.ready()
        assert len(ran) <= 1

    return check


@scenario()
def time_limit(stage: Stage) -> Any:
    """It ends its block or does not come at all; nothing of it is left behind."""
    event = green.Event()
    late: list[bool] = []

    def wait() -> None:
        with green.Timeout(1, False):
            event.wait()
        late.append(not event.is_set())
        green.sleep(5)  # nothing of the limit comes here

    def set_it() -> None:
        green.sleep(1)
        event.set()

    stage.spawn("a", wait)
    stage.spawn("b", wait)
    stage.spawn("setter", set_it, deliver=())
    return None


@scenario()
def time_limits_within_each_other(stage: Stage) -> Any:
    outer_came: list[bool] = []

    def wait() -> None:
        outer = green.Timeout(1)
        try:
            with outer:
                with green.Timeout(1, False):
                    green.sleep(3)
                green.sleep(3)
        except green.Timeout as limit:
            if limit is not outer:
                raise
            outer_came.append(True)

    stage.spawn("a", wait)
    stage.spawn("b", wait)

    def check() -> None:
        assert len(outer_came) == [stage.ended_by(n) for n in "ab"].count("value")

    return check


@scenario()
def shield(stage: Stage) -> Any:
    """What is shielded is done whole, unless it takes too long."""
    begun: list[str] = []
    done: list[str] = []

    def work(name: str) -> None:
        with green.shield(5):
            end = time.monotonic() + 5
            begun.append(name)
            try:
                green.sleep(0)
                done.append(name)
            except BaseException:
                assert time.monotonic() >= end, "it was no shield"
                raise

    stage.spawn("a", work, "a")
    stage.spawn("b", work, "b")

    def check() -> None:
        assert {n for n in begun if stage.ended_by(n) == "value"} <= set(done)

    return check


@scenario()
def an_error_is_told_by_a_handler_that_waits(stage: Stage) -> Any:
    """Whoever is killed while it is: each ends, and gives its place back."""

    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            time.sleep(0)

    handler = Slow()
    logger.addHandler(handler)
    stage.at_end(lambda: logger.removeHandler(handler))
    pool = green.Pool(1)
    members: list[green.Greenlet] = []

    def fail() -> None:
        raise ValueError

    def spawn() -> None:
        members.append(pool.spawn(fail))

    stage.spawn("spawner", spawn)
    stage.spawn("killer", lambda: pool.kill(block=False))

    def check() -> None:
        assert pool.join(5)
        assert all(member.ready() for member in members)
        assert pool.wait_available(5)

    return check


@scenario()
def group_that_a_member_kills(stage: Stage) -> Any:
    group = green.Group()
    # A set has no order that comes again: one beside the one that kills.
    members = [group.spawn(time.sleep, 600), group.spawn(group.kill)]
    stage.spawn("joiner", group.join)

    def check() -> None:
        assert group.join(5)
        assert all(member.ready() for member in members)

    return check
