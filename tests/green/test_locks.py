"""The dual-mode primitives: between greenlets, native threads, and mixed (green.md 3.4)."""

from __future__ import annotations

import pytest

from tests.support.green import run_green


def test_lock_between_greenlets_a_sleep_under_the_lock_holds_up_nobody_else() -> None:
    run_green(
        """
        lock = threading.Lock()
        ticks = []
        ticked = []
        def holder():
            with lock:
                while not ticked: time.sleep(0.002)
        def ticker():
            for _ in range(5):
                time.sleep(0.002); ticks.append(lock.locked())
            ticked.append(True)
        def waiter():
            with lock: ticks.append("got it")
        tasks = [green.spawn(f) for f in (holder, waiter, ticker)]
        for t in tasks: t.join()
        assert ticks == [True] * 5 + ["got it"], ticks
        """
    )


def test_lock_is_handed_over_in_order() -> None:
    run_green(
        """
        lock = threading.Lock(); lock.acquire()
        order = []
        def work(n):
            lock.acquire(); order.append(n); lock.release()
        tasks = [green.spawn(work, n) for n in range(5)]
        green.sleep(0)
        lock.release()
        assert not lock.acquire(blocking=False)   # nobody barges in
        for t in tasks: t.join()
        assert order == list(range(5)), order
        """
    )


def test_lock_between_threads_and_greenlets() -> None:
    run_green(
        """
        lock = threading.Lock()
        count = 0
        def work(n):
            global count
            for _ in range(n):
                with lock:
                    seen = count
                    if random.random() < 0.05: time.sleep(0.0001)
                    count = seen + 1
        threads = [threading.Thread(target=work, args=(200,)) for _ in range(3)]
        for t in threads: t.start()
        tasks = [green.spawn(work, 200) for _ in range(3)]
        for t in tasks: t.join()
        for t in threads: t.join()
        assert count == 1200, count
        """
    )


def test_lock_arguments_errors_and_repr() -> None:
    run_green(
        """
        lock = threading.Lock()
        for args, error in (((False, 1), ValueError), ((True, -2), ValueError),
                            ((True, 1e12), OverflowError), (("x", "y"), TypeError)):
            try: lock.acquire(*args)
            except error: pass
            else: raise AssertionError(args)
        try: lock.release()
        except RuntimeError as e: assert str(e) == "release unlocked lock"
        else: raise AssertionError
        assert repr(lock).startswith("<unlocked _thread.lock object at 0x")
        assert lock.acquire(True, timeout=0.1) and not lock.acquire(timeout=0.001)
        assert lock.acquire(False) is False
        assert repr(lock).startswith("<locked")
        rlock = threading.RLock()
        assert rlock.acquire() and rlock.acquire(blocking=False)
        assert rlock._recursion_count() == 2 and rlock._is_owned()
        rlock.release(); rlock.release()
        try: rlock.release()
        except RuntimeError as e: assert "un-acquired" in str(e)
        else: raise AssertionError
        weakref.ref(lock); weakref.ref(rlock)
        assert isinstance(lock, _thread.LockType)
        """
    )


def test_rlock_belongs_to_a_greenlet() -> None:
    """Two greenlets of one thread do not both own it."""
    run_green(
        """
        rlock = threading.RLock()
        order = []
        def work(n):
            with rlock:
                with rlock:
                    order.append(n); time.sleep(0.002); order.append(n)
        tasks = [green.spawn(work, n) for n in range(3)]
        for t in tasks: t.join()
        assert order == [0, 0, 1, 1, 2, 2], order
        """
    )


def test_certain_deadlock_is_an_error() -> None:
    run_green(
        """
        lock = threading.Lock()
        errors = []
        class Evil:
            def __del__(self):
                try: lock.acquire()
                except RuntimeError as e: errors.append(str(e))
        e = Evil(); e.me = e; del e
        def holder():
            with lock: gc.collect()
        green.spawn(holder).join()
        assert len(errors) == 1 and "deadlock" in errors[0], errors
        """
    )


@pytest.mark.parametrize("kind", ["threading", "green"])
def test_condition_event_semaphore(kind: str) -> None:
    run_green(
        f"""
        kind = {kind}
        condition = kind.Condition()
        items = []
        got = []
        def consumer(n):
            with condition:
                while not items: condition.wait()
                got.append(items.pop())
        tasks = [green.spawn(consumer, n) for n in range(3)]
        thread = threading.Thread(target=consumer, args=(9,)); thread.start()
        green.sleep(0.01)
        for i in range(4):
            with condition: items.append(i); condition.notify()
            green.sleep(0.001)
        for t in tasks: t.join()
        thread.join()
        assert sorted(got) == [0, 1, 2, 3], got
        with condition: assert not condition.wait(0.001)
        with condition: assert condition.wait_for(lambda: True)
        with condition: assert not condition.wait_for(lambda: False, timeout=0.002)
        try: condition.notify()
        except RuntimeError: pass
        else: raise AssertionError

        event = kind.Event()
        assert not event.wait(0.001)
        waiting = [green.spawn(event.wait) for _ in range(3)]
        threading.Timer(0.005, event.set).start()
        assert [w.get() for w in waiting] == [True] * 3
        event.clear(); assert not event.is_set()

        semaphore = kind.BoundedSemaphore(2)
        active = peak = 0
        def work():
            global active, peak
            with semaphore:
                active += 1; peak = max(peak, active)
                time.sleep(0.002); active -= 1
        tasks = [green.spawn(work) for _ in range(6)]
        for t in tasks: t.join()
        assert peak == 2, peak
        try: semaphore.release()
        except ValueError: pass
        else: raise AssertionError
        assert not kind.Semaphore(0).acquire(blocking=False)
        assert not kind.Semaphore(0).acquire(timeout=0.001)
        """
    )


@pytest.mark.parametrize(
    "kind",
    ["threading.Condition()", "green.Condition()", "green.Condition(green.RLock())"],
)
def test_who_cannot_park_does_not_let_go_of_what_it_could_not_have_again(
    kind: str,
) -> None:
    run_green(
        f"""
        condition = {kind}
        said, order = [], []
        class Last:
            def __init__(self): self.around = self
            def __del__(self):
                with condition:
                    for call in (lambda: condition.wait(0.01), lambda: condition.wait_for(bool, 0.01)):
                        try: call()
                        except RuntimeError as error: said.append("deadlock" in str(error))
        def first():
            with condition:
                green.sleep(0)  # the other one waits now
                Last(); gc.collect()
                order.append("first")
        def second():
            with condition: order.append("second")
        tasks = [green.spawn(first), green.spawn(second)]
        for task in tasks: task.get()
        assert said == [True] * 2 and order == ["first", "second"], (said, order)
        # Where nobody else of this thread wants it, the wait is a native one.
        Last(); gc.collect()
        assert len(said) == 2, said
        """
    )


def test_queues() -> None:
    run_green(
        """
        for make in (queue.SimpleQueue, queue.Queue, green.Queue, green.SimpleQueue):
            q = make()
            got = []
            def consume():
                while (item := q.get()) is not None: got.append(item)
            task = green.spawn(consume)
            thread = threading.Thread(target=lambda: [q.put(i) for i in range(50)])
            thread.start(); thread.join(); q.put(None); task.join()
            assert got == list(range(50)), got
            try: q.get(timeout=0.001)
            except queue.Empty: pass
            else: raise AssertionError
            try: q.get(block=False)
            except queue.Empty: pass
            else: raise AssertionError
            assert q.empty() and q.qsize() == 0
        bounded = green.Queue(1)
        bounded.put(1)
        try: bounded.put(2, timeout=0.001)
        except queue.Full: pass
        else: raise AssertionError
        assert bounded.peek() == 1 and bounded.full()
        bounded.shutdown()
        assert bounded.get() == 1
        from celadon.green.queue import ShutDown
        for call in (bounded.get, lambda: bounded.put(1)):
            try: call()
            except ShutDown: pass
            else: raise AssertionError
        p = green.PriorityQueue()
        for n in (3, 1, 2): p.put(n)
        assert [p.get() for _ in range(3)] == [1, 2, 3]
        l = green.LifoQueue()
        for n in (3, 1, 2): l.put(n)
        assert [l.get() for _ in range(3)] == [2, 1, 3]
        """
    )


def test_joining_a_native_thread_parks() -> None:
    run_green(
        """
        from celadon.patch import original
        end = original("_thread", "allocate_lock")()
        end.acquire()
        ticks = []
        def ticker():
            for _ in range(3): time.sleep(0.002); ticks.append(1)
            end.release()
        thread = threading.Thread(target=end.acquire); thread.start()
        def joiner():
            thread.join(0.001)
            assert thread.is_alive()
            thread.join()
            ticks.append("joined")
        tasks = [green.spawn(joiner), green.spawn(ticker)]
        for t in tasks: t.join()
        assert ticks == [1, 1, 1, "joined"], ticks
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(2) as pool:
            assert green.spawn(lambda: pool.submit(lambda: threading.current_thread().name).result()).get()
        """
    )


def test_importing_one_module_from_two_greenlets_gives_it_whole(
    tmp_path: object,
) -> None:
    """design §9: import locks are greenlet-aware."""
    run_green(
        f"""
        sys.path.insert(0, {str(tmp_path)!r})
        open({str(tmp_path)!r} + "/slowmod.py", "w").write(
            "import time\\ntime.sleep(0.02)\\nvalue = 42\\n")
        def work():
            import slowmod
            return slowmod.value
        tasks = [green.spawn(work) for _ in range(4)]
        assert [t.get() for t in tasks] == [42] * 4
        """
    )


def test_logging_under_contention() -> None:
    run_green(
        """
        import logging
        class Slow(logging.Handler):
            lines = 0
            def emit(self, record): time.sleep(0.0005); Slow.lines += 1
        logging.getLogger().addHandler(Slow())
        def work():
            for _ in range(5): logging.warning("x")
        tasks = [green.spawn(work) for _ in range(4)]
        thread = threading.Thread(target=work); thread.start()
        for t in tasks: t.join()
        thread.join()
        assert Slow.lines == 25, Slow.lines
        """
    )


@pytest.mark.parametrize("seed", range(4))
def test_fuzz_mutual_exclusion_and_no_lost_wake(seed: int) -> None:
    """green.md 9 (a): random kills and timeouts over {greenlet, thread} x primitives."""
    run_green(
        f"""
        from greenlet import GreenletExit
        from celadon import Timeout
        random.seed({seed})
        lock, rlock, sem = threading.Lock(), threading.RLock(), threading.Semaphore(2)
        cond, q = threading.Condition(), queue.SimpleQueue()
        inside = {{"lock": 0, "rlock": 0, "sem": 0}}
        done = 0
        def guarded(name, primitive, most):
            if not primitive.acquire(timeout=random.choice([0.001, 0.01, 5])): return
            try:
                inside[name] += 1
                assert inside[name] <= most, (name, inside)
                if random.random() < 0.3: time.sleep(random.random() * 0.001)
            finally:
                inside[name] -= 1
                primitive.release()
        def step():
            what = random.randrange(5)
            if what == 0: guarded("lock", lock, 1)
            elif what == 1: guarded("rlock", rlock, 1)
            elif what == 2: guarded("sem", sem, 2)
            elif what == 3:
                with cond:
                    if random.random() < 0.5: cond.notify_all()
                    else: cond.wait(0.001)
            else:
                q.put(1)
                try: q.get(timeout=0.01)
                except queue.Empty: pass
        def worker(steps):
            global done
            for _ in range(steps):
                try:
                    if green.current() is not None and random.random() < 0.2:
                        with Timeout(random.random() * 0.002, False): step()
                    else: step()
                except GreenletExit: return
            done += 1
        threads = [threading.Thread(target=worker, args=(150,)) for _ in range(3)]
        for t in threads: t.start()
        tasks = [green.spawn(worker, 150) for _ in range(12)]
        for victim in tasks[:4]:
            time.sleep(0.002); victim.kill(block=False)
        for t in tasks: t.join()
        for t in threads: t.join()
        assert inside == {{"lock": 0, "rlock": 0, "sem": 0}}, inside
        assert done >= 11, done
        assert lock.acquire(timeout=TIMEOUT) and rlock.acquire(timeout=TIMEOUT) and sem.acquire(timeout=TIMEOUT)
        """
    )


WHAT_TAKES_EFFECT = {
    "semaphore": (
        "threading.Semaphore(0)",
        "it._cond._lock",
        "it.release()",
        "it._value == 1",
    ),
    "event": ("threading.Event()", "it._cond._lock", "it.set()", "it.is_set()"),
    "queue": ("queue.Queue()", "it.mutex", "it.put(1)", "it.qsize() == 1"),
}


@pytest.mark.parametrize("kind", WHAT_TAKES_EFFECT)
def test_no_kill_comes_between_a_call_and_its_effect(kind: str) -> None:
    make, lock, call, effect = WHAT_TAKES_EFFECT[kind]
    run_green(
        f"""
        it = {make}
        reached = []
        def work():
            {call}; reached.append("done"); green.sleep(10)
        with {lock}:
            task = green.spawn(work); green.sleep(0)
            task.kill(block=False); green.sleep(0.001)
            assert not reached
        task.join()
        assert {effect} and reached == ["done"]
        """
    )
