"""spawn, sleep, kill, timeouts, identities, contexts (green.md 2, 7)."""

from __future__ import annotations

import pytest

from tests.support.green import run_green


def test_sleeping_greenlets_overlap_and_wake_in_order() -> None:
    run_green(
        """
        def wake():
            order = []
            def work(n):
                time.sleep(0.01 * n)
                order.append(n)
            tasks = [green.spawn(work, n) for n in (5, 3, 1, 4, 2)]
            for t in tasks: t.join()
            return order
        # On a busy machine they may begin further apart than they are to end.
        orders = (wake() for _ in range(50))
        assert any(order == [1, 2, 3, 4, 5] for order in orders)
        """
    )


def test_sleep_zero_lets_everything_ready_go_first() -> None:
    run_green(
        """
        order, begun, gate = [], [], green.Event()
        def work(name):
            begun.append(name)
            gate.wait()
            for i in range(3):
                order.append(name + str(i))
                green.sleep(0)
        tasks = [green.spawn(work, name) for name in "ab"]
        while len(begun) < 2: green.sleep(0)
        gate.set()
        for t in tasks: t.join()
        assert order == ["a0", "b0", "a1", "b1", "a2", "b2"], order
        for bad, error in ((-1, ValueError), ("x", TypeError), (float("nan"), ValueError)):
            try: time.sleep(bad)
            except error: pass
            else: raise AssertionError(bad)
        """
    )


def test_results_exceptions_and_links() -> None:
    run_green(
        """
        assert green.spawn(lambda a, b=0: a + b, 1, b=2).get() == 3
        task = green.spawn(lambda: 1 / 0)
        try: task.get()
        except ZeroDivisionError: pass
        else: raise AssertionError
        assert task.ready() and not task.successful() and task.dead
        seen = []
        task = green.spawn(lambda: 5)
        task.link(lambda t: seen.append(t.value))
        task.join(); green.sleep(0); green.sleep(0)
        assert seen == [5], seen
        slow = green.spawn(time.sleep, 60)
        try: slow.get(timeout=0.01)
        except TimeoutError: pass
        else: raise AssertionError
        slow.kill()
        assert slow.ready()
        """
    )


def test_a_link_to_one_that_ends_meanwhile_is_called() -> None:
    """Who links is preempted between two bytecodes."""
    run_green(
        """
        from celadon._core import green as core
        class Done:
            def __init__(self, event): self.event = event
            def __getattr__(self, name): return getattr(self.event, name)
            def is_set(self):
                found = self.event.is_set()
                for _ in range(10): core.preempt_here()
                return found
        def links():
            task = green.spawn(lambda: 5)
            task._done = Done(task._done)
            called = green.Event()
            task.link(lambda t: called.set())
            assert called.wait(10)
        green.spawn(links).get()
        """
    )


def test_who_takes_an_exception_leaves_no_frame_in_it_for_the_next() -> None:
    run_green(
        """
        import traceback
        from celadon.green import AsyncResult
        def fail(): raise ValueError("deep")
        class Kept: pass
        def take(get):
            kept = Kept(); kept_by.append(weakref.ref(kept))
            try: get()
            except ValueError as error: return [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        task, result = green.spawn(fail), AsyncResult()
        try: fail()
        except ValueError as error: result.set_exception(error)
        task.join()
        for get in (task.get, result.get):
            kept_by = []
            names = [take(get) for _ in range(5)]
            assert all(each == names[0] for each in names) and names[0][-1] == "fail", names
            gc.collect()
            assert [ref() for ref in kept_by[:-1]] == [None] * 4
        """
    )


def test_kill_is_delivered_at_the_wait_and_finally_runs() -> None:
    run_green(
        """
        from greenlet import GreenletExit
        log = []
        def work():
            try:
                time.sleep(60)
            except GreenletExit:
                log.append("exit"); raise
            finally:
                log.append("finally")
        task = green.spawn(work)
        green.sleep(0)
        task.kill(); task.kill()
        assert log == ["exit", "finally"], log
        assert isinstance(task.value, GreenletExit) and task.successful()
        never = green.spawn(log.append, "never")
        never.kill()
        green.sleep(0.01)
        assert "never" not in log and never.ready()
        def suicide():
            green.current().kill()
            log.append("survived")
        green.spawn(suicide).join()
        assert "survived" not in log
        """
    )


def test_a_kill_that_is_under_way_is_not_sent_again() -> None:
    run_green(
        """
        from greenlet import GreenletExit
        seen = []
        def stubborn():
            for _ in range(3):
                try: green.sleep(3600)
                except GreenletExit: seen.append("exit")
                except ValueError: seen.append("value")
        task = green.spawn(stubborn); green.sleep(0)
        for _ in range(4): task.kill(block=False)
        while not seen: green.sleep(0)
        for _ in range(3): green.sleep(0)
        assert seen == ["exit"], seen
        # It went on: the next one is another.
        task.kill(ValueError, block=False); task.kill(block=False)
        task.join(TIMEOUT)
        assert seen == ["exit", "value", "exit"] and task.ready(), seen
        waits = green.spawn(green.sleep, 3600); green.sleep(0)
        for wrong in ("text", 5, int, None):
            try: waits.kill(wrong)
            except TypeError as error: assert "BaseException" in str(error)
            else: raise AssertionError(wrong)
        assert not waits.ready()
        waits.kill()
        """
    )


def test_kill_of_a_greenlet_that_waits_for_a_lock_leaves_the_lock_sound() -> None:
    run_green(
        """
        lock = threading.Lock()
        lock.acquire()
        task = green.spawn(lock.acquire)
        other = green.spawn(lock.acquire)
        green.sleep(0)
        task.kill()
        lock.release()
        other.join()
        assert lock.locked() and other.value is True
        lock.release()
        assert not lock.locked()
        """
    )


def test_a_grant_wins_over_a_kill() -> None:
    """green.md 3.4: an operation took effect, or it raised, never both."""
    run_green(
        """
        from greenlet import GreenletExit
        lock = threading.Lock(); lock.acquire()
        log = []
        def work():
            lock.acquire()
            log.append("granted")
            try:
                time.sleep(0.001)
            except GreenletExit:
                log.append("killed later")
            lock.release()
        task = green.spawn(work)
        green.sleep(0)
        lock.release()          # grants, does not switch
        task.kill()
        assert log == ["granted", "killed later"], log
        assert not lock.locked()
        """
    )


def test_timeout() -> None:
    run_green(
        """
        from celadon import Timeout
        try:
            with Timeout(0.01): time.sleep(60)
        except Timeout as t: assert t.expired and not t.pending
        else: raise AssertionError
        with Timeout(0.01, False): time.sleep(60)
        try:
            with Timeout(0.01, ValueError): time.sleep(60)
        except ValueError: pass
        else: raise AssertionError
        with Timeout(0.02) as outer:
            with Timeout(60): pass
        # left by its own expiry still pending: no stray delivery
        with Timeout(0.001, False):
            end = time.monotonic() + 0.01
            while time.monotonic() < end: pass
        time.sleep(0.02)
        with Timeout(None): time.sleep(0)
        def inner():
            with Timeout(0.01, False): time.sleep(60)
            return "ok"
        assert green.spawn(inner).get() == "ok"
        nested = []
        try:
            with Timeout(0.01):
                with Timeout(60, False): time.sleep(60)
        except Timeout: nested.append(1)
        assert nested
        """
    )


@pytest.mark.parametrize("seconds", [0, 3600])
def test_a_timeout_that_nobody_cancels_goes_with_its_greenlet(seconds: int) -> None:
    run_green(
        f"""
        gone = []
        class Big: pass
        def work(own):
            big = Big()
            weakref.finalize(big, gone.append, 1)
            timeout = green.Timeout({seconds}) if own else green.Timeout({seconds}, ValueError(big))
            timeout.big = big
            timeout.start()
            weakref.finalize(timeout, gone.append, 2)
            assert timeout.pending
            if not own: celadon.deadline({seconds} or 1).__enter__()
        tasks = [green.spawn(work, own) for own in [True, False] * 20]
        for task in tasks: task.join()
        del task, tasks
        green.sleep(0); gc.collect()
        assert sorted(gone) == [1] * 40 + [2] * 40, gone
        # Nor does it come to what its runner does next.
        for _ in range(9): green.spawn(green.sleep, 0.001).get()
        """
    )


def test_deadline_and_shield() -> None:
    run_green(
        """
        from celadon import RequestTimeout, deadline, shield
        try:
            with deadline(60):
                with deadline(0.01): time.sleep(60)
        except RequestTimeout: pass
        else: raise AssertionError
        log = []
        def work():
            try:
                with shield():
                    time.sleep(0.05)
                    log.append("cleanup done")
                log.append("not reached")
            except BaseException as e:
                log.append(type(e).__name__)
        task = green.spawn(work)
        green.sleep(0)
        task.kill()
        assert log == ["cleanup done", "GreenletExit"], log
        def stubborn():
            with shield(0.02): time.sleep(3600)
        task = green.spawn(stubborn); green.sleep(0)
        task.kill()
        """
    )


def test_a_shield_inside_of_another_has_its_own_whole_bound() -> None:
    run_green(
        """
        from celadon import shield
        log, begun, go = [], green.Event(), green.Event()
        def work():
            try:
                with shield(0.01):
                    with shield(TIMEOUT):
                        with shield(0.01):
                            begun.set()
                            go.wait()
                        log.append("whole")
                    log.append("not reached: the outer one has had its time")
            except BaseException as error: log.append(type(error).__name__)
        task = green.spawn(work)
        begun.wait()
        task.kill(block=False)
        green.sleep(0.05)
        assert log == [], log
        go.set(); task.join()
        assert log == ["whole", "GreenletExit"], log
        # Nothing of it is left for what its runner does next.
        task = green.spawn(time.sleep, 60); green.sleep(0); task.kill()
        """
    )


def test_contexts_are_fresh_copies() -> None:
    run_green(
        """
        var = contextvars.ContextVar("var", default="none")
        var.set("parent")
        seen = []
        def work(n):
            seen.append(var.get())
            var.set(n)
            time.sleep(0.001)
            seen.append(var.get())
        tasks = [green.spawn(work, n) for n in range(3)]
        for t in tasks: t.join()
        assert seen == ["parent"] * 3 + [0, 1, 2], seen
        assert var.get() == "parent"
        """
    )


def test_identities_locals_and_thread_objects() -> None:
    run_green(
        """
        local = threading.local()
        local.x = "main"
        seen = {}
        def work(n):
            assert not hasattr(local, "x")
            local.x = n
            time.sleep(0.005)
            seen[n] = (local.x, threading.get_ident(), threading.current_thread())
            assert threading.current_thread() is threading.current_thread()
            assert threading.current_thread() in threading.enumerate()
        tasks = [green.spawn(work, n) for n in range(3)]
        for t in tasks: t.join()
        assert [seen[n][0] for n in range(3)] == [0, 1, 2]
        assert len({s[1] for s in seen.values()} | {threading.get_ident()}) == 4
        assert all(s[2].name.startswith("celadon-slot-") for s in seen.values())
        assert all(s[2].ident == s[1] for s in seen.values())
        assert threading.current_thread() is threading.main_thread()
        assert local.x == "main"
        assert threading.get_native_id() == _thread.get_native_id()
        class Sub(threading.local):
            made = []
            def __init__(self, a): self.a = a; Sub.made.append(threading.get_ident())
        sub = Sub(7)
        assert green.spawn(lambda: sub.a).get() == 7
        assert len(Sub.made) == 2
        native = []
        t = threading.Thread(target=lambda: native.append((hasattr(local, "x"), sub.a)))
        t.start(); t.join()
        assert native == [(False, 7)]
        """
    )


def test_locals_of_a_killed_greenlet_are_gone() -> None:
    """design §3: a runner whose job was killed is retired, its locals with it."""
    run_green(
        """
        local = threading.local()
        class Thing: pass
        refs = []
        def tenant():
            local.tenant = Thing()
            refs.append(weakref.ref(local.tenant))
            time.sleep(60)
        for _ in range(3):
            task = green.spawn(tenant); green.sleep(0); task.kill()
        seen = []
        tasks = [green.spawn(lambda: seen.append(hasattr(local, "tenant"))) for _ in range(20)]
        for t in tasks: t.join()
        assert not any(seen)
        green.sleep(0)
        assert [r() for r in refs] == [None] * 3
        """
    )


def test_locals_die_with_their_runner_even_where_nobody_looks_again() -> None:
    """Also with a destructor among the values that uses the local it is kept in."""
    run_green(
        """
        first, second = threading.local(), threading.local()
        said = []
        class Thing:
            def __del__(self):
                said.append((getattr(first, "x", None), getattr(second, "x", None)))
                first.x = second.x = 0
        def use():
            first.x, second.x = 1, Thing()
            green.sleep(60)
        task = green.spawn(use); green.sleep(0); task.kill(); green.sleep(0)
        assert said == [(None, None)], said
        assert not hasattr(first, "x") and not hasattr(second, "x")
        """
    )


def test_a_local_among_what_a_native_thread_keeps_dies_with_the_thread() -> None:
    """As those of requests' digests or of redis' locks, in a client that a thread keeps."""
    run_green(
        """
        outer, other = threading.local(), threading.local()
        gone = []
        class Client:
            def __init__(self):
                self.local = threading.local()
                self.local.n = 1
                weakref.finalize(self.local, gone.append, 1)
            def __del__(self): other.last = getattr(self.local, "n", None)
        def work(): outer.client = Client()
        for _ in range(20):
            thread = threading.Thread(target=work); thread.start(); thread.join()
        gc.collect()
        def around():
            local = threading.local(); local.me = [local]
        thread = threading.Thread(target=around); thread.start(); thread.join()
        gc.collect()
        assert not hasattr(outer, "client") and not hasattr(other, "last")
        assert len(gone) == 20, gone
        """
    )


def test_a_local_among_what_a_native_thread_keeps_in_a_forked_child() -> None:
    run_green(
        """
        outer = threading.local()
        class Client:
            def __init__(self): self.local = threading.local(); self.local.n = 1
        kept, end = queue.SimpleQueue(), threading.Event()
        def work():
            outer.client = Client()
            kept.put(1); end.wait()
        threads = [threading.Thread(target=work) for _ in range(5)]
        for thread in threads: thread.start()
        for _ in threads: kept.get()
        child = os.fork()
        if child == 0:
            gc.collect()
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        end.set()
        for thread in threads: thread.join()
        assert status == 0, status
        """
    )


def test_what_dies_with_a_greenlet_uses_another_local() -> None:
    """Where the one before is gone already: a runner ends with nothing of its own."""
    run_green(
        """
        first, second = threading.local(), threading.local()
        ends = []
        class Last:
            def __init__(self): self.local = threading.local(); self.local.n = 1
            def __del__(self):
                ends.append(threading.get_ident())
                green.sleep(0)
                ends.append(threading.get_ident())
        class First:
            def __del__(self): second.x = Last()
        def use():
            first.x = First()
            begun.put(threading.get_ident())
            green.sleep(60)
        begun = green.Queue()
        tasks = [green.spawn(use) for _ in range(50)]
        idents = [begun.get() for _ in tasks]
        for task in tasks: task.kill(block=False)
        for task in tasks: task.join()
        while green.stats()["runners"] > green.stats()["idle"]: green.sleep(0)
        assert sorted(ends) == sorted(2 * idents), (ends, idents)
        gc.collect()
        """
    )


def test_values_of_locals_that_always_leave_others_die_elsewhere() -> None:
    run_green(
        """
        local = threading.local()
        idents, elsewhere = [], green.Event()
        class Again:
            def __del__(self):
                idents.append(threading.get_ident())
                local.x = Again()
                if len(idents) > 8: elsewhere.set()
        def use():
            local.x = Again()
            green.sleep(60)
        task = green.spawn(use); green.sleep(0); task.kill()
        assert elsewhere.wait(TIMEOUT)
        assert idents[:8] == [idents[0]] * 8, idents
        os._exit(0)
        """
    )


def test_a_local_that_dies_in_a_native_thread_is_forgotten_by_greenlets() -> None:
    """The end of the greenlet writes nothing where the local was."""
    run_green(
        """
        box = [threading.local()]
        def use():
            box[0].x = 1
            green.sleep(60)
        task = green.spawn(use); green.sleep(0)
        held = []
        def drop():
            box.clear()
            # As large as a local, so that one of them takes its place.
            held.extend(bytes([255]) * 47 for _ in range(500))
        thread = threading.Thread(target=drop); thread.start(); thread.join()
        task.kill(); green.sleep(0)
        assert held == [bytes([255]) * 47] * 500
        """
    )


def test_a_local_whose_init_waits_stays_with_its_greenlet() -> None:
    run_green(
        """
        class Slow(threading.local):
            def __init__(self): green.sleep(0)
        local = Slow()
        def use(n):
            local.x = n
            green.sleep(0)
            assert local.__dict__ == {"x": n}, local.__dict__
        tasks = [green.spawn(use, n) for n in range(5)]
        for t in tasks: t.join()
        """
    )


def test_a_local_that_knows_itself_is_collected() -> None:
    run_green(
        """
        class Local(threading.local):
            pass
        class Value:
            pass
        def cycle(kind):
            local = kind()
            local.value = Value(); local.value.local = local; local.me = local
            green.spawn(lambda: setattr(local, "me", local)).join()
            thread = threading.Thread(target=lambda: setattr(local, "me", local))
            thread.start(); thread.join()
            assert local.me is local and local.value.local is local
            gc.collect()
            assert local.me is local and "value" in vars(local)
            return weakref.ref(local), weakref.ref(local.value)
        def collected(kind):
            refs = cycle(kind)
            gc.collect()
            # What was among its values may have to die outside of the collector.
            end = time.monotonic() + TIMEOUT
            while any(ref() is not None for ref in refs):
                assert time.monotonic() < end
                green.sleep(0)
        for kind in (threading.local, Local):
            collected(kind)
            green.spawn(collected, kind).get()
            thread = threading.Thread(target=green.spawn(lambda: None).join)
            failed = []
            def run():
                try: collected(kind)
                except BaseException as error: failed.append(error)
            thread = threading.Thread(target=run); thread.start(); thread.join()
            assert not failed, failed
        """
    )


def test_wait_fd() -> None:
    run_green(
        """
        r, w = os.pipe()
        order = []
        def reader():
            assert green.wait_fd(r, 1) == 1
            order.append(os.read(r, 10))
        task = green.spawn(reader)
        green.sleep(0.005)
        order.append("before")
        os.write(w, b"x")
        task.join()
        assert order == ["before", b"x"], order
        assert green.wait_fd(w, 2) == 2
        try: green.wait_fd(r, 1, timeout=0.01)
        except TimeoutError: pass
        else: raise AssertionError
        try: green.wait_fd(r, 0)
        except ValueError: pass
        else: raise AssertionError
        os.close(r); os.close(w)
        try: green.wait_fd(r, 1)
        except OSError as e: assert e.errno == 9
        else: raise AssertionError
        """
    )


def test_number_reuse_does_not_confuse_waits() -> None:
    """design §9: a descriptor closed under a wait, its number used again."""
    run_green(
        """
        r, w = os.pipe()
        task = green.spawn(green.wait_fd, r, 1, 0.05)
        green.sleep(0)
        os.close(r); os.close(w)
        r2, w2 = os.pipe()
        assert r2 == r
        os.write(w2, b"x")
        assert green.wait_fd(r2, 1, 5) == 1
        task.join()
        """
    )


@pytest.mark.parametrize(
    ("close", "is_seen"),
    [
        ("os.close(r)", True),
        ("os.closerange(r, r + 1)", True),
        ("os.dup2(other, r)", True),
        ("os.dup2(fd2=r, fd=other)", True),
        ("__import__('socket').close(r)", True),
        ("__import__('io').FileIO(r).close()", False),
    ],
)
def test_who_waits_for_a_closed_descriptor_gets_nothing_of_the_next_one(
    close: str, is_seen: bool
) -> None:
    """A close that nobody sees shows once the number is waited for again."""
    run_green(
        f"""
        import errno
        r, w = os.pipe()
        other, feed = os.pipe()
        got = []
        def read(fd, name):
            try: got.append((name, os.read(fd, 100)))
            except OSError as error: got.append((name, error.errno))
        os.dup2(other, other); os.closerange(900, 800)
        old = green.spawn(read, r, "old"); green.sleep(0)
        {close}
        if {is_seen}:
            old.join(TIMEOUT)
            assert got == [("old", errno.EBADF)], got
        if "dup2" not in {close!r}:
            assert os.dup(other) == r
        new = green.spawn(read, r, "new"); green.sleep(0)
        os.write(feed, b"second")
        new.join(TIMEOUT); old.join(TIMEOUT)
        assert sorted(got) == [("new", b"second"), ("old", errno.EBADF)], got
        # What failed has closed nothing.
        third = green.spawn(read, r, "third"); green.sleep(0)
        try: os.dup2(900, r)
        except OSError: pass
        os.write(feed, b"third")
        third.join(TIMEOUT)
        assert got[-1] == ("third", b"third"), got
        """
    )


def test_nothing_switches_in_a_finalizer_during_collection() -> None:
    """green.md 3.6: waits block natively, releases are queued."""
    run_green(
        """
        log = []
        class Evil:
            def __del__(self):
                time.sleep(0.001)
                q.put("from finalizer")
                lock.acquire(); lock.release()
                log.append(green.stats()["switches"])
        q = queue.SimpleQueue()
        lock = threading.Lock()
        before = green.stats()["switches"]
        for _ in range(3):
            e = Evil(); e.me = e; del e
        gc.collect()
        assert log == [before] * 3, (log, before)
        assert q.qsize() == 3
        """
    )


def test_idle_runners_are_reused() -> None:
    run_green(
        """
        for _ in range(1000): green.spawn(lambda: None).join()
        stats = green.stats()
        assert stats["created"] <= 3, stats
        """
    )


def test_fork_in_a_greenlet() -> None:
    """green.md 3.7: the child has no hub; the parent goes on."""
    run_green(
        """
        def work():
            pid = os.fork()
            if pid == 0:
                time.sleep(0.001)
                lock = threading.Lock(); lock.acquire(); lock.release()
                os._exit(7)
            green.sleep(0.01)
            return os.waitpid(pid, 0)[1]
        status = green.spawn(work).get()
        assert os.waitstatus_to_exitcode(status) == 7
        """
    )


def test_errors_of_greenlets_nobody_waits_for_are_logged_once() -> None:
    run_green(
        """
        import io, logging
        out = io.StringIO()
        logging.getLogger("celadon.error").addHandler(logging.StreamHandler(out))
        logging.getLogger("celadon.error").propagate = False
        def failing(): raise ValueError("lost error")
        green.spawn(failing).join()
        assert out.getvalue().count("ValueError: lost error") == 1
        """
    )


def test_signals_raise_in_the_main_script() -> None:
    run_green(
        """
        import signal
        class Rung(Exception): pass
        def ring(*args): raise Rung
        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        try: time.sleep(10)
        except Rung: pass
        else: raise AssertionError
        """
    )


def test_without_a_hub_everything_blocks_natively() -> None:
    run_green(
        """
        from celadon import green
        import threading, time
        assert green.stats() is None
        lock = green.Lock()
        lock.acquire()
        threading.Timer(0.01, lock.release).start()
        assert lock.acquire(timeout=TIMEOUT)
        green.sleep(0.001)
        assert green.stats() is None and green.current() is None
        event = green.Event()
        assert event.wait(0.001) is False
        """,
        prelude="",
    )


def test_frames_of_every_depth_find_room() -> None:
    """Runners begin with a small block for Python frames, which grows with their jobs."""
    run_green(
        """
        def down(n):
            return 0 if n == 0 else 1 + down(n - 1)
        def job(n):
            first = down(n)
            green.sleep(0)
            return first + sum(down(i) for i in range(3)) + down(n)
        def waits_deep(n):
            if n: return waits_deep(n - 1) + 1
            green.sleep(0)
            return 0
        for depth in (0, 1, 3, 10, 30, 100, 300, 900, 2):
            tasks = [green.spawn(job, depth) for _ in range(20)]
            deep = [green.spawn(waits_deep, depth) for _ in range(20)]
            assert all(t.get() == 2 * depth + 3 for t in tasks), depth
            assert all(t.get() == depth for t in deep), depth
        """
    )


def test_a_parked_greenlet_takes_no_page_for_its_frames() -> None:
    """With CPython's own block for its frames it would be 8,500 bytes, not 5,400."""
    out = run_green(
        """
        import resource
        def resident():
            with open("/proc/self/statm") as f:
                return int(f.read().split()[1]) * resource.getpagesize()
        go = green.Event()
        def park(count):
            parked = []
            def wait():
                parked.append(None)
                go.wait()
            tasks = [green.spawn(wait) for _ in range(count)]
            while len(parked) < count: green.sleep(0)
            return tasks
        first = park(500)
        before = resident()
        second = park(2000)
        print((resident() - before) // 2000)
        go.set()
        for t in first + second: t.join()
        """,
        malloc="pymalloc",
    )
    assert 1000 < int(out) < 7000


def test_g15_nothing_is_suspended_in_a_callback_of_the_collector() -> None:
    """Until it has returned CPython collects nothing, for anybody."""
    run_green(
        """
        may_park = celadon._core.green.can_park
        seen = []
        def look(phase, info):
            seen.append((phase, may_park()))
            time.sleep(0.001)  # natively
        gc.callbacks.append(look)
        def others():
            gc.collect()
            seen.append(("over", may_park()))
        green.spawn(others).get()
        assert seen == [("start", False), ("stop", False), ("over", True)], seen
        # Whoever replaces them all is not left in a collection without an end.
        gc.callbacks.clear()
        gc.collect()
        assert may_park()
        gc.callbacks.append(celadon._core.green.gc_begins)
        gc.collect()
        assert may_park()
        """
    )
