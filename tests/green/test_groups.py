"""Group, Pool, AsyncResult and spawn_later."""

from __future__ import annotations

from tests.support.green import PRELUDE, run_green


def test_a_group_is_joined_and_killed_as_one() -> None:
    run_green(
        """
        seen = []
        ended = [green.Event() for _ in range(4)]
        ended[0].set()
        def work(n):  # each ends after the one before it, whichever began first
            if n: ended[n - 1].wait()
            seen.append(n)
            ended[n].set()
            return n * n
        with green.Group() as group:
            for n in (3, 1, 2): group.spawn(work, n)
            assert len(group) == 3
        assert seen == [1, 2, 3] and len(group) == 0
        assert group.map(work, range(4)) == [0, 1, 4, 9]
        ended[1].clear(); ended[2].clear()
        assert list(group.imap_unordered(work, (3, 2, 1))) == [1, 4, 9]
        assert group.apply(work, (2,)) == 4
        assert group.join(0) is True
        forever = group.spawn(green.sleep, 60)
        assert group.join(0.001) is False and forever in group
        group.kill()
        assert forever.ready() and not list(group)
        try:
            with group:
                forever = group.spawn(green.sleep, 60)
                raise KeyError
        except KeyError: assert forever.ready()
        else: raise AssertionError
        failing = green.Group(green.spawn(lambda: 1 / 0))
        try: failing.join(raise_error=True)
        except ZeroDivisionError: pass
        else: raise AssertionError
        """
    )


def test_a_pool_has_so_many_places() -> None:
    run_green(
        """
        running = most = 0
        def work(n):
            global running, most
            running += 1; most = max(most, running)
            green.sleep(0.001); running -= 1
            return n
        pool = green.Pool(3)
        assert pool.map(work, range(20)) == list(range(20)) and most == 3
        pool.join()
        assert pool.free_count() == 3 and not pool.full()
        for _ in range(3): pool.spawn(green.sleep, 60)
        assert pool.full() and pool.wait_available(0.001) is False
        next(iter(pool)).kill()
        assert pool.wait_available(TIMEOUT) and pool.free_count() == 1
        waiting = green.spawn(pool.spawn, green.sleep, 60)
        more = green.spawn(pool.spawn, green.sleep, 60)
        green.sleep(0.001)
        assert waiting.ready() and not more.ready()
        more.kill(); pool.kill()
        assert pool.wait_available(TIMEOUT) and pool.free_count() == 3
        try: green.Pool(0)
        except ValueError: pass
        else: raise AssertionError
        """
    )


def test_a_result_is_set_once_and_read_by_many() -> None:
    run_green(
        """
        result = green.AsyncResult()
        try: result.get(timeout=0.001)
        except TimeoutError: pass
        else: raise AssertionError
        readers = [green.spawn(result.get) for _ in range(3)]
        green.sleep(0)
        thread = threading.Thread(target=result.set, args=(7,)); thread.start()
        assert [reader.get() for reader in readers] == [7] * 3
        assert result.ready() and result.successful() and result.value == 7
        bad = green.AsyncResult(); bad.set_exception(KeyError("x"))
        try: bad.get_nowait()
        except KeyError: pass
        else: raise AssertionError
        assert bad.wait(0) and not bad.successful()
        """
    )


def test_later() -> None:
    run_green(
        """
        var = contextvars.ContextVar("var", default=0)
        var.set(3)
        began = time.monotonic()
        task = green.spawn_later(0.01, lambda x: (x, var.get()), "a")
        var.set(4)
        assert not task.ready() and task.get() == ("a", 3)
        assert time.monotonic() - began >= 0.01
        never = green.spawn_later(0.005, lambda: 1 / 0)
        never.kill()
        assert never.ready()
        green.spawn_later(0.006, int).join()
        assert never.exception is None
        try: green.spawn_later(1, None)
        except TypeError: pass
        else: raise AssertionError
        """
    )


SLOW_LOG = """
import logging
told, go_on = green.Event(), green.Event()
class Slow(logging.Handler):
    def emit(self, record): told.set(); go_on.wait()
logging.getLogger("celadon.error").addHandler(Slow())
logging.getLogger("celadon.error").propagate = False
"""


def test_one_that_is_killed_while_its_error_is_told_has_ended() -> None:
    run_green(
        SLOW_LOG
        + """
pool = green.Pool(1)
failing = pool.spawn(lambda: 1 / 0)
told.wait()
failing.kill(block=False)
failing.join(TIMEOUT)
assert failing.ready() and isinstance(failing.exception, ZeroDivisionError)
assert pool.join(TIMEOUT) and pool.free_count() == 1 and pool.wait_available(TIMEOUT)
"""
    )


def test_a_member_that_kills_its_group_leaves_nobody_alive() -> None:
    run_green(
        """
        for _ in range(8):  # a set has no order that one could know
            group = green.Group()
            members = [group.spawn(green.sleep, 600) for _ in range(6)]
            members.append(group.spawn(group.kill))
            for member in members: member.join(TIMEOUT)
            assert all(member.ready() for member in members) and group.join(TIMEOUT)
        """
    )


def test_who_is_added_twice_has_one_place() -> None:
    run_green(
        """
        pool, leave = green.Pool(2), green.Event()
        member = green.spawn(leave.wait)
        pool.add(member)
        pool.add(member)
        assert pool.free_count() == 1 and pool.wait_available(0)
        # Two who add one at the same time, where there is one place.
        other = green.spawn(leave.wait)
        filler = pool.spawn(leave.wait)
        adders = [green.spawn(pool.add, other) for _ in range(2)]
        green.sleep(0)
        leave.set()
        for each in (member, filler, *adders): each.join(TIMEOUT)
        assert pool.join(TIMEOUT)
        for _ in range(2): assert pool._places.acquire(timeout=TIMEOUT)
        assert not pool._places.acquire(timeout=0)
        """
    )


# Stands in for an event or a semaphore: who is about to call `name` is preempted there.
INTERRUPTED = """
from celadon._core import green as core
class Interrupted:
    def __init__(self, original, name):
        self._original, self._name = original, name
    def __getattr__(self, name):
        if name == self._name:
            for _ in range(10): core.preempt_here()
        return getattr(self._original, name)
"""


def test_who_is_let_go_of_by_two_at_once_gives_back_one_place() -> None:
    run_green(
        INTERRUPTED
        + """
pool, leave = green.Pool(2), green.Event()
member = pool.spawn(leave.wait)
places = pool._places
pool._places = Interrupted(places, "release")
for task in [green.spawn(pool.discard, member) for _ in range(2)]: task.join(TIMEOUT)
leave.set()
member.join(TIMEOUT)
for _ in range(2): assert places.acquire(timeout=TIMEOUT)
assert not places.acquire(timeout=0)
"""
    )


def test_one_that_comes_while_the_last_one_leaves_is_waited_for() -> None:
    run_green(
        INTERRUPTED
        + """
group, leave = green.Group(), green.Event()
last, other = (green.spawn(leave.wait) for _ in range(2))
group.add(last)
group._empty = Interrupted(group._empty, "set")
tasks = [green.spawn(group.discard, last), green.spawn(group.add, other)]
for task in tasks: task.join(TIMEOUT)
assert other in group and not group.join(0)
leave.set()
assert group.join(TIMEOUT)
"""
    )


def test_one_for_later_that_is_killed_keeps_no_runner() -> None:
    run_green(
        """
        tasks = [green.spawn_later(3600, print) for _ in range(50)]
        green.sleep(0)
        more = [green.spawn_later(3600, print) for _ in range(50)]  # none of them waits yet
        for task in tasks + more: task.kill(); assert task.ready()
        end = time.monotonic() + TIMEOUT
        def busy(): return green.stats()["runners"] - green.stats()["idle"]
        while busy() > 1 and time.monotonic() < end: green.sleep(0.001)
        assert busy() <= 1, green.stats()
        """
    )


def test_links_of_one_that_a_thread_kills_before_it_began_are_called() -> None:
    run_green(
        """
        for spawn in (lambda fn: green.spawn(fn), lambda fn: green.spawn_later(3600, fn)):
            group, seen = green.Group(), []
            def fail(task): raise KeyError
            task = spawn(print)
            task.link(fail)
            group.add(task)
            task.link(seen.append)
            thread = threading.Thread(target=task.kill, kwargs={"block": False})
            thread.start()
            native_join(thread)  # no greenlet runs meanwhile
            assert task.ready() and group.join(TIMEOUT) and seen == [task]
        """,
        prelude="import threading\nnative_join = threading.Thread.join\n" + PRELUDE,
    )
