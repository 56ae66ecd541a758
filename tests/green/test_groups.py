"""Group, Pool, AsyncResult and spawn_later."""

from __future__ import annotations

from tests.support.green import run_green


def test_a_group_is_joined_and_killed_as_one() -> None:
    run_green(
        """
        seen = []
        ended = [green.Event() for _ in range(4)]
        ended[0].set()
        def work(n):  # each ends after the one before it, whichever began first
            if n: ended[n - 1].wait()
            seen.append(n)
            ended[n].set()
            return n * n
        with green.Group() as group:
            for n in (3, 1, 2): group.spawn(work, n)
            assert len(group) == 3
        assert seen == [1, 2, 3] and len(group) == 0
        assert group.map(work, range(4)) == [0, 1, 4, 9]
        ended[1].clear(); ended[2].clear()
        assert list(group.imap_unordered(work, (3, 2, 1))) == [1, 4, 9]
        assert group.apply(work, (2,)) == 4
        assert group.join(0) is True
        forever = group.spawn(green.sleep, 60)
        assert group.join(0.001) is False and forever in group
        group.kill()
        assert forever.ready() and not list(group)
        try:
            with group:
                forever = group.spawn(green.sleep, 60)
                raise KeyError
        except KeyError: assert forever.ready()
        else: raise AssertionError
        failing = green.Group(green.spawn(lambda: 1 / 0))
        try: failing.join(raise_error=True)
        except ZeroDivisionError: pass
        else: raise AssertionError
        """
    )


def test_a_pool_has_so_many_places() -> None:
    run_green(
        """
        running = most = 0
        def work(n):
            global running, most
            running += 1; most = max(most, running)
            green.sleep(0.001); running -= 1
            return n
        pool = green.Pool(3)
        assert pool.map(work, range(20)) == list(range(20)) and most == 3
        pool.join()
        assert pool.free_count() == 3 and not pool.full()
        for _ in range(3): pool.spawn(green.sleep, 60)
        assert pool.full() and pool.wait_available(0.001) is False
        next(iter(pool)).kill()
        assert pool.wait_available(TIMEOUT) and pool.free_count() == 1
        waiting = green.spawn(pool.spawn, green.sleep, 60)
        more = green.spawn(pool.spawn, green.sleep, 60)
        green.sleep(0.001)
        assert waiting.ready() and not more.ready()
        more.kill(); pool.kill()
        assert pool.wait_available(TIMEOUT) and pool.free_count() == 3
        try: green.Pool(0)
        except ValueError: pass
        else: raise AssertionError
        """
    )


def test_a_result_is_set_once_and_read_by_many() -> None:
    run_green(
        """
        result = green.AsyncResult()
        try: result.get(timeout=0.001)
        except TimeoutError: pass
        else: raise AssertionError
        readers = [green.spawn(result.get) for _ in range(3)]
        green.sleep(0)
        thread = threading.Thread(target=result.set, args=(7,)); thread.start()
        assert [reader.get() for reader in readers] == [7] * 3
        assert result.ready() and result.successful() and result.value == 7
        bad = green.AsyncResult(); bad.set_exception(KeyError("x"))
        try: bad.get_nowait()
        except KeyError: pass
        else: raise AssertionError
        assert bad.wait(0) and not bad.successful()
        """
    )


def test_later() -> None:
    run_green(
        """
        var = contextvars.ContextVar("var", default=0)
        var.set(3)
        began = time.monotonic()
        task = green.spawn_later(0.01, lambda x: (x, var.get()), "a")
        var.set(4)
        assert not task.ready() and task.get() == ("a", 3)
        assert time.monotonic() - began >= 0.01
        never = green.spawn_later(0.005, lambda: 1 / 0)
        never.kill()
        assert never.ready()
        green.spawn_later(0.006, int).join()
        assert never.exception is None
        try: green.spawn_later(1, None)
        except TypeError: pass
        else: raise AssertionError
        """
    )
