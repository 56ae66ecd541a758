"""What comes between two steps: exceptions that are sent, taken back, thrown in; values
whose end waits."""

from __future__ import annotations

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import PRELUDE, run_green


def test_g05_locals_of_greenlets_in_other_threads() -> None:
    """Each thread's hub has runners of its own; none has the values of another's."""
    run_green(
        """
        local = threading.local()
        seen = []
        def put(value):
            local.value = value
            for _ in range(10):
                time.sleep(0)
                seen.append(local.value == value)
        def look(value):
            seen.append(not hasattr(local, "value"))
            put(value)
        def other(name):
            tasks = [green.spawn(look, f"{name} {n}") for n in range(3)]
            for task in tasks: task.get()
        local.value = "main"
        here = [green.spawn(look, f"here {n}") for n in range(3)]
        for name in "ab":
            thread = threading.Thread(target=other, args=(name,)); thread.start(); thread.join()
        for task in here: task.get()
        assert len(seen) == 9 * 11 and all(seen), seen and local.value == "main"
        """
    )


def test_g05_a_runner_of_one_thread_sees_nothing_of_the_same_runner_of_another() -> (
    None
):
    run_green(
        """
        local = threading.local()
        def put(): local.tenant = "A"
        green.spawn(put).get()
        found = []
        def look(): found.append(getattr(local, "tenant", None))
        thread = threading.Thread(target=lambda: green.spawn(look).get())
        thread.start(); thread.join()
        assert found == [None], found
        """
    )


@pytest.mark.parametrize("how", ["dropped", "collected"])
def test_g01_values_of_a_local_whose_end_waits(how: str) -> None:
    """It ends while others run and begin; each value ends once, by who may wait."""
    run_green(
        f"how = {how!r}\n"
        + """
class Value:
    def __init__(self, number): self.number = number
    def __del__(self):
        time.sleep(0.001)
        for _ in range(3): green.spawn(begin)
        time.sleep(0.001); ended.append(self.number)
def begin(): begun.append(1); enough.wait()
begun, ended, enough = [], [], green.Event()
class Box: pass
box = Box(); box.local = threading.local()
kept = []
def keep(number):
    box.local.value = Value(number); kept.append(number); go.wait()
go = green.Event()
tasks = [green.spawn(keep, n) for n in range(40)]
thread = threading.Thread(target=keep, args=(40,)); thread.start()
while len(kept) < 41: time.sleep(0.001)
if how == "collected":
    box.itself = box; gc.disable(); del box
    gc.collect(); gc.enable()
else:
    del box.local
go.set()
for task in tasks: task.get()
thread.join()
while len(ended) < 41 or len(begun) < 41 * 3: time.sleep(0.001)
assert sorted(ended) == list(range(41))
enough.set()
"""
    )


LOCKS = {
    "lock": ("threading.Lock()", "it.acquire()", "it.release()"),
    "rlock": ("threading.RLock()", "it.acquire()", "it.release()"),
    "semaphore": ("threading.Semaphore(1)", "it.acquire()", "it.release()"),
    "green": ("green.Semaphore(1)", "it.acquire()", "it.release()"),
    "condition": ("threading.Condition()", "it.acquire()", "it.release()"),
}


FIRED = """
class Limited:
    # `step` in a greenlet whose time limit fires and is cancelled before it runs again.
    def __init__(self, step):
        self.done = []
        self.canceller, self.task = green.spawn(self.cancel), green.spawn(self.run, step)
        time.sleep(0)
        end = time.monotonic() + 0.005  # both are due at the same turn of the loop
        while time.monotonic() < end: pass
        self.is_so = self.canceller.get()
    def run(self, step):
        try:
            with celadon.Timeout(0.002) as self.timeout: self.done.append(step())
        except celadon.Timeout: self.done.append("limited")
    def cancel(self):
        time.sleep(0.001)
        timeout = getattr(self, "timeout", None)  # on a busy machine it has not begun
        fired = timeout and timeout.expired
        if timeout: timeout.cancel()
        return bool(fired and not self.done)
"""


@pytest.mark.parametrize("name", LOCKS)
def test_g06_a_timeout_that_is_cancelled_before_its_waiter_runs(name: str) -> None:
    """It has fired, and the waiter is ready for it: it waits on, as if nothing had been."""
    make, acquire, release = LOCKS[name]
    run_green(
        FIRED
        + f"""
def is_so():
    it, free, held = {make}, green.Event(), []
    def hold():
        {acquire}
        held.append(1); free.wait(); {release}
    def enter():
        {acquire}
        was_free = free.is_set(); {release}
        return was_free
    holder = green.spawn(hold)
    while not held: time.sleep(0)
    limited = Limited(enter)
    if limited.is_so:
        for _ in range(5): time.sleep(0)
        assert not limited.task.ready() and not limited.done
    free.set(); holder.get(); limited.task.join()
    if limited.is_so: assert limited.done == [True], limited.done
    return limited.is_so
while not is_so(): pass
"""
    )


def test_g06_what_waits_with_a_limit_of_its_own_keeps_it() -> None:
    """Not cut short, and not without an end."""
    run_green(
        FIRED
        + """
a, b = socket.socketpair()
a.settimeout(0.05)
def receive():
    try: return a.recv(1)
    except TimeoutError as error: return type(error) is TimeoutError and str(error) == "timed out"
event, never = green.Event(), threading.Lock(); never.acquire()
steps = [(lambda: event.wait(0.05), False), (lambda: never.acquire(timeout=0.05), False),
         (lambda: time.sleep(0.05), None), (receive, True),
         (lambda: select.select([b], [], [], 0.05), ([], [], []))]
for step, expected in steps:
    def timed():
        began = time.monotonic()
        return step(), time.monotonic() - began >= 0.05
    while True:
        limited = Limited(timed)
        limited.task.join()
        if limited.is_so: break
    assert limited.done == [(expected, True)], (step, limited.done)
""",
        prelude=SOCKETS,
    )


def test_a_waiter_that_was_granted_keeps_its_lock_whoever_throws() -> None:
    """The exception comes at its next wait."""
    run_green(
        """
        import greenlet
        lock, got = threading.Lock(), []
        lock.acquire()
        def enter():
            own.append(greenlet.getcurrent())
            lock.acquire(); got.append("lock")
            try: time.sleep(0)
            except KeyError: got.append("error")
            finally: lock.release()
        own = []
        task = green.spawn(enter)
        while not own: time.sleep(0)
        green.spawn(lambda: own[0].throw(KeyError))  # and never comes back
        lock.release()  # it is granted, and has not run yet when the above begins
        task.get()
        assert got == ["lock", "error"] and lock.acquire(blocking=False)
        """
    )


def test_g03_g14_a_kill_while_a_thread_starts_comes_behind_it() -> None:
    """Nothing is torn: what was submitted runs, and every place in a pool is somebody's."""
    run_green(
        """
        from concurrent.futures import ThreadPoolExecutor
        from greenlet import GreenletExit
        started = []
        def start():
            thread = threading.Thread(target=started.append, args=(1,))
            try: thread.start()
            except GreenletExit: raise AssertionError("torn")
            kept.append(thread)
            time.sleep(0)
        kept = []
        def begun(task):
            while not task._running and not task.ready(): time.sleep(0)
            return task
        for _ in range(20): begun(green.spawn(start)).kill()
        for thread in kept: thread.join()
        assert len(started) == len(kept) == 20
        with ThreadPoolExecutor(1) as pool:
            futures = []
            def submit(): futures.append(pool.submit(int, 7)); time.sleep(0)
            begun(green.spawn(submit)).kill()
            assert [f.result() for f in futures] == [7]
        # The pool of `offload` and of names has all its places after kills at any moment.
        def use(): green.offload(int, 1)
        for turns in range(40):
            task = green.spawn(use)
            for _ in range(turns % 5): time.sleep(0)
            task.kill()
        tasks = [green.spawn(green.offload, int, n) for n in range(40)]
        assert [task.get(timeout=TIMEOUT) for task in tasks] == list(range(40))
        """
    )


def test_g14_what_cannot_wait_delivers_nothing() -> None:
    run_green(
        """
        from greenlet import GreenletExit
        condition, semaphore = threading.Condition(), threading.Semaphore(0)
        events = threading.Event(), green.Event()
        steps = [lambda: condition.wait(0), lambda: condition.wait(-1),
                 lambda: events[0].wait(0), lambda: events[1].wait(0),
                 lambda: semaphore.acquire(timeout=0), lambda: semaphore.acquire(False)]
        def work():
            task._interrupt(GreenletExit)  # it comes at the next wait
            with condition: done.extend(step() for step in steps)
            try: time.sleep(0)
            except GreenletExit: done.append("killed")
        done = []
        task = green.spawn(work); task.join()
        assert done == [False] * 6 + ["killed"], done
        """
    )


def test_g10_a_time_that_is_over_is_over() -> None:
    """As the standard library has it: False at once, and not for ever."""
    run_green(
        """
        condition, never = threading.Condition(), threading.Lock(); never.acquire()
        def false(): return False
        for over in (-1, -1.0, -0.5, -(10 ** 9), 0):
            with condition:
                assert not condition.wait(over) and not condition.wait_for(false, over)
            for event in threading.Event(), green.Event(): assert not event.wait(over)
            for kind in threading.Semaphore, threading.BoundedSemaphore, green.Semaphore:
                assert not kind(0).acquire(timeout=over)
            sleeper = green.spawn(time.sleep, 3600)
            sleeper.join(over); assert not sleeper.ready()
            try: sleeper.get(timeout=over)
            except TimeoutError: pass
            else: raise AssertionError
            thread = threading.Thread(target=never.acquire, daemon=True); thread.start()
            thread.join(over); assert thread.is_alive()
            core = green.Condition(threading.Lock())
            with core: assert not core.wait(over) and not core.wait_for(false, over)
        for over in (-2, -0.5):
            for call in (lambda: never.acquire(timeout=over), lambda: queue.SimpleQueue().get(timeout=over),
                         lambda: queue.Queue().get(timeout=over), lambda: green.Queue().get(timeout=over)):
                try: call()
                except ValueError: pass
                else: raise AssertionError(over)
        """
    )


def test_g12_an_end_in_a_greenlet_is_the_scripts() -> None:
    for raised in ("KeyboardInterrupt", "SystemExit(3)"):
        run_green(
            f"""
            def work():
                time.sleep(0.001); raise {raised}
            task = green.spawn(work)
            try: green.Event().wait()
            except (KeyboardInterrupt, SystemExit) as error: got = error
            assert got is task.exception and repr(got).startswith({raised!r}[:10])
            # Who waits for it gets it there.
            task = green.spawn(work)
            try: task.get()
            except (KeyboardInterrupt, SystemExit): pass
            time.sleep(0)
            # As who waits for its end does: a script may have no other wait.
            task, got = green.spawn(work), None
            try: task.join()
            except (KeyboardInterrupt, SystemExit) as error: got = error
            assert got is task.exception
            time.sleep(0)
            """
        )


def test_g13_runners_that_were_given_back_are_no_threads() -> None:
    run_green(
        """
        def work(): threads.append(threading.current_thread()); green.Event().wait()
        threads = []
        tasks = [green.spawn(work) for _ in range(200)]
        while len(threads) < 200: time.sleep(0)
        assert threading.active_count() == 201 and all(t.is_alive() for t in threads)
        for task in tasks: task.kill()  # and its runner is not used again
        while threading.active_count() > 1: time.sleep(0)
        assert not any(t.is_alive() for t in threads)
        """
    )


def test_g19_a_cached_property_is_computed_by_each_instance_alone() -> None:
    run_green(
        """
        import functools
        class Page:
            @functools.cached_property
            def text(self): everybody.wait(); return self
            @functools.cached_property
            def other(self): raise KeyError
        everybody = threading.Barrier(20)
        pages = [Page() for _ in range(20)]
        tasks = [green.spawn(getattr, page, "text") for page in pages]
        assert [task.get(timeout=TIMEOUT) for task in tasks] == pages
        assert pages[0].text is pages[0] and Page.text.__doc__ is None
        for wrong in (lambda: pages[0].other, lambda: functools.cached_property(len).__get__(pages[0])):
            try: wrong()
            except (KeyError, TypeError): pass
            else: raise AssertionError
        class Slotted:
            __slots__ = ()
            @functools.cached_property
            def text(self): return 1
        try: Slotted().text
        except TypeError as error: assert "__dict__" in str(error)
        else: raise AssertionError
        """
    )


def test_g16_select_of_descriptors_beyond_its_sets() -> None:
    run_green(
        """
        import fcntl, resource, select
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
        low, other = socket.socketpair()
        high = socket.socket(fileno=fcntl.fcntl(low.detach(), fcntl.F_DUPFD, 2000))
        assert high.fileno() >= 2000
        assert select.select([high], [], [], 0) == ([], [], [])
        assert select.select([high], [high], [high], 0) == ([], [high], [])
        assert select.select([], [high.fileno()], []) == ([], [high.fileno()], [])
        _, ticked = ticks(lambda: select.select([high], [], [], 0.01)); assert ticked >= 1
        soon(lambda: other.send(b"x"))
        assert select.select([high], [], []) == ([high], [], [])
        other.close(); high.recv(1)
        assert select.select([high], [], [high]) == ([high], [], [])
        thread = threading.Thread(target=lambda: found.append(select.select([high], [], [], 1)))
        found = []; thread.start(); thread.join(); assert found == [([high], [], [])]
        number = high.fileno(); high.close()
        for wrong, kind in ((number, OSError), (-1, ValueError)):
            try: select.select([wrong], [], [], 0)
            except kind: pass
            else: raise AssertionError(wrong)
        """,
        prelude=SOCKETS,
    )


def test_g15_a_wait_that_was_shielded_is_over_with_its_end() -> None:
    """A condition takes its lock again whatever comes; what comes later is delivered."""
    run_green(
        """
        condition, began, told, native = threading.Condition(), [], [], threading.Event()
        def body():
            with condition:
                began.append(1)
                condition.wait()
            with green.shield(60):
                native.set()
                while not told: pass  # no wait that would be none of these
            raise AssertionError("the kill was not delivered at the shield's end")
        task = green.spawn(body)
        def kill():
            native.wait()
            task.kill(block=False)
            told.append(1)
        killer = threading.Thread(target=kill)
        killer.start()
        while not began: green.sleep(0)
        with condition:
            condition.notify()
            for _ in range(3): green.sleep(0)  # it waits for the lock meanwhile
        task.join()
        assert type(task.value).__name__ == "GreenletExit", task.exception
        killer.join()
        """
    )


FINALIZERS = {
    "del": """
class Thing:
    def __del__(self): wait_here()
def drop(): Thing()
""",
    "del that waits once more": """
class Thing:
    def __del__(self):
        try: wait_here()
        finally: green.sleep(0)
def drop(): Thing()
""",
    "generator": """
def numbers():
    try: yield 1
    finally: wait_here()
def drop(): next(numbers())
""",
    "weakref": """
class Thing: pass
def drop():
    thing = Thing()
    ref = weakref.ref(thing, lambda _: wait_here())
    del thing
""",
}


@pytest.mark.parametrize("kind", FINALIZERS)
@pytest.mark.parametrize("way", ["timeout", "kill"])
def test_what_meets_a_finalizer_is_not_lost(kind: str, way: str) -> None:
    run_green(
        FINALIZERS[kind]
        + f"""
way = {way!r}
begun, never = green.Event(), green.Event()
def wait_here():
    begun.set(); never.wait()
class Late(Exception): pass
limit = green.Timeout(0.001 if way == "timeout" else None, Late)
def work():
    with limit:
        drop()
        outside.append(1)
        never.wait()
outside = []
task = green.spawn(work)
if way == "kill":
    begun.wait(TIMEOUT)
    task.kill(Late, block=False)
try: task.get(timeout=TIMEOUT)
except Late: pass
else: raise AssertionError
assert outside
"""
    )


def test_a_time_limit_of_a_finalizers_own_ends_there() -> None:
    run_green(
        """
reports = []
sys.unraisablehook, before = lambda args: reports.append(args.exc_type), sys.unraisablehook
celadon.patch.finalizers.install()
class Late(Exception): pass
never = green.Event()
class Limited:
    def __del__(self):
        with green.Timeout(0.001, Late): never.wait()
class Broken:
    def __del__(self): raise KeyError
def work():
    Limited(); time.sleep(0.002); Broken(); time.sleep(0.002)
    return "to its end"
assert green.spawn(work).get(timeout=TIMEOUT) == "to its end"
assert reports == [Late, KeyError], reports
""",
        prelude=PRELUDE + "import celadon.patch.finalizers\n",
    )


WHO = {
    "greenlet": """
task = green.spawn(work)
while not things: green.sleep(0)
task.kill(Late, block=False)
assert task.get(timeout=TIMEOUT) is None
""",
    "main": """
def late(*_): raise Late
signal.signal(signal.SIGALRM, late)
begin = lambda: signal.setitimer(signal.ITIMER_REAL, 0.001)
assert work() is None
""",
}


@pytest.mark.parametrize("who", WHO)
def test_what_came_to_somebody_keeps_no_frame(who: str) -> None:
    run_green(
        """
class Late(Exception): pass
class Thing: pass
things = []
begin = lambda: None
def wait_here():
    thing = Thing()
    things.append(weakref.ref(thing))
    begin()
    green.Event().wait()
def work():
    try: wait_here()
    except Late: pass
    green.sleep(0)  # the next wait
    return things[0]()
"""
        + WHO[who],
        prelude=PRELUDE + "import signal\n",
    )
