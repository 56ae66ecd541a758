"""Handlers of signals, and identities that are handed to the system."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support import raw
from tests.support.green import run_green
from tests.support.servers import Command
from tests.support.site import wait_ready

LATE = """
import signal
class Late(Exception): pass
def ring(*_): rung.append(1); raise Late
rung = []
def limit(seconds):
    signal.signal(signal.SIGALRM, ring); signal.setitimer(signal.ITIMER_REAL, seconds)
def limited(step, seconds=0.005):
    try: limit(seconds); step()
    except Late: return "late"
    return "in time"
def spin():
    while not rung: pass
    return "calm"
"""


def test_g02_what_a_handler_raises_comes_to_who_asked() -> None:
    run_green(
        LATE
        + """
never = green.Event()
# All wait, so that the hub hears of it; one runs, which it is not for; it runs itself.
for step, others in ((never.wait, []), (never.wait, [spin]), (spin, [])):
    rung.clear()
    tasks = [green.spawn(limited, step), *map(green.spawn, others)]
    assert [task.get(timeout=TIMEOUT) for task in tasks] == ["late", "calm"][:len(tasks)]
# The main script asked.
rung.clear()
try: busy = green.spawn(spin); limit(0.005); busy.join(); never.wait()
except Late: pass
else: raise AssertionError
assert busy.get() == "calm"
# A timer that another sets is for that one.
rung.clear()
over, waits = green.Event(), []
first = green.spawn(limited, lambda: waits.append(1) or over.wait(), 3600)
while not waits: time.sleep(0)
def second():
    try: signal.setitimer(signal.ITIMER_REAL, 0.005); never.wait()
    except Late: return "late"
assert green.spawn(second).get() == "late"
over.set(); assert first.get() == "in time"
"""
    )


def test_what_a_handler_raises_comes_to_a_main_script_that_never_waited() -> None:
    run_green(
        LATE
        + """
busy = green.spawn(spin)
try:
    limit(0.005)
    while not rung: time.sleep(0)
except Late: pass
else: raise AssertionError
assert busy.get() == "calm"
"""
    )


def test_g02_a_handler_whose_greenlet_has_ended_is_logged() -> None:
    run_green(
        LATE
        + """
import io, logging
out = io.StringIO(); logging.getLogger("celadon.error").addHandler(logging.StreamHandler(out))
green.spawn(limit, 3600).get()
signal.raise_signal(signal.SIGALRM)
assert rung and "SIGALRM raised, and who set it has ended" in out.getvalue()
assert "Late" in out.getvalue()
"""
    )


def test_a_time_limit_is_not_lost_in_a_handler_that_waits() -> None:
    run_green(
        """
import signal
heard = []
def wait_here(*_): begun.set(); go_on.wait(); heard.append(green.current())
signal.signal(signal.SIGUSR1, wait_here)
def ring_within(limited):
    with limited:
        signal.raise_signal(signal.SIGUSR1)
        never.wait()
def end(task):
    try: task.get(timeout=TIMEOUT)
    except BaseException as error: return error
for way in ("timeout", "kill"):
    begun, go_on, never = green.Event(), green.Event(), green.Event()
    limit = green.Timeout(0.001 if way == "timeout" else None)
    host = green.spawn(ring_within, limit)
    begun.wait(TIMEOUT)
    if way == "kill": host.kill(KeyError, block=False)
    else:
        while not limit.expired: time.sleep(0.001)
    assert not host.ready()
    go_on.set()
    assert end(host) is limit if way == "timeout" else isinstance(end(host), KeyError)
assert len(heard) == 2
"""
    )


AGE = """
from celadon._core import green as core
ended, ages = [], green.Queue()
def compute():
    end = time.monotonic() + 0.2
    while time.monotonic() < end: pass
    ended.append(time.monotonic())
    green.spawn(look)
def look():
    age = next(each.age for each in core.greenlets() if each.state == "running")
    ages.put(age <= time.monotonic() - ended[-1])
"""


def test_a_handlers_time_is_not_that_of_the_next_greenlet() -> None:
    run_green(
        AGE
        + """
import signal
signal.signal(signal.SIGALRM, lambda *_: compute())
signal.setitimer(signal.ITIMER_REAL, 0.005)
assert ages.get(timeout=TIMEOUT)
"""
    )


def test_the_time_of_what_a_runner_leaves_is_not_that_of_the_next_one() -> None:
    run_green(
        AGE
        + """
class Left:
    def __del__(self): compute()
local = threading.local()
def work(): local.left = Left(); begun.set(); green.Event().wait()
begun = green.Event()
task = green.spawn(work)
begun.wait(TIMEOUT)
task.kill()
assert ages.get(timeout=TIMEOUT)
"""
    )


def test_g02_handlers_are_given_back_as_they_were_set() -> None:
    run_green(
        LATE
        + """
assert signal.signal(signal.SIGALRM, ring) is signal.SIG_DFL
assert signal.getsignal(signal.SIGALRM) is ring
assert signal.signal(signal.SIGALRM, signal.SIG_IGN) is ring
assert signal.signal(signal.SIGALRM, signal.default_int_handler) is signal.SIG_IGN
assert signal.getsignal(signal.SIGALRM) is signal.default_int_handler
try: signal.signal(signal.SIGALRM, "nothing")
except TypeError: pass
else: raise AssertionError
assert signal.alarm(100) == 0 and 99 <= signal.alarm(0) <= 100
"""
    )


def test_g02_without_greenlets_it_is_as_ever() -> None:
    run_green(
        LATE
        + """
try: limit(0.005); time.sleep(60)
except Late: pass
else: raise AssertionError
""",
        prelude="import celadon.patch, time\nceladon.patch.install()\n",
    )


def test_g28_identities_that_are_handed_on() -> None:
    run_green(
        """
        import ctypes, signal
        class Late(Exception): pass
        def stop(ident):
            return ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(Late))
        def look():
            me = threading.get_ident()
            signal.pthread_kill(me, 0)
            assert time.clock_gettime(time.pthread_getcpuclockid(me)) > 0
            frames = sys._current_frames()
            assert frames[me].f_code.co_name == "look", frames[me]
            idents.append(me)
            never.wait()
        def park():
            idents.append(threading.get_ident()); never.wait()
        never, idents = green.Event(), []
        tasks = [green.spawn(look)]
        while not idents: time.sleep(0)
        tasks.append(green.spawn(park))
        while len(idents) < 2: time.sleep(0)
        frames = sys._current_frames()
        assert [frames[i].f_code.co_name for i in idents] == ["look", "park"]
        assert frames[threading.get_ident()].f_code.co_name == "<module>"
        # Reports and profiles, a hundred a second, ask CPython itself.
        from celadon.green import frames as ours
        assert set(ours.of_threads()) == {threading.get_ident()}
        # Time limits by an exception from elsewhere: for one that waits, and one that runs.
        assert [stop(ident) for ident in idents] == [1, 1]
        for task in tasks:
            try: task.get()
            except Late: pass
            else: raise AssertionError
        assert stop(idents[0]) == 0  # it has ended
        def spin():
            def tell(me):
                while not spins: time.sleep(0.001)
                told.append(stop(me))
            threading.Thread(target=tell, args=(threading.get_ident(),)).start()
            try:
                while True:
                    for n in range(100): spins.append(1)
            except Late: return "late"
        told, spins = [], []
        assert green.spawn(spin).get() == "late" and told == [1]
        # Native threads, as ever.
        def native():
            try:
                while True: time.sleep(0.001)
            except Late: ended.append("late")
        ended = []
        thread = threading.Thread(target=native); thread.start()
        signal.pthread_kill(thread.ident, 0)
        assert thread.ident in sys._current_frames()
        set_async = ctypes.pythonapi.PyThreadState_SetAsyncExc
        set_async.argtypes = [ctypes.c_ulong, ctypes.py_object]
        assert set_async(thread.ident, Late) == 1
        thread.join(); assert ended == ["late"]
        """
    )


APP = """
import os, signal, time
class Late(Exception): pass
def ring(*_): raise Late
def app(environ, start_response):
    text = "done"
    try:
        if environ["PATH_INFO"] == "/limit":
            signal.signal(signal.SIGALRM, ring); signal.setitimer(signal.ITIMER_REAL, 0.01)
            time.sleep(60)
        if environ["PATH_INFO"] == "/leave": signal.signal(signal.SIGALRM, ring)
        if environ["PATH_INFO"] == "/ring": os.kill(os.getpid(), signal.SIGALRM)
    except Late: text = "late"
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text.encode()]
"""


def test_g02_a_time_limit_in_a_view_ends_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "late_app.py").write_text(APP)
    with Command("late_app:app", cwd=tmp_path) as server:
        wait_ready(server, 1)
        for _ in range(5):
            assert server.request(raw.get("/limit")).body == b"late"
        assert server.request(raw.get("/leave")).body == b"done"
        assert server.request(raw.get("/ring")).body == b"done"
        server.said("SIGALRM raised, and who set it has ended")
        assert server.request(raw.get("/")).body == b"done"
        assert not any("exited" in line for line in server.lines)


SIGWAITS = {
    "sigwait": "signal.sigwait({signal.SIGUSR2})",
    "sigwaitinfo": "signal.sigwaitinfo(iter([signal.SIGUSR2])).si_signo",
    "sigtimedwait": "signal.sigtimedwait([signal.SIGUSR2], TIMEOUT).si_signo",
}


@pytest.mark.row("G21")
@pytest.mark.parametrize("to", ["the process", "the thread"])
@pytest.mark.parametrize("way", SIGWAITS)
def test_others_run_while_one_waits_for_a_signal(way: str, to: str) -> None:
    kill = {
        "the process": "soon(os.kill, os.getpid(), signal.SIGUSR2)",
        "the thread": "soon(signal.pthread_kill, main, signal.SIGUSR2)",
    }[to]
    run_green(
        f"""
        import signal
        main = threading.main_thread().ident
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        open_before = len(os.listdir("/proc/self/fd"))
        {kill}
        got, count = ticks(lambda: {SIGWAITS[way]})
        assert got == signal.SIGUSR2 and count >= 3, (got, count)
        # One that waits already.
        os.kill(os.getpid(), signal.SIGUSR2)
        assert {SIGWAITS[way]} == signal.SIGUSR2
        # Two that wait get one each, and one that is killed takes none.
        tasks = [green.spawn(lambda: {SIGWAITS[way]}) for _ in range(3)]
        green.sleep(0)
        tasks[0].kill()
        for task in tasks[1:]:
            os.kill(os.getpid(), signal.SIGUSR2)
            soon(os.kill, os.getpid(), signal.SIGUSR2)
        for task in tasks[1:]: assert task.get(timeout=TIMEOUT) == signal.SIGUSR2
        assert len(os.listdir("/proc/self/fd")) == open_before
        """,
        prelude=SOCKETS,
    )


def test_waits_for_signals_are_cpythons() -> None:
    run_green(
        """
        import signal
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        assert type(signal.sigwait) is type(celadon.patch.original("signal", "sigwait"))
        assert signal.sigtimedwait([signal.SIGUSR2], 0.01) is None
        waiter = green.spawn(signal.sigtimedwait, [signal.SIGUSR2], TIMEOUT)
        for _ in range(3): green.sleep(0.001)  # others run meanwhile
        os.kill(os.getpid(), signal.SIGUSR2)
        assert waiter.get(timeout=TIMEOUT).si_signo == signal.SIGUSR2
        assert signal.sigtimedwait([signal.SIGUSR2], 0) is None
        for wrong in ("[signal.SIGUSR2], -1", "[0], 1", "[10**9], 1"):
            raises(ValueError, lambda: eval(f"signal.sigtimedwait({wrong})"))
        for wrong in ("5, 1", "['x'], 1", "[signal.SIGUSR2], 'x'", "[signal.SIGUSR2]"):
            raises(TypeError, lambda: eval(f"signal.sigtimedwait({wrong})"))
        # A handler of another one runs meanwhile, and what it raises comes out.
        class Late(Exception): pass
        def ring(*_): raise Late
        def wait():
            signal.signal(signal.SIGALRM, ring); signal.setitimer(signal.ITIMER_REAL, 0.01)
            raises(Late, signal.sigwait, [signal.SIGUSR2])
        green.spawn(wait).get(timeout=TIMEOUT)
        # One that is not blocked is the kernel's to give, before its handler.
        # Again and again: its handler has those that come before the wait.
        signal.signal(signal.SIGUSR1, lambda *_: None)
        native_sleep, over = celadon.patch.original("time", "sleep"), []
        def send():
            while not over:
                os.kill(os.getpid(), signal.SIGUSR1)
                native_sleep(0.01)
        thread = threading.Thread(target=send)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        thread.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
        assert signal.sigwait([signal.SIGUSR1]) == signal.SIGUSR1
        over.append(1)
        thread.join()
        """,
        prelude=SOCKETS,
    )


WAKEUPS = """
import asyncio, signal, socket
from celadon import aio
def runs(begun, over):
    # As trio does in each of its runs.
    ours, theirs = socket.socketpair()
    for each in (ours, theirs): each.setblocking(False)
    before = signal.set_wakeup_fd(theirs.fileno())
    begun.set()
    over.wait()
    assert signal.set_wakeup_fd(before) == theirs.fileno()
    for each in (ours, theirs): each.close()
    return before
def begin():
    begun, over = green.Event(), green.Event()
    task = green.spawn(runs, begun, over)
    begun.wait()
    return task, over
"""


def test_g02_whom_a_signal_is_to_wake_greenlets_set_for_themselves() -> None:
    run_green(
        WAKEUPS
        + """
both = [begin(), begin()]
for task, over in both:   # the first one that began ends first
    over.set()
    assert task.get() == -1
assert signal.set_wakeup_fd(-1) == -1
"""
    )


def test_g02_a_loop_hears_of_signals_while_others_want_to() -> None:
    run_green(
        WAKEUPS
        + """
async def main():
    came, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, came.set)
    task, over = await aio.green(begin)
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGHUP)
        await came.wait()
        came.clear()
        over.set()
        await aio.green(task.join)
    # In tasks, which are one thread.
    both = [(green.Event(), green.Event()) for _ in "ab"]
    async def blocks(begun, over): return runs(begun, over)
    tasks = [asyncio.create_task(blocks(*each)) for each in both]
    for begun, _ in both: await aio.green(begun.wait)
    for (_, over), task in zip(both, tasks):
        over.set()
        assert await task == -1
    os.kill(os.getpid(), signal.SIGHUP)
    await came.wait()
aio.run(main())
assert signal.set_wakeup_fd(-1) == -1
"""
    )
