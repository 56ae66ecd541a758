"""What comes between two steps: exceptions that are sent, taken back, thrown in; values
whose end waits."""

from __future__ import annotations

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green


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
everybody = threading.Barrier(40)
def keep(number):
    box.local.value = Value(number); everybody.wait(); go.wait()
go = green.Event()
tasks = [green.spawn(keep, n) for n in range(40)]
thread = threading.Thread(target=lambda: setattr(box.local, "value", Value(40)) or go.wait())
thread.start()
while everybody.n_waiting: time.sleep(0.001)
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
def cancel_once_fired():
    # Due at the same turn of the loop as the timeout, and before it.
    time.sleep(0.001)
    assert timeouts[0].expired; timeouts[0].cancel()
def pass_both():
    end = time.monotonic() + 0.005
    while time.monotonic() < end: pass
timeouts = []
"""


@pytest.mark.parametrize("name", LOCKS)
def test_g06_a_timeout_that_is_cancelled_before_its_waiter_runs(name: str) -> None:
    """It has fired, and the waiter is ready for it: it waits on, as if nothing had been."""
    make, acquire, release = LOCKS[name]
    run_green(
        FIRED
        + f"""
it = {make}
inside = []
def hold():
    {acquire}
    free.wait(); {release}
def enter():
    with celadon.Timeout(0.002) as timeout:
        timeouts.append(timeout)
        {acquire}
        inside.append(free.is_set()); {release}
free = green.Event()
holder = green.spawn(hold); canceller = green.spawn(cancel_once_fired); waiter = green.spawn(enter)
time.sleep(0); pass_both()
canceller.get()
for _ in range(5): time.sleep(0)
assert not waiter.ready() and not inside
free.set(); holder.get(); waiter.get()
assert inside == [True]
"""
    )


def test_g06_what_waits_with_a_limit_of_its_own_keeps_it() -> None:
    """Not cut short, and not without an end."""
    run_green(
        FIRED
        + """
def wait(step):
    began = time.monotonic()
    with celadon.Timeout(0.002) as timeout:
        timeouts[:] = [timeout]
        result = step()
    return result, time.monotonic() - began >= 0.05
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
    canceller = green.spawn(cancel_once_fired); task = green.spawn(wait, step)
    time.sleep(0); pass_both(); canceller.get()
    assert task.get() == (expected, True), (step, task.get())
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
        task = green.spawn(enter); time.sleep(0)
        green.spawn(lambda: own[0].throw(KeyError))  # and never comes back
        lock.release()  # it is granted, and has not run yet when the above begins
        task.get()
        assert got == ["lock", "error"] and lock.acquire(blocking=False)
        """
    )
