"""`multiprocessing` among greenlets: locks with one owner each, and waits of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green
from tests.support.raw import TIMEOUT

PROCESSES = (
    SOCKETS
    + """
import multiprocessing, warnings
from celadon.patch import semaphores
warnings.simplefilter("ignore")
mp = multiprocessing.get_context("fork")
def is_waiting(): return semaphores._pool.running + semaphores._pool.waiting
def until(what):
    while not what(): green.sleep(0.001)
def child(call, *args):
    process = mp.Process(target=call, args=args)
    process.start()
    return process
"""
)


def test_g18_queues_of_processes() -> None:
    run_green(
        """
        for q in (mp.Queue(), mp.SimpleQueue(), mp.JoinableQueue()):
            getters = [green.spawn(q.get) for _ in range(3)]
            until(is_waiting)
            def echo():
                for n in range(3): q.put(n)
            def feed(): child(echo).join()
            _, count = ticks(feed)
            assert sorted(each.get(timeout=TIMEOUT) for each in getters) == [0, 1, 2]
            assert count, count
        for _ in range(3): q.task_done()
        q.join()
        raises(queue.Empty, q.get, True, 0.01)
        """,
        prelude=PROCESSES,
    )


def test_g26_a_simple_queue_that_is_full() -> None:
    run_green(
        """
        q, size = mp.SimpleQueue(), 300_000
        putters = [green.spawn(q.put, bytes([n]) * size) for n in range(3)]
        until(is_waiting)
        got = [green.spawn(q.get).get(timeout=TIMEOUT) for _ in range(3)]
        assert sorted(part[0] for part in got) == [0, 1, 2]
        assert all(part == part[:1] * size for part in got)
        for each in putters: each.get(timeout=TIMEOUT)
        """,
        prelude=PROCESSES,
    )


def test_g26_a_kill_finds_messages_whole() -> None:
    """One that comes in the middle waits for its end; the next caller reads the next."""
    run_green(
        """
        q, size = mp.SimpleQueue(), 300_000
        putter = green.spawn(q.put, b"a" * size)
        until(lambda: select.select([q._reader], [], [], 0)[0])
        putter.kill(block=False)
        second = green.spawn(q.put, "second")
        until(is_waiting)
        assert q.get() == b"a" * size and q.get() == "second"
        putter.join(); second.get()
        # Likewise a reader's, of which one half has come.
        whole = bytes(multiprocessing.reduction.ForkingPickler.dumps("whole"))
        header = len(whole).to_bytes(4, "big")
        reader = green.spawn(q.get)
        until(lambda: is_parked(reader))
        os.write(q._writer.fileno(), header)
        until(lambda: not select.select([q._reader], [], [], 0)[0])
        reader.kill(block=False)
        green.sleep(0)
        os.write(q._writer.fileno(), whole)
        reader.join()
        q.put("next"); assert q.get() == "next"
        # One that has read nothing goes at once.
        reader = green.spawn(q.get)
        until(lambda: is_parked(reader))
        reader.kill()
        q.put("last"); assert q.get() == "last"
        """,
        prelude=PROCESSES
        + """
def is_parked(task):
    return any(x.task is task and x.state == "parked" for x in core.greenlets())
from celadon._core import green as core
""",
    )


@pytest.mark.parametrize("kind", ["Lock", "RLock", "Semaphore", "BoundedSemaphore"])
def test_g18_one_is_inside_at_a_time(kind: str) -> None:
    run_green(
        f"""
        lock, inside = mp.{kind}(), []
        def enter(wait):
            for _ in range(5):
                with lock:
                    inside.append(wait); assert len(inside) == 1
                    wait(0.001); inside.pop()
        from celadon.patch import original
        tasks = [green.spawn(enter, time.sleep) for _ in range(5)]
        threads = [green.native_thread(enter, original("time", "sleep")) for _ in range(2)]
        for each in tasks: each.get(timeout=TIMEOUT)
        for each in threads: each.join(TIMEOUT); assert not each.is_alive()
        assert lock.acquire(False) and not green.spawn(lock.acquire, {kind == "RLock"}, 0).get()
        lock.release()
        """,
        prelude=PROCESSES,
    )


def test_g18_the_owner_of_an_rlock_is_exact() -> None:
    run_green(
        """
        lock = mp.RLock()
        assert lock.acquire() and lock.acquire() and lock._semlock._count() == 2
        def other():
            assert not lock.acquire(False) and not lock._semlock._is_mine()
            raises(AssertionError, lock.release)
        green.spawn(other).get()
        thread = green.spawn(green.offload, other); thread.get()
        lock.release()
        waiter = green.spawn(lambda: (lock.acquire(), lock.acquire()))
        until(is_waiting)
        assert not waiter.ready() and "MainProcess" in repr(lock)
        lock.release()
        assert waiter.get(timeout=TIMEOUT) == (True, True) and lock._semlock._count() == 2
        # Who forks inside of it is inside of it in the child too, as in CPython.
        def fork():
            own = mp.RLock()
            with own:
                pid = os.fork()
                if pid == 0:
                    try: own.release(); os._exit(7)
                    except BaseException: os._exit(1)
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
                own._semlock._native.acquire()
        green.spawn(fork).get()
        # Errors are as ever.
        semaphore = mp.BoundedSemaphore(1)
        raises(ValueError, semaphore.release)
        assert semaphore.acquire() and not semaphore.acquire(True, -1)
        """,
        prelude=PROCESSES,
    )


def test_g26_who_waits_and_is_killed_takes_nothing() -> None:
    """The lock is another process's: its release wakes whoever still waits."""
    run_green(
        """
        lock = mp.Lock()
        def hold(go, held):
            with lock: held.send(0); go.recv()
        for kind in ("kill", "timeout", "limit", "both"):
            go, theirs = mp.Pipe()
            held, told = mp.Pipe(False)
            process = child(hold, theirs, told)
            held.recv()
            def limited():
                with celadon.Timeout(0.01): lock.acquire()
            def locked():
                with lock: pass
            def timed(): assert lock.acquire(timeout=0.01) is False
            waiter = green.spawn({"timeout": timed, "limit": limited}.get(kind, locked))
            stays = green.spawn(locked)
            until(is_waiting)
            if kind in ("kill", "both"): waiter.kill(block=False)
            if kind == "both": go.send(0)
            waiter.join()
            if kind != "both": assert not stays.ready(); go.send(0)
            stays.get(timeout=TIMEOUT); process.join()
            assert lock.acquire(False), kind
            assert lock._semlock._get_value() == 0
            lock.release()
        """,
        prelude=PROCESSES,
    )


def test_g26_more_locks_are_waited_for_than_threads_wait() -> None:
    run_green(
        """
        semaphores._pool.threads = 1
        locks = [mp.Lock() for _ in range(4)]
        for lock in locks: lock.acquire()
        tasks = [green.spawn(lock.acquire) for lock in locks]
        assert not green.spawn(locks[3].acquire, True, 0.01).get()
        until(is_waiting)
        for lock, task in [*zip(locks, tasks)][::-1]:
            lock.release(); assert task.get(timeout=TIMEOUT)
        assert not locks[0].acquire(False)
        """,
        prelude=PROCESSES,
    )


def test_g26_a_condition_that_is_left_by_a_kill() -> None:
    """It holds its lock again, however often, and the next notification is whole."""
    run_green(
        """
        for lock, depth in ((mp.Lock(), 1), (mp.RLock(), 2)):
            condition, ended = mp.Condition(lock), []
            def wait():
                for _ in range(depth): condition.acquire()
                try: ended.append(condition.wait())
                finally:
                    assert lock._semlock._count() == depth and lock._semlock._is_mine()
                    for _ in range(depth): condition.release()
            def sleeping(): return condition._sleeping_count.get_value()
            first = green.spawn(wait)
            until(sleeping)
            condition.acquire()
            first.kill(block=False)  # it must have the lock to go
            green.sleep(0.001); assert not first.ready()
            first.kill(block=False)
            condition.release()
            first.join(); assert not ended
            second = green.spawn(wait)
            until(lambda: sleeping() > 1)
            with condition: condition.notify()
            second.get(timeout=TIMEOUT); assert ended == [True]
        """,
        prelude=PROCESSES,
    )


def test_g26_a_condition_whose_notifier_is_killed() -> None:
    run_green(
        """
        condition = mp.Condition()
        def sleep_once(woken):
            with condition: condition.wait()
            woken.set()
        woken = mp.Event()
        process = child(sleep_once, woken)
        until(condition._sleeping_count.get_value)
        def notify():
            with condition: condition.notify()
        notifier = green.spawn(notify)
        green.sleep(0)
        notifier.kill()
        assert woken.wait(TIMEOUT); process.join()
        with condition:
            assert not condition.wait(0.001)
            condition.notify_all()
        """,
        prelude=PROCESSES,
    )


SCRIPT = """
import sys
if {everywhere} or __name__ == "__main__":
    import celadon.patch
    celadon.patch.all()
    from celadon import green
import multiprocessing, os, time

def work(lock, relock, condition, event, barrier, bounded, queue, answers, shared):
    for _ in range(20):
        with lock, bounded: shared.value += 1
    with relock, relock: pass
    with condition: condition.notify()
    barrier.wait({timeout})
    assert event.wait({timeout})
    answers.put(queue.get() * 2)
    queue.task_done()

def square(n):
    return n * n

def main():
    mp = multiprocessing.get_context({method!r})
    things = (mp.Lock(), mp.RLock(), mp.Condition(), mp.Event(), mp.Barrier(3),
              mp.BoundedSemaphore(2), mp.JoinableQueue(), mp.SimpleQueue(), mp.Value("i", 0, lock=False))
    lock, relock, condition, event, barrier, bounded, queue, answers, shared = things
    parked = []
    def tick():
        while not parked: time.sleep(0.001); ticks[0] += 1
    ticks = [0]
    ticker = green.spawn(tick)
    with condition:
        process = mp.Process(target=work, args=things)
        process.start()
        assert condition.wait({timeout})
    def count():
        for _ in range(20):
            with lock: before = shared.value; time.sleep(0); shared.value = before + 1
    for each in [green.spawn(count) for _ in range(3)]: each.get(timeout={timeout})
    passed = [green.spawn(barrier.wait, {timeout}) for _ in range(2)]
    for each in passed: each.get(timeout={timeout})
    event.set()
    queue.put(21)
    got = [green.spawn(answers.get).get(timeout={timeout})]
    queue.join()
    process.join({timeout})
    assert process.exitcode == 0, process.exitcode
    assert shared.value == 80, shared.value
    with mp.Pool(2) as pool: got += pool.map(square, [1, 2, 3])
    with mp.Manager() as manager:
        rlock, many = manager.RLock(), manager.Queue()
        with rlock: many.put(5)
        got.append(green.spawn(many.get).get(timeout={timeout}))
    parked.append(1); ticker.join()
    assert ticks[0]
    print(got)

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize(
    ("method", "everywhere"),
    [("fork", True), *((m, e) for m in ("spawn", "forkserver") for e in (True, False))],
)
def test_g26_what_a_child_inherits_or_is_given(
    method: str, everywhere: bool, tmp_path: Path
) -> None:
    script = tmp_path / "several.py"
    script.write_text(
        SCRIPT.format(everywhere=everywhere, method=method, timeout=TIMEOUT)
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT * 3,
    )
    assert (done.returncode, done.stdout) == (0, "[42, 1, 4, 9, 5]\n"), done.stderr
    assert "Traceback" not in done.stderr, done.stderr
