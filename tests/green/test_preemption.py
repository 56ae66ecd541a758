"""Greenlets that compute take turns; what may not be disturbed is not (design §3)."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tests.support.green import PRELUDE, run_green
from tests.support.raw import TIMEOUT

PREEMPTING = (
    PRELUDE
    + """
green.preempt(0.002)
def burn(seconds=0.1):
    # Of this thread's own time: others may have the processor for longer than that.
    end = time.thread_time() + seconds
    count = 0
    while time.thread_time() < end: count += 1
    return count
def beside(work, *args):
    # What `work` gave, how often another greenlet ran meanwhile, and the counters.
    before = green.stats()
    count = 0
    def tick():
        nonlocal count
        while not task.ready():
            count += 1
            green.sleep(0)
    task = green.spawn(work, *args)
    ticker = green.spawn(tick)
    value = task.get()
    ticker.get()
    after = green.stats()
    return (value, count, after["preemptions"] - before["preemptions"],
            after["preemptions_refused"] - before["preemptions_refused"])
def taking_turns(work):
    # As `beside`, once both have run in turns: on a busy machine who measures comes late.
    end = time.monotonic() + TIMEOUT
    while True:
        value, ticks, preempted, refused = beside(work)
        if ticks > 3 and preempted > 3: return value
        assert time.monotonic() < end, (value, ticks, preempted, refused)
"""
)


def run_preempting(source: str, malloc: str = "debug") -> str:
    return run_green(source, prelude=PREEMPTING, malloc=malloc)


def test_a_tool_may_have_the_last_signal() -> None:
    """valgrind keeps it for itself."""
    run_preempting(
        """
        import signal
        last = signal.SIGRTMAX
        usual = signal.signal
        signal.signal(last, signal.SIG_DFL)
        def refuse(number, handler):
            if number == last: raise OSError(22, "Invalid argument")
            return usual(number, handler)
        signal.signal = refuse
        green.preempt(0.002)
        assert signal.getsignal(last) == signal.SIG_DFL
        assert taking_turns(burn) > 0
        """
    )


def test_others_run_while_one_computes() -> None:
    run_preempting(
        """
        assert taking_turns(burn) > 0
        # Two that compute share what there is.
        seen = []
        def mark(name):
            for _ in range(20): burn(0.005); seen.append(name)
        tasks = [green.spawn(mark, name) for name in "ab"]
        for task in tasks: task.get()
        assert set(seen[:10]) == {"a", "b"}, seen
        """
    )


def test_off_again() -> None:
    run_preempting(
        """
        green.preempt(0)
        _, ticks, preempted, refused = beside(burn)
        assert (ticks, preempted, refused) == (0, 0, 0), (ticks, preempted, refused)
        try: green.preempt(-1)
        except ValueError: pass
        else: raise AssertionError
        """
    )


def test_it_is_no_wait_point() -> None:
    run_preempting(
        """
        reached = []
        def compute():
            burn(); reached.append("computed")
            green.sleep(10); reached.append("slept")
        task = green.spawn(compute)
        killer = green.spawn(task.kill)
        killer.get(); task.join()
        assert reached == ["computed"], reached
        def late():
            with celadon.Timeout(0.005): burn()
            return "in time"
        assert beside(late)[0] == "in time"
        """
    )


def test_who_counts_errors_is_not_preempted_with_its_lock() -> None:
    """It is made before anything is patched, as the `celadon` command imports it."""
    run_green(
        """
        seen = celadon.logging.exceptions._repeats
        def count():
            for _ in range(30000): seen.admit(ValueError())
        before, end = green.stats()["preemptions"], time.monotonic() + TIMEOUT
        while green.stats()["preemptions"] == before:
            assert time.monotonic() < end
            tasks = [green.spawn(count) for _ in range(4)]
            for task in tasks: task.get()
        """,
        prelude="import celadon.logging\n" + PREEMPTING,
        malloc="default",
    )


@pytest.mark.row("G09")
def test_who_holds_a_lock_is_not_preempted() -> None:
    """A finalizer that wants it could not wait: a collection runs."""
    run_preempting(
        """
        def with_lock(lock):
            with lock: burn()
            burn(0.02)
        for lock in (threading.Lock(), threading.RLock(), green.Lock(), threading.Condition()):
            done = []
            class Dropped:
                def __init__(self): self.me = self
                def __del__(self):
                    with lock: done.append(1)
            before, end = green.stats(), time.monotonic() + TIMEOUT
            def grown(name): return green.stats()[name] > before[name]
            count = 0
            while not (grown("preemptions_refused") and grown("preemptions")):
                assert time.monotonic() < end
                task = green.spawn(with_lock, lock)
                while not task.ready():
                    Dropped(); gc.collect(); count += 1
                    green.sleep(0)
                assert len(done) == count
        # Locks that were handed over, given back by another, or are no more, count no longer.
        lock, other = threading.Lock(), threading.Lock()
        lock.acquire()
        def gets_them():
            green.spawn(lock.release)
            with lock: assert beside_with_lock() == 0
            other.acquire(); green.spawn(other.release).join()
            third = threading.Lock(); third.acquire(); del third
            return burn()
        def beside_with_lock():
            before = green.stats()["preemptions"]
            burn(0.02)
            return green.stats()["preemptions"] - before
        taking_turns(gets_them)
        """
    )


def test_what_belongs_to_a_greenlet_survives() -> None:
    run_preempting(
        """
        import decimal, sys
        var = contextvars.ContextVar("var")
        data = threading.local()
        def one(n):
            var.set(n); data.value = n
            decimal.getcontext().prec = n + 3
            try: raise ValueError(n)
            except ValueError as error:
                for _ in range(10):
                    burn(0.005)
                    assert sys.exc_info()[1] is error and sys.exception() is error
                    assert var.get() == n and data.value == n
                    assert len(str(decimal.Decimal(1) / 3)) == n + 5
            assert sys.exc_info() == (None, None, None)
            return n
        before, end = green.stats()["preemptions"], time.monotonic() + TIMEOUT
        while green.stats()["preemptions"] <= before + 20:
            assert time.monotonic() < end
            tasks = [green.spawn(one, n) for n in range(5)]
            assert [task.get() for task in tasks] == list(range(5))
        """
    )


# C code that calls back into Python, where threads would take turns too.
CALLBACKS = {
    "sort key": "sorted(range(20), key=lambda n: (burn(0.002), -n)[1]) == list(range(19, -1, -1))",
    "map": "sum(map(lambda n: (burn(0.002), n)[1], range(20))) == 190",
    "reduce": "functools.reduce(lambda a, b: (burn(0.002), a + b)[1], range(20)) == 190",
    "re.sub": "re.sub('.', lambda m: (burn(0.002), m[0].upper())[1], 'abc' * 7) == 'ABC' * 7",
    "hash and eq": "len({Slow(n % 10) for n in range(20)}) == 10",
    "json": "json.dumps([Slow(n) for n in range(20)], default=lambda s: (burn(0.002), s.n)[1])"
    " == json.dumps(list(range(20)))",
    "generator": "sum(n for n in range(20) if burn(0.002)) == 190",
    "property": "[Slow(n).slowly for n in range(20)] == list(range(20))",
    "asyncio": "asyncio.run(compute()) == 7",
    "exec": "exec('burn(0.04)') is None",
    "with": "with_block() == 3",
}


@pytest.mark.parametrize("name", CALLBACKS)
def test_c_code_that_calls_back_takes_turns(name: str) -> None:
    run_preempting(
        f"""
        import asyncio, contextlib, functools, json, re
        class Slow:
            def __init__(self, n): self.n = n
            def __hash__(self): burn(0.002); return self.n
            def __eq__(self, other): burn(0.002); return self.n == other.n
            @property
            def slowly(self): burn(0.002); return self.n
        async def compute():
            burn(); await asyncio.sleep(0); burn()
            return 7
        def with_block():
            with contextlib.ExitStack() as stack:
                stack.callback(burn)
                return 3
        def work(): return {CALLBACKS[name]}
        assert taking_turns(work) is True
        """
    )


# Nobody else may run while these compute: the reason is with each.
LEFT_ALONE = {
    # The last reference goes wherever it goes, under C code that expects it not to wait.
    "finalizer": """
class Finalized:
    def __del__(self): burn()
def work(): Finalized()
""",
    "finalizer in the collector": """
class Cycle:
    def __init__(self): self.me = self
    def __del__(self): burn()
def work(): Cycle(); gc.collect()
""",
    # Others would find the module half made.
    "import": """
import pathlib, tempfile
folder = tempfile.mkdtemp(); sys.path.insert(0, folder)
pathlib.Path(folder, "slow_one.py").write_text("import __main__; __main__.burn()")
def work(): import slow_one
""",
    # CPython keeps with the thread what is in its repr().
    "repr": """
class Shown:
    def __repr__(self): burn(); return "shown"
def work(): return repr([Shown()])
""",
    # SQLite holds a mutex of the connection while it calls back.
    "sqlite3 function": """
import sqlite3
base = sqlite3.connect(":memory:"); base.create_function("slow", 0, burn)
def work(): return base.execute("SELECT slow()").fetchone()
""",
    # libc holds what it holds.
    "libc callback": """
import ctypes
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(
    lambda a, b: (burn(0.02), 0)[1])
array = (ctypes.c_int * 4)(4, 3, 2, 1)
def work(): ctypes.CDLL(None).qsort(array, 4, 4, compare)
""",
    # The buffer's lock is held, and knows threads only.
    "raw file": """
import io
class Raw(io.RawIOBase):
    def writable(self): return True
    def write(self, data): burn(); return len(data)
def work():
    file = io.BufferedWriter(Raw()); file.write(b"x"); file.flush()
""",
    "trace function": """
def trace(frame, event, arg):
    sys.settrace(None); burn()
def traced(): pass
def work(): sys.settrace(trace); traced(); sys.settrace(None)
""",
    "fork hook": """
import warnings
warnings.simplefilter("ignore")
os.register_at_fork(before=burn, after_in_parent=burn)
def work():
    pid = os.fork()
    if pid == 0: os._exit(0)
    os.waitpid(pid, 0)
""",
    "no-switch region": """
from celadon._core import green as core
def work(): core.enter_no_switch(); burn(); core.leave_no_switch()
""",
    "declared region": """
def work():
    with green.blocking_region():
        with green.blocking_region(): burn()
        time.sleep(0.001); burn()
""",
    # Its stack is known to the application alone.
    "greenlet of the application": """
import greenlet
def work(): greenlet.greenlet(burn).switch()
""",
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_left_alone(name: str) -> None:
    run_preempting(
        LEFT_ALONE[name]
        + """
value, ticks, preempted, refused = beside(work)
# At its ends, before and after, it may be interrupted.
assert preempted <= 2, (ticks, preempted, refused)
taking_turns(burn)  # and all is as before
"""
    )


PROGRAM = """
import contextvars, functools, random, sys, queue, threading, itertools
seed, workers = int(sys.argv[1]), 6
var = contextvars.ContextVar("var", default=0)
lock, local = threading.RLock(), threading.local()
shared = {"sum": 0, "list": []}
channels = [queue.Queue(maxsize=3) for _ in range(workers)]
gate = threading.Barrier(workers)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
def hashing(r): return functools.reduce(lambda a, b: (a * 31 + b) % 1000003, range(r.randrange(3000)), 7)
def sorting(r): return tuple(sorted((r.random() for _ in range(300)), key=lambda x: fib(3) - x)[:3])
def failing(r):
    try:
        try: raise KeyError(r.randrange(100))
        except KeyError as error:
            fib(10)
            raise ValueError(error.args[0]) from error
    except ValueError as error:
        fib(8)
        assert sys.exc_info()[1] is error
        return error.args[0], error.__cause__.args[0]
def generating(r):
    def inner(n):
        for i in range(n):
            fib(5)
            yield from (i * j for j in range(3))
    return sum(itertools.islice(inner(r.randrange(30)), 60))
def context(r):
    n = r.randrange(1000)
    token = var.set(n); fib(9)
    value = var.get(); var.reset(token)
    return value, var.get()
def locals_(r):
    local.n = getattr(local, "n", 0) + r.randrange(10); fib(9)
    return local.n
def locking(r):
    n = r.randrange(100)
    with lock:
        before = shared["sum"]; fib(9)
        with lock: shared["sum"] = before + n
    return n
def formatting(r): return "".join(f"{fib(4)}{n:x}" for n in range(r.randrange(100)))[-8:]
def classes(r):
    made = type(f"C{r.randrange(9)}", (), {"__eq__": lambda s, o: bool(fib(6)), "__hash__": lambda s: fib(5)})
    return len({made() for _ in range(5)}), made.__name__
OPERATIONS = [hashing, sorting, failing, generating, context, locals_, locking, formatting, classes]
def worker(n):
    r = random.Random(seed * 100 + n)
    gate.wait()
    results = []
    for step in range(40):
        results.append(r.choice(OPERATIONS)(r))
        if step % 5 == 0:
            channels[(n + 1) % workers].put((n, step, results[-1]))
            results.append(channels[n].get())
    return results
def start(n, out): out[n] = worker(n)
out = {}
"""
BY_THREADS = """
threads = [threading.Thread(target=start, args=(n, out)) for n in range(workers)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
BY_GREENLETS = """
from celadon import green
green.preempt(0.0005)
tasks = [green.spawn(start, n, out) for n in range(workers)]
for task in tasks: task.get()
"""
SHOW = "print(shared, [out[n] for n in range(workers)])\n"
COUNT = "print(green.stats()['preemptions'], file=sys.stderr)\n"


@pytest.mark.parametrize("seed", range(int(os.environ.get("PREEMPTION_PROGRAMS", "6"))))
def test_random_programs_give_what_threads_give(seed: int) -> None:
    def run(source: str) -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-c", source, str(seed)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT * 3,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    expected, _ = run(PROGRAM + BY_THREADS + SHOW)
    patched = "import celadon.patch; celadon.patch.all()\n"
    end = time.monotonic() + TIMEOUT
    preemptions = 0
    while preemptions <= 5:
        assert time.monotonic() < end
        got, count = run(patched + PROGRAM + BY_GREENLETS + SHOW + COUNT)
        assert got == expected
        preemptions = int(count)
