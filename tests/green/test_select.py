"""select and epoll wait for their greenlet alone."""

from __future__ import annotations

import pytest

from tests.support.green import PRELUDE, run_green

TICKER = (
    PRELUDE
    + """
import select, selectors, socket
a, b = socket.socketpair()
def soon():
    # After ten turns of the loop, in which others could run, however long they last.
    for _ in range(10): green.sleep(0.001)
    b.send(b"x")
def ticks(wait):
    count = 0
    task = green.spawn(wait)
    while not task.ready():
        green.sleep(0.001)
        count += 1
    return task.get(), count
"""
)

WAITS = {
    "epoll": "e = select.epoll(); e.register(a, select.EPOLLIN); "
    "wait = lambda: e.poll() == [(a.fileno(), select.EPOLLIN)]",
    "epoll_timeout": "e = select.epoll(); e.register(a, select.EPOLLIN); "
    "wait = lambda: e.poll(5) == [(a.fileno(), select.EPOLLIN)]",
    "select": "wait = lambda: select.select([a], [], [a]) == ([a], [], [])",
    "select_timeout": "wait = lambda: select.select([a], [], [], 5) == ([a], [], [])",
    "selectors": "s = selectors.DefaultSelector(); s.register(a, 1); "
    "wait = lambda: s.select()[0][0].fileobj is a",
}


@pytest.mark.parametrize("way", WAITS)
def test_others_run_while_one_waits(way: str) -> None:
    run_green(
        f"{WAITS[way]}\n"
        "green.spawn(soon)\n"
        "found, count = ticks(wait)\n"
        "assert found and count >= 3, (found, count)\n",
        prelude=TICKER,
    )


def test_timeouts_and_errors_are_those_of_cpython() -> None:
    run_green(
        """
        e = select.epoll(); e.register(a, select.EPOLLIN)
        assert e.poll(0) == e.poll(0.005) == []
        for seconds in (0, 0.005):
            assert select.select([a], [], [], seconds) == ([], [], [])
        for bad in ("x", object()):
            for call in (lambda: e.poll(bad), lambda: select.select([], [], [], bad)):
                try: call()
                except TypeError: pass
                else: raise AssertionError(bad)
        try: select.select([], [], [], -1)
        except ValueError: pass
        else: raise AssertionError
        a.close()
        try: select.select([a], [], [], 1)
        except ValueError: pass
        else: raise AssertionError
        e.close()
        try: e.poll(1)
        except ValueError: pass
        else: raise AssertionError
        """,
        prelude=TICKER,
    )


def test_files_are_ready_and_hang_ups_do_not_spin() -> None:
    run_green(
        """
        import tempfile
        with tempfile.TemporaryFile() as file:
            assert select.select([file, a], [], [], 5) == ([file], [], [])
        b.close()   # the end of `a` is no exceptional condition
        looks = []
        from celadon.patch import select as selects
        real = selects._select
        selects._select = lambda *args: looks.append(1) or real(*args)
        assert select.select([], [], [a], 0.05) == ([], [], [])
        assert len(looks) < 6, len(looks)
        """,
        prelude=TICKER,
    )


def test_no_descriptor_is_left_open() -> None:
    run_green(
        """
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20): select.select([a], [], [], 0.0005)
        task = green.spawn(select.select, [a], [], [])
        green.sleep(0.001)
        task.kill()
        assert len(os.listdir("/proc/self/fd")) == before
        """,
        prelude=TICKER,
    )


TIMED = {
    "epoll": "e = select.epoll(); e.register(a, 1)\ndef wait(): e.poll(0.001)",
    "select": "def wait(): select.select([a], [], [], 0.001)",
    "poll": "p = select.poll(); p.register(a, 1)\ndef wait(): p.poll(1)",
    "popen": """
import subprocess
child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
def wait():
    with contextlib.suppress(subprocess.TimeoutExpired): child.wait(0.001)
""",
    "psycopg": """
import psycopg
late = getattr(psycopg.errors, "_WaitTimeout", None)  # before it, a wait is resumed
limit = {"timeout" if late else "interval": 0.001}
def generator():
    yield psycopg.waiting.Wait.R
def wait():
    with contextlib.suppress(*filter(None, [late])):
        psycopg.waiting.wait(generator(), a.fileno(), **limit)
""",
    "suspend": """
from celadon.contrib.meinheld import common, server
def wait():
    with contextlib.suppress(server.timeout): common.Continuation().suspend(0.001)
""",
    "trampoline": """
from celadon.contrib.meinheld import server
def wait():
    with contextlib.suppress(server.timeout): server.trampoline(a.fileno(), read=True, timeout=0.001)
""",
}


@pytest.mark.parametrize("way", TIMED)
def test_a_timeout_that_is_sent_when_the_waits_own_is_over_comes(way: str) -> None:
    """It is told by whose it is, and not by the time."""
    run_green(
        """
        began = green.Event()
        def waits(): began.set(); wait()
        def sent(error):
            began.clear()
            task = green.spawn(waits)
            began.wait()
            end = time.monotonic() + 0.02
            while time.monotonic() < end: pass  # its time is over, and nobody has seen that
            task.kill(error)
            return task.exception
        mine = TimeoutError("mine")
        assert sent(mine) is mine
        green.spawn(wait).get(timeout=TIMEOUT)  # its own is not raised
        """,
        prelude=TICKER + "import contextlib\n" + TIMED[way],
        malloc="default",
    )


def test_a_timeout_from_outside_is_not_taken_for_the_waits_own() -> None:
    run_green(
        """
        e = select.epoll(); e.register(a, select.EPOLLIN)
        for wait in (lambda: e.poll(60), lambda: select.select([a], [], [], 60)):
            mine = TimeoutError("mine")
            try:
                with celadon.Timeout(0.005, mine): wait()
            except TimeoutError as error: assert error is mine
            else: raise AssertionError
        """,
        prelude=TICKER,
    )


def test_what_epoll_refuses_is_never_exceptional() -> None:
    run_green(
        """
        import select, socket, tempfile
        file, (a, b) = tempfile.TemporaryFile(), socket.socketpair()
        for asked in ([], [], [file]), ([a], [], [file]):
            assert select.select(*asked, 0.001) == ([], [], [])
        waiter = green.spawn(select.select, [a], [], [file])
        green.sleep(0)
        b.send(b"x")
        assert waiter.get(timeout=TIMEOUT) == ([a], [], [])
        poll = select.poll()
        poll.register(file, select.POLLPRI)
        assert poll.poll(1) == []
        """
    )


def test_a_limit_that_is_none_is_refused() -> None:
    run_green(
        """
        import select
        epoll, poll = select.epoll(), select.poll()
        poll.register(epoll)
        def ask():
            for wait in (lambda t: select.select([epoll], [], [], t), epoll.poll, poll.poll):
                for limit in (float("nan"), 1e20, 1e30):
                    try: wait(limit)
                    except (OverflowError, ValueError): pass
                    else: raise AssertionError((wait, limit))
            try: epoll.poll(2**32)
            except OverflowError: return True
        assert green.spawn(ask).get(timeout=TIMEOUT)
        """
    )


def test_numbers_are_those_that_cpython_takes() -> None:
    """Since 3.15 all that are real, before it none that only becomes a float."""
    run_green(
        """
        from decimal import Decimal
        from fractions import Fraction
        from celadon.patch import registry
        epoll, poll = select.epoll(), select.poll()
        epoll.register(a, select.EPOLLIN); poll.register(a, select.POLLIN)
        def outcome(call, *args):
            try: call(*args)
            except TypeError: return False
            return True
        natively = registry.original("select", "select")
        takes = outcome(natively, [a], [], [], Decimal(0))
        for call, number in (
            (lambda n: select.select([a], [], [], n), Decimal("0.001")),
            (epoll.poll, Fraction(1, 1000)),
            (poll.poll, Decimal(1)),
            (time.sleep, Fraction(1, 1000)),
        ):
            order = []
            def wait():
                assert outcome(call, number) == takes
                order.append("waited")
            tasks = green.spawn(wait), green.spawn(order.append, "other")
            for task in tasks: task.get()
            assert (order == ["other", "waited"]) == takes, (call, order)
        """,
        prelude=TICKER,
    )
