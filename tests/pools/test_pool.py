"""The connection pool's mechanics, with connections of its own (green.md §6)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.green import PRELUDE, run_green
from tests.support.raw import TIMEOUT

FAKE = """
import logging
from celadon.pools import *
class Conn:
    made = 0
    alive = set()
    closing = 0
    def __init__(self):
        Conn.made += 1; self.number = Conn.made; self.rolled_back = 0; self.users = 0
        Conn.alive.add(self.number)
    def rollback(self):
        green.sleep(0); self.rolled_back += 1
        if getattr(self, "broken", False): raise OSError("broken")
    def close(self): Conn.alive.discard(self.number)
def raises(kind, fn, *args, **kwargs):
    try: fn(*args, **kwargs)
    except kind as error: return error
    raise AssertionError(f"no {kind}")
def until(probe):
    end = time.monotonic() + TIMEOUT
    while not probe():
        assert time.monotonic() < end, "did not happen"
        green.sleep(0.001)
class Lines(logging.Handler):
    def __init__(self): super().__init__(); self.lines = []
    def emit(self, record): self.lines.append(record.getMessage())
    def has(self, part): return any(part in line for line in self.lines)
log = Lines()
logging.getLogger("celadon.error").addHandler(log)
logging.getLogger("celadon.error").propagate = False
"""


def run_pool(source: str) -> None:
    run_green(source, prelude=PRELUDE + FAKE)


def test_one_at_a_time_first_come_first_served() -> None:
    run_pool(
        """
        pool = ConnectionPool(Conn, max_size=2)
        order = []
        def use(n):
            with pool.connection() as conn:
                conn.users += 1; assert conn.users == 1
                green.sleep(0.001); order.append(n)
                conn.users -= 1
        tasks = [green.spawn(use, n) for n in range(20)]
        for task in tasks: task.get()
        assert order == list(range(20)), order
        until(lambda: pool.stats().idle == pool.stats().size)
        stats = pool.stats()
        assert stats.size == 2 == Conn.made and stats.in_use == 0 == stats.waiting
        assert stats.acquired == 20 and stats.wait_seconds > 0 and stats.use_seconds > 0
        assert stats.opened == 2 and stats.create_seconds >= 0
        """
    )


def test_errors_are_clear() -> None:
    run_pool(
        """
        pool = ConnectionPool(Conn, name="main", max_size=1, max_waiting=1)
        conn = pool.acquire()
        error = raises(PoolTimeout, pool.acquire, 0.01)
        assert "main" in str(error) and "1 of 1 in use" in str(error), error
        assert isinstance(error, TimeoutError)
        waiting = green.spawn(pool.acquire)
        until(lambda: pool.stats().waiting == 1)
        raises(PoolFull, pool.acquire)
        pool.release(conn)
        assert waiting.get() is conn
        pool.release(conn)
        raises(ValueError, pool.release, conn)
        raises(ValueError, pool.release, Conn())
        waiter = pool.acquire(); late = green.spawn(pool.acquire)
        until(lambda: pool.stats().waiting == 1)
        pool.close(timeout=0)
        raises(PoolClosed, late.get); raises(PoolClosed, pool.acquire)
        pool.release(waiter)
        until(lambda: not Conn.alive - {2})
        stats = pool.stats()
        assert (stats.timeouts, stats.shed, stats.size) == (1, 1, 0), stats
        for bad in [dict(max_size=0), dict(min_size=3, max_size=2), dict(max_connecting=0),
                    dict(on_request_end="x")]:
            raises(ValueError, ConnectionPool, Conn, **bad)
        """
    )


def test_what_comes_back_is_reset_and_what_is_broken_goes() -> None:
    run_pool(
        """
        pool = ConnectionPool(Conn, max_size=1)
        with pool.connection() as conn: pass
        until(lambda: pool.stats().idle)
        assert conn.rolled_back == 1
        with pool.connection() as again: assert again is conn; conn.broken = True
        with pool.connection() as other: assert other is not conn
        until(lambda: Conn.alive == {2})
        assert pool.stats().discarded == {"reset": 1}
        try:
            with pool.connection(): raise KeyError
        except KeyError: pass
        else: raise AssertionError
        until(lambda: pool.stats().idle)
        assert other.rolled_back == 2
        pool.release(pool.acquire(), discard=True)
        until(lambda: not Conn.alive or Conn.alive == {3})
        assert pool.stats().discarded == {"reset": 1, "released": 1}
        """
    )


def test_check_at_checkout_and_in_the_background() -> None:
    run_pool(
        """
        checked = []
        def check(conn):
            checked.append(conn.number); green.sleep(0)
            if getattr(conn, "dead", False): raise OSError
        pool = ConnectionPool(Conn, max_size=1, check=check, check_bypass=0, keepalive=0.04)
        with pool.connection() as conn: pass
        until(lambda: pool.stats().idle)
        conn.dead = True
        with pool.connection() as other: assert other is not conn
        assert conn.number in checked
        until(lambda: pool.stats().idle)
        other.dead = True
        until(lambda: pool.stats().discarded["check"] == 2)  # nobody asked for it
        with pool.connection() as third: third.dead = False
        until(lambda: pool.stats().idle)
        third.dead = True
        pool.check()
        until(lambda: Conn.alive == {4})
        pool.close()
        # Used a moment ago: not checked.
        checked.clear()
        pool = ConnectionPool(Conn, max_size=1, check=check, check_bypass=60)
        for _ in range(3):
            with pool.connection(): pass
        assert checked == []
        """
    )


def test_lifetimes() -> None:
    run_pool(
        """
        pool = ConnectionPool(Conn, max_size=1, max_uses=2)
        numbers = []
        for _ in range(5):
            with pool.connection() as conn: numbers.append(conn.number)
        assert numbers == [1, 1, 2, 2, 3], numbers
        pool.close()
        pool = ConnectionPool(Conn, min_size=1, max_size=3, max_idle=0.05, max_lifetime=0.2)
        conns = [pool.acquire() for _ in range(3)]
        for conn in conns: pool.release(conn)
        until(lambda: pool.stats().size == 1)
        assert pool.stats().discarded["idle"] >= 2, pool.stats()
        until(lambda: pool.stats().discarded["lifetime"] >= 2)  # it was replaced at once
        until(lambda: pool.stats().idle == 1)
        pool.close()
        """
    )


def test_open_resize_drain() -> None:
    run_pool(
        """
        pool = ConnectionPool(Conn, min_size=3, max_size=4)
        assert Conn.made == 0
        pool.open(wait=True)
        assert pool.stats().idle == 3
        pool.resize(0, 1)
        until(lambda: len(Conn.alive) == 1)
        a = pool.acquire(); raises(PoolTimeout, pool.acquire, 0.01)
        pool.resize(1, 2)
        b = pool.acquire()
        pool.drain()
        pool.release(a); pool.release(b)
        with pool.connection() as c: assert c not in (a, b)
        until(lambda: not Conn.alive & {a.number, b.number})
        pool.close()
        assert pool.closed and not Conn.alive
        pool.open(); assert not pool.closed
        with pool.connection(): pass
        with ConnectionPool(Conn) as other:
            with other.connection(): pass
        assert other.closed
        """
    )


def test_the_same_greenlet_gets_the_same_connection() -> None:
    run_pool(
        """
        pool = ConnectionPool(Conn, max_size=2, reset=None)
        def twice():
            with pool.connection() as first: green.sleep(0.001)
            green.sleep(0.001)
            with pool.connection() as second: return first is second
        a, b = green.spawn(twice), green.spawn(twice)
        assert a.get() and b.get()
        """
    )


def test_a_killed_user_loses_nothing() -> None:
    run_pool(
        """
        go = green.Event()
        def slowly(): go.wait(); return Conn()
        pool = ConnectionPool(slowly, max_size=1)
        first, second = green.spawn(pool.acquire), green.spawn(pool.acquire)
        until(lambda: pool.stats().connecting == 1)
        first.kill()
        go.set()
        conn = second.get()  # the opening went on
        assert Conn.made == 1
        held = []
        def hold():
            with pool.connection() as conn: held.append(conn); green.sleep(10)
        holder = green.spawn(hold)
        pool.release(conn)
        until(lambda: held == [conn])
        holder.kill()
        with pool.connection() as other: assert other is not conn, "its protocol was open"
        """
    )


def test_a_request_that_keeps_one() -> None:
    run_pool(
        """
        pool = ConnectionPool(Conn, name="kept", max_size=1, leak_threshold=0.02)
        def forgetful(): return pool.acquire()
        conn = green.spawn(forgetful).get()
        until(lambda: log.has("did not give back a connection of pool kept"))
        assert log.has("forgetful")
        until(lambda: log.has("has been out for"))
        assert pool.stats().leaks == 1
        pool.release(conn)
        pool.on_request_end = "reclaim"
        conn = green.spawn(forgetful).get()
        until(lambda: pool.stats().idle == 1)
        def gives(): pool.release(pool.acquire())
        before = len(log.lines)
        green.spawn(gives).get(); green.sleep(0.01)
        assert len(log.lines) == before
        """
    )


def test_what_cannot_be_opened_is_tried_again() -> None:
    run_pool(
        """
        import celadon.pools.opening as opening
        opening._FIRST_PAUSE = 0.01
        up = False
        def factory():
            if not up: raise OSError("the database is down")
            return Conn()
        pool = ConnectionPool(factory, max_size=2)
        error = raises(PoolTimeout, pool.acquire, 0.03)
        assert "the database is down" in str(error) and isinstance(error.__cause__, OSError)
        waiting = green.spawn(pool.acquire)
        green.sleep(0.02); up = True
        pool.release(waiting.get())
        assert pool.stats().open_errors >= 2
        up = False
        told = []
        pool = ConnectionPool(factory, max_size=1, reconnect_timeout=0, reconnect_failed=told.append)
        error = raises(PoolError, pool.acquire)
        assert not isinstance(error, PoolTimeout) and "down" in str(error) and told == [pool], (error, told)
        def stuck(): green.sleep(60)
        pool = ConnectionPool(stuck, max_size=1, reconnect_timeout=0, connect_timeout=0.02)
        assert "0.02" in str(raises(PoolError, pool.acquire))
        def odd(conn): raise OSError("configure")
        pool = ConnectionPool(Conn, max_size=1, reconnect_timeout=0, configure=odd)
        raises(PoolError, pool.acquire)
        until(lambda: not Conn.alive - {1})
        """
    )


def test_a_deadline_that_comes_to_a_check_that_does_not_end_is_kept() -> None:
    """As one of a driver that cancels its query over a network that is down."""
    run_pool(
        """
        from celadon.pools import background
        background.bounded.__kwdefaults__["bound"] = 0.05
        is_down = False
        def check(conn):
            if not is_down: return
            try: green.sleep(60)
            except celadon.RequestTimeout: green.sleep(60)
        pool = ConnectionPool(Conn, max_size=1, check=check, check_bypass=0, timeout=TIMEOUT)
        def use():
            with celadon.deadline(0.02): pool.acquire()
        pool.release(pool.acquire())
        until(lambda: pool.stats().idle)
        is_down = True
        raises(celadon.RequestTimeout, use)
        # One that was over before is none of this one.
        try: raise celadon.RequestTimeout
        except celadon.RequestTimeout:
            raises(PoolTimeout, pool.acquire, 0.01)
        """
    )


def test_nobody_waits_longer_where_none_passes_its_check() -> None:
    run_pool(
        """
        def check(conn): raise OSError("read only")
        pool = ConnectionPool(Conn, max_size=2, check=check, check_bypass=0)
        raises(PoolTimeout, pool.acquire, 0.01)
        assert pool.stats().timeouts == 1, pool.stats()
        raises(PoolTimeout, pool.acquire, 0)
        """
    )


def test_released_by_finalizers() -> None:
    run_pool(
        """
        pool = ConnectionPool(Conn, max_size=3)
        class Owner:
            def __init__(self): self.me, self.conn = self, pool.acquire()
            def __del__(self): pool.release(self.conn)
        def make(): Owner()
        for _ in range(50):
            green.spawn(make).get()
            if pool.stats().in_use == 3: gc.collect()
        gc.collect()
        until(lambda: pool.stats().idle == pool.stats().size)
        """
    )


def test_threads_and_greenlets_share_one() -> None:
    run_pool(
        """
        pool = ConnectionPool(Conn, max_size=3)
        inside = most = 0
        lock = threading.Lock()
        def use():
            global inside, most
            for _ in range(20):
                with pool.connection() as conn:
                    with lock: inside += 1; most = max(most, inside)
                    assert conn.users == 0; conn.users = 1
                    time.sleep(0.0005)
                    conn.users = 0
                    with lock: inside -= 1
        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads: thread.start()
        tasks = [green.spawn(use) for _ in range(4)]
        for task in tasks: task.get()
        for thread in threads: thread.join()
        assert most == 3
        until(lambda: pool.stats().idle == pool.stats().size)
        """
    )


def test_without_the_patch_and_without_a_hub() -> None:
    source = (
        """
import threading, time
from celadon.pools import *
class Conn:
    def rollback(self): pass
    def close(self): pass
pool = ConnectionPool(Conn, max_size=2)
def use():
    for _ in range(20):
        with pool.connection(): time.sleep(0.0005)
threads = [threading.Thread(target=use) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
pool.close()
assert pool.stats().size == 0 and pool.stats().acquired == 120
"""
        "import sys; assert 'celadon.patch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=TIMEOUT
    )
    assert done.returncode == 0, done.stderr


def test_a_forked_child_leaves_the_parents_alone() -> None:
    run_pool(
        """
        import socket
        class Linked(Conn):
            def __init__(self): super().__init__(); self.sock, self.peer = socket.socketpair()
            def fileno(self): return self.sock.fileno()
            def close(self): self.sock.sendall(b"bye"); self.sock.close()
        pool = ConnectionPool(Linked, max_size=1)
        with pool.connection() as conn: pass
        until(lambda: pool.stats().idle)
        pid = os.fork()
        if pid == 0:
            assert pool.stats().idle == 1
            with pool.connection() as mine: assert mine is not conn
            raises(OSError, conn.close)  # goes nowhere
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        with pool.connection() as again: assert again is conn
        conn.peer.setblocking(False)
        raises(BlockingIOError, conn.peer.recv, 10)
        """
    )


@pytest.mark.parametrize("seed", range(5))
def test_invariant_under_kills_and_time_limits(seed: int) -> None:
    """green.md §9 (g): seeded, so that what it finds can be run again."""
    run_pool(
        f"""
        rng = random.Random({seed})
        logging.getLogger("celadon.error").setLevel(logging.CRITICAL)
        def factory():
            green.sleep(rng.random() * 0.002)
            if rng.random() < 0.1: raise OSError("no")
            return Conn()
        def check(conn):
            green.sleep(0)
            if rng.random() < 0.05: raise OSError("dead")
        import celadon.pools.opening as opening
        opening._FIRST_PAUSE = 0.001
        pool = ConnectionPool(factory, max_size=4, timeout=0.05, check=check, check_bypass=0,
                              max_uses=20, max_lifetime=0.3, max_idle=0.1)
        using = set()
        def use():
            for _ in range(rng.randrange(1, 6)):
                try:
                    with celadon.Timeout(rng.random() * 0.01, False):
                        with pool.connection(rng.choice([0, 0.002, None])) as conn:
                            assert conn not in using
                            using.add(conn)
                            try: green.sleep(rng.choice([0, rng.random() * 0.004]))
                            finally: using.discard(conn)
                            if rng.random() < 0.1: conn.broken = True
                except PoolError: pass
        tasks = []
        for step in range(400):
            tasks.append(green.spawn(use))
            if rng.random() < 0.3: rng.choice(tasks).kill(block=rng.random() < 0.2)
            if rng.random() < 0.02: pool.drain()
            if rng.random() < 0.02: pool.resize(0, rng.randrange(1, 6))
            if rng.random() < 0.3: green.sleep(rng.random() * 0.002)
            stats = pool.stats()
            assert stats.size == stats.idle + stats.in_use + stats.connecting <= 5
        for task in tasks:
            task.join()
            assert task.exception is None, task.exception
        until(lambda: pool.stats().in_use == 0 and not pool.stats().connecting)
        stats = pool.stats()
        until(lambda: len(Conn.alive) == pool.stats().size)
        assert stats.waiting == 0 and not using
        pool.close()
        until(lambda: not Conn.alive)
        """
    )


def test_a_pool_that_is_closed_while_a_connection_comes_back_keeps_none() -> None:
    """The close comes after the last look at the connection, before its place is taken."""
    source = """
from celadon.pools import *
class Conn:
    closed = False
    def rollback(self): pass
    def close(self): self.closed = True
pool = ConnectionPool(Conn, max_size=1)
conn = pool.acquire()
class Late:
    is_closing = True
    def __init__(self, lock): self.lock = lock
    def __enter__(self):
        if self.is_closing:
            self.is_closing = False
            pool.close(timeout=0)
        return self.lock.__enter__()
    def __exit__(self, *exc_info): return self.lock.__exit__(*exc_info)
pool._roster.lock = Late(pool._roster.lock)
pool.release(conn)
pool._roster.empty.wait(60)
assert pool.stats().size == 0, pool.stats()
assert pool.stats().discarded == {"close": 1}, pool.stats()
"""
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=TIMEOUT
    )
    assert done.returncode == 0, done.stderr


SLOW_LOG = """
told, go_on = green.Event(), green.Event()
class Slow(logging.Handler):
    def emit(self, record): told.set(); go_on.wait()
logging.getLogger("celadon.error").addHandler(Slow())
logging.getLogger("celadon.error").setLevel(logging.INFO)
def one_free(pool):
    with pool.connection(timeout=TIMEOUT) as conn: return conn
"""


def test_who_is_killed_while_a_broken_one_is_told_leaves_its_place() -> None:
    run_pool(
        SLOW_LOG
        + """
def check(conn):
    if conn.number == 1: raise OSError("gone")
pool = ConnectionPool(Conn, max_size=1, check=check, check_bypass=0)
pool.open(wait=True)
user = green.spawn(one_free, pool)
told.wait()
user.kill(); assert user.ready()
assert one_free(pool).number == 2
until(lambda: pool.stats().in_use == 0)
"""
    )


def test_who_is_killed_while_the_hint_is_told_leaves_its_connection() -> None:
    run_pool(
        SLOW_LOG
        + """
pool = ConnectionPool(Conn, max_size=1)
first = one_free(pool)
counters = pool._counters
counters.acquired, counters.wait_seconds = 99, 1000.0
user = green.spawn(one_free, pool)
told.wait()
user.kill(); assert user.ready()
assert one_free(pool) is first
"""
    )


def test_a_check_that_has_a_time_limit_of_its_own_costs_nobody_else() -> None:
    run_pool(
        """
        def check(conn):
            with celadon.Timeout(0.001):
                if conn.number in stuck: green.sleep(60)
        stuck = {2}
        pool = ConnectionPool(Conn, min_size=4, max_size=4, check=check, keepalive=0.01)
        pool.open(wait=True)
        until(lambda: 2 not in Conn.alive and pool.stats().idle == 4)
        assert pool._roster.tended and pool.stats().in_use == 0
        stuck = {min(Conn.alive)}
        pool.keepalive = 60
        until(lambda: pool.stats().idle == 4)
        raises(celadon.Timeout, pool.check)
        until(lambda: pool.stats().idle == 4)
        assert pool.stats().in_use == 0 and not stuck & Conn.alive
        """
    )


def test_one_whose_request_was_stopped_is_not_reclaimed() -> None:
    run_pool(
        """
        pool = ConnectionPool(Conn, max_size=1, on_request_end="reclaim")
        asked = green.Event()
        def stopped():
            conn = pool.acquire(); conn.in_query = True; asked.set(); green.sleep(600)
        user = green.spawn(stopped)
        asked.wait()
        user.kill()
        with pool.connection(timeout=TIMEOUT) as conn: assert not hasattr(conn, "in_query")
        assert pool.stats().discarded == {"interrupted": 1}
        def forgetful(): return pool.acquire()
        kept = green.spawn(forgetful).get()
        with pool.connection(timeout=TIMEOUT) as again: assert again is kept is conn
        """
    )


def test_the_first_user_is_not_kept() -> None:
    run_pool(
        """
        request = contextvars.ContextVar("request")
        class Request: pass
        pool = ConnectionPool(Conn)
        def view():
            mine = Request(); request.set(mine)
            with pool.connection(): pass
            return weakref.ref(mine)
        first = green.spawn(view).get()
        def is_gone(): gc.collect(); return first() is None
        until(is_gone)
        assert pool._roster.tended
        """
    )


def test_a_factory_that_has_a_time_limit_of_its_own_is_asked_again() -> None:
    run_pool(
        """
        attempts = []
        def factory():
            attempts.append(1)
            if len(attempts) == 1:
                with celadon.Timeout(0.001): green.sleep(60)
            return Conn()
        pool = ConnectionPool(factory, max_size=1)
        with pool.connection(timeout=TIMEOUT): pass
        assert len(attempts) == 2 and pool.stats().open_errors == 1
        # And told to who waits, where no more is tried.
        pool = ConnectionPool(lambda: factory() and attempts.clear() or factory(),
                              max_size=1, reconnect_timeout=0.001)
        attempts.clear()
        assert "cannot connect" in str(raises(PoolError, pool.acquire, TIMEOUT))
        """
    )


def test_a_child_that_leaves_what_has_no_descriptor_opens_none() -> None:
    run_pool(
        """
        pool = ConnectionPool(Conn, min_size=3, max_size=3)
        pool.open(wait=True)
        if pid := os.fork():
            assert os.waitpid(pid, 0)[1] == 0
        else:
            before = len(os.listdir("/proc/self/fd"))
            pool._look_at_process()
            os._exit(len(os.listdir("/proc/self/fd")) != before)
        """
    )
