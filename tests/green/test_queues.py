"""`queue.Queue` and its relatives under the patch."""

from __future__ import annotations

import pytest

from tests.support.green import run_green


@pytest.mark.parametrize("kind", ["Queue", "LifoQueue", "PriorityQueue"])
def test_who_waits_comes_before_who_comes_later(kind: str) -> None:
    run_green(
        f"""
        pool = queue.{kind}()
        order = []
        def take(name, block=True, timeout=None):
            order.append((name, pool.get(block, timeout)))
        waiting = [green.spawn(take, "first"), green.spawn(take, "second")]
        green.sleep(0.001)
        pool.put(1)
        late = green.spawn(take, "late")
        def try_now():
            # Promised to the first: a newcomer waits, or goes without.
            try: pool.get(timeout=0.001)
            except queue.Empty: return "empty"
        assert try_now() == "empty"
        pool.put(2); pool.put(3)
        for task in [*waiting, late]: task.get()
        assert [name for name, _ in order] == ["first", "second", "late"], order
        assert pool.empty()
        """
    )


def test_nothing_is_lost_when_waiters_are_killed_or_late() -> None:
    run_green(
        """
        rng = random.Random(1)
        q = queue.Queue()
        got = []
        def take():
            try: got.append(q.get(timeout=rng.choice([0, 0.001, 0.01, None])))
            except queue.Empty: return
        tasks = []
        put = 0
        for step in range(500):
            tasks.append(green.spawn(take))
            if rng.random() < 0.5: q.put(step); put += 1
            if rng.random() < 0.2: rng.choice(tasks).kill(block=False)
            if rng.random() < 0.2: green.sleep(rng.random() * 0.002)
        for _ in range(500): q.put(None)
        for task in tasks: task.join()
        rest = []
        while not q.empty(): rest.append(q.get_nowait())
        items = [item for item in got + rest if item is not None]
        assert len(items) == put == len(set(items)), (len(items), put)
        """
    )


def test_threads_and_greenlets() -> None:
    run_green(
        """
        q = queue.Queue(maxsize=5)
        total = []
        def put(n):
            for i in range(100): q.put((n, i))
        def take():
            while (item := q.get()) is not None: total.append(item)
        makers = [threading.Thread(target=put, args=(n,)) for n in range(3)]
        takers = [threading.Thread(target=take) for _ in range(2)]
        for thread in makers + takers: thread.start()
        tasks = [green.spawn(take) for _ in range(3)]
        more = [green.spawn(put, n) for n in range(3, 6)]
        for thread in makers: thread.join()
        for task in more: task.get()
        for _ in range(5): q.put(None)
        for thread in takers: thread.join()
        for task in tasks: task.get()
        assert sorted(total) == [(n, i) for n in range(6) for i in range(100)]
        """
    )


QUEUES = ["queue.Queue", "queue.LifoQueue", "queue.PriorityQueue", "queue.SimpleQueue"]
QUEUES += ["green.Queue", "green.LifoQueue", "green.PriorityQueue", "green.SimpleQueue"]


@pytest.mark.parametrize("kind", QUEUES)
def test_g11_one_that_puts_and_gets_starves_nobody(kind: str) -> None:
    run_green(
        f"""
        pool = {kind}()
        counts = dict.fromkeys("abc", 0)
        def use(name):
            while sum(counts.values()) < 300:
                pool.put(pool.get())
                counts[name] += 1
            pool.put(0)  # whoever still waits
        tasks = [green.spawn(use, name) for name in counts]
        green.sleep(0)
        pool.put(1)
        for task in tasks: task.get()
        assert all(90 < count < 110 for count in counts.values()), counts
        """
    )


@pytest.mark.parametrize("kind", [kind for kind in QUEUES if "Simple" not in kind])
def test_g11_room_is_given_in_order_too(kind: str) -> None:
    run_green(
        f"""
        pool = {kind}(1)
        pool.put(0)
        counts = dict.fromkeys("abc", 0)
        def use(name):
            while sum(counts.values()) < 300:
                pool.put(1)
                counts[name] += 1
                pool.get()
            try: pool.get_nowait()  # whoever still waits
            except queue.Empty: pass
        tasks = [green.spawn(use, name) for name in counts]
        green.sleep(0)
        pool.get()
        for task in tasks: task.get()
        assert all(90 < count < 110 for count in counts.values()), counts
        """
    )


@pytest.mark.parametrize("kind", ["threading", "green"])
@pytest.mark.parametrize("name", ["Semaphore", "BoundedSemaphore"])
def test_g11_so_are_permits(kind: str, name: str) -> None:
    run_green(
        f"""
        permit = {kind}.{name}(1)
        counts = dict.fromkeys("abc", 0)
        def use(name):
            while sum(counts.values()) < 300:
                with permit:
                    counts[name] += 1
                    green.sleep(0)
        tasks = [green.spawn(use, name) for name in counts]
        for task in tasks: task.get()
        assert all(90 < count < 110 for count in counts.values()), counts
        """
    )


def test_g11_who_peeks_takes_nothing_from_those_that_wait() -> None:
    run_green(
        """
        pool = green.Queue()
        waiting = [green.spawn(pool.peek), green.spawn(pool.get), green.spawn(pool.get)]
        green.sleep(0)
        pool.put(1)
        assert pool.peek() == 1
        pool.put(2)
        assert [task.get() for task in waiting] == [1, 1, 2]
        """
    )


def test_g11_a_queue_that_is_shut_down_keeps_nobody() -> None:
    run_green(
        """
        from celadon.green.queue import ShutDown
        pool = green.Queue(1)
        pool.put(1)
        def outcome(call, *args):
            try: return call(*args)
            except ShutDown: return "shut"
        waiting = [green.spawn(outcome, pool.put, n) for n in (2, 3)]
        green.sleep(0)
        pool.shutdown()
        late = [green.spawn(outcome, pool.put, 4), green.spawn(outcome, pool.get)]
        assert [task.get() for task in waiting + late] == ["shut", "shut", "shut", 1]
        assert outcome(pool.get) == "shut"
        """
    )


def test_arguments_and_names_are_cpythons() -> None:
    run_green(
        """
        import pickle, queue
        from decimal import Decimal
        def refused(call, *args):
            try: call(*args)
            except TypeError as error: return str(error)
            raise AssertionError((call, args))
        assert pickle.loads(pickle.dumps(queue.SimpleQueue)) is queue.SimpleQueue
        assert b"_queue" in pickle.dumps(queue.SimpleQueue)
        assert refused(queue.SimpleQueue, 5) == "SimpleQueue() takes no arguments"
        class Own(queue.SimpleQueue):
            def __init__(self, size): super().__init__()
        Own(5).put_nowait(item=1)
        refused(queue.SimpleQueue().put_nowait, 1, 2)
        queue.SimpleQueue().put(1, False, 5)
        native_sleep = celadon.patch.original("time", "sleep")
        def outcome(call, *args):
            try: return call(*args)
            except TypeError as error: return str(error)
        # A Decimal is a number of seconds since 3.15.
        for args in ((), (1, 2), (Decimal("0.001"),), ("1",), (None,)):
            assert outcome(time.sleep, *args) == outcome(native_sleep, *args), args
        time.sleep(True and 0); green.sleep()
        """
    )
