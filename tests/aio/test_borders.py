"""celadon.aio.wait and celadon.aio.green: over the border, both ways."""

from __future__ import annotations

import pytest

from tests.aio.test_loop import AIO, both
from tests.support.green import PRELUDE, run_green

PATCHED = PRELUDE + AIO


@both
def test_wait_gives_results_and_exceptions(prelude: str) -> None:
    run_green(
        """
        async def work(n):
            await asyncio.sleep(0.001)
            if n < 0: raise KeyError(n)
            return n
        assert aio.wait(work(1)) == 1
        try: aio.wait(work(-1))
        except KeyError as error: assert error.args == (-1,)
        else: raise AssertionError
        waits = [green.spawn(aio.wait, work(n)) for n in range(50)]
        assert [w.get() for w in waits] == list(range(50))
        try: aio.wait(3)
        except TypeError: pass
        else: raise AssertionError
        class Awaitable:
            def __await__(self): return work(5).__await__()
        assert aio.wait(Awaitable()) == 5
        """,
        prelude,
    )


@both
def test_wait_of_one_thread_uses_one_loop(prelude: str) -> None:
    run_green(
        """
        async def which(): return asyncio.get_running_loop()
        kept = aio.wait(which())
        assert isinstance(kept, aio.EventLoop)
        assert green.spawn(aio.wait, which()).get() is kept
        other = []
        thread = threading.Thread(target=lambda: other.append(aio.wait(which())))
        thread.start(); thread.join()
        assert other[0] is not kept
        # What the main script runs is the thread's loop as long as it runs.
        async def main():
            return await which(), await aio.green(aio.wait, which())
        mine, seen = aio.run(main())
        assert mine is seen and mine is not kept
        assert aio.wait(which()) is kept
        """,
        prelude,
    )


@both
def test_wait_for_a_task_or_future(prelude: str) -> None:
    run_green(
        """
        async def main():
            loop = asyncio.get_running_loop()
            future = loop.create_future()
            task = asyncio.create_task(asyncio.sleep(0.001, "slept"))
            waits = green.spawn(lambda: (aio.wait(future), aio.wait(task)))
            await asyncio.sleep(0.002)
            future.set_result("set")
            return await aio.green(waits.get)
        assert aio.run(main()) == ("set", "slept")
        loop = aio.EventLoop()
        future = loop.create_future()
        try: aio.wait(future)
        except RuntimeError: pass
        else: raise AssertionError
        future.set_result(1)
        assert aio.wait(future) == 1
        loop.close()
        """,
        prelude,
    )


@both
def test_a_timeout_of_a_wait_cancels_the_task(prelude: str) -> None:
    run_green(
        """
        cleaned = []
        async def work():
            try: await asyncio.sleep(TIMEOUT)
            finally:
                await asyncio.sleep(0.001)
                cleaned.append(1)
        aio.wait(asyncio.sleep(0))
        try:
            with green.Timeout(0.01): aio.wait(work())
        except green.Timeout: pass
        else: raise AssertionError
        assert cleaned == [1]   # it has ended when the timeout is raised
        task = green.spawn(aio.wait, work())
        green.sleep(0.005)
        task.kill()
        assert cleaned == [1, 1] and task.dead
        """,
        prelude,
    )


@both
def test_a_kill_of_a_wait_ends_the_call_that_holds_the_task(prelude: str) -> None:
    run_green(
        """
        cleaned, held = [], green.Event()
        async def work(depth=2):
            try:
                if not depth: held.set(); green.sleep(TIMEOUT)
                async with asyncio.TaskGroup() as group: group.create_task(work(depth - 1))
            finally:
                assert asyncio.current_task().cancelling() == 1
                await asyncio.sleep(0.001)
                cleaned.append(depth)
        task, began = green.spawn(aio.wait, work()), time.monotonic()
        held.wait()
        task.kill()
        assert cleaned == [0, 1, 2] and task.dead, cleaned
        assert time.monotonic() - began < TIMEOUT
        """,
        prelude,
    )


@both
def test_a_second_timeout_does_not_wait_for_the_task(prelude: str) -> None:
    run_green(
        """
        ended = green.Event()
        async def stubborn():
            while not ended.is_set():
                try: await asyncio.sleep(0.001)
                except asyncio.CancelledError: pass
        class Second(BaseException): pass
        aio.wait(asyncio.sleep(0))
        try:
            with green.Timeout(0.02, Second()), green.Timeout(0.005):
                aio.wait(stubborn())
        except Second: pass
        else: raise AssertionError
        ended.set()
        assert aio.wait(asyncio.sleep(0, "still")) == "still"
        """,
        prelude,
    )


@both
def test_a_wait_that_is_killed_before_it_began(prelude: str) -> None:
    run_green(
        """
        began, ends = [], []
        async def work(): began.append(1)
        aio.wait(asyncio.sleep(0))
        granted = green.Event()
        class Late(BaseException): pass
        def waits():
            granted.wait()   # who was granted something gets the kill at its next wait
            try: aio.wait(work())
            except Late: ends.append(1)
        task = green.spawn(waits)
        green.sleep(0)
        granted.set()
        task.kill(Late)
        assert ends == [1] and began == []
        gc.collect()
        """,
        prelude,
    )


@both
def test_a_wait_whose_loop_is_closed(prelude: str) -> None:
    run_green(
        """
        loop = aio.EventLoop()
        async def forever():
            while True: await asyncio.sleep(TIMEOUT)
        task = loop.create_task(forever())
        task._log_destroy_pending = False
        ends = []
        def waits():
            try: aio.wait(task)
            except RuntimeError as error: ends.append(str(error))
        green.spawn(waits)
        loop.run_until_complete(asyncio.sleep(0.001))
        loop.close()
        green.sleep(0)
        assert len(ends) == 1 and "closed" in ends[0], ends
        """,
        prelude,
    )


@both
def test_the_cancellation_of_the_task_is_raised_by_wait(prelude: str) -> None:
    run_green(
        """
        async def work(): asyncio.current_task().cancel(); await asyncio.sleep(1)
        try: aio.wait(work())
        except asyncio.CancelledError: pass
        else: raise AssertionError
        async def leave(): raise SystemExit(3)
        try: aio.wait(leave())
        except SystemExit as error: assert error.code == 3
        else: raise AssertionError
        assert aio.wait(asyncio.sleep(0, "still")) == "still"
        """,
        prelude,
    )


@both
def test_contexts_cross_the_border(prelude: str) -> None:
    run_green(
        """
        var = contextvars.ContextVar("var", default="none")
        def look():
            seen = var.get()
            var.set("greenlet's")
            return seen
        async def work():
            seen = var.get()
            var.set("task's")
            return seen, await aio.green(look), var.get()
        var.set("script's")
        assert aio.wait(work()) == ("script's", "task's", "task's")
        assert var.get() == "script's"
        """,
        prelude,
    )


@both
def test_green_gives_results_and_exceptions(prelude: str) -> None:
    run_green(
        """
        def work(n, *, more=0):
            green.sleep(0.001)
            if n < 0: raise KeyError(n)
            return n + more
        async def main():
            assert await aio.green(work, 1, more=2) == 3
            try: await aio.green(work, -1)
            except KeyError as error: assert error.args == (-1,)
            else: raise AssertionError
            many = await asyncio.gather(*(aio.green(work, n) for n in range(50)))
            assert many == list(range(50))
            async def exits():
                def leave(): raise StopIteration(1)
                await aio.green(leave)
            try: await exits()
            except RuntimeError: pass
            else: raise AssertionError
        aio.run(main())
        async def guest():
            try: await aio.green(work, 1)
            except RuntimeError: return "refused"
        assert asyncio.run(guest()) == "refused"
        """,
        prelude,
    )


@both
def test_a_cancellation_kills_the_greenlet_and_waits_for_its_end(prelude: str) -> None:
    run_green(
        """
        cleaned = []
        def work():
            try: green.sleep(TIMEOUT)
            finally:
                with green.shield():
                    green.sleep(0.002)
                    cleaned.append(1)
        async def main():
            try:
                async with asyncio.timeout(0.005): await aio.green(work)
            except TimeoutError: pass
            else: raise AssertionError
            assert cleaned == [1]
            task = asyncio.create_task(aio.green(work))
            await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
            try: await task
            except asyncio.CancelledError: pass
            assert cleaned == [1, 1]
            early = asyncio.create_task(aio.green(cleaned.append, 2))
            early.cancel()
            await asyncio.wait([early])
            assert early.cancelled() and cleaned == [1, 1]
        aio.run(main())
        """,
        prelude,
    )


@both
def test_a_greenlet_that_another_kills(prelude: str) -> None:
    run_green(
        """
        from greenlet import GreenletExit
        found = []
        def work():
            found.append(green.current())
            green.sleep(TIMEOUT)
        async def main():
            task = asyncio.create_task(aio.green(work))
            while not found: await asyncio.sleep(0)
            found[0].kill(block=False)
            try: await task
            except GreenletExit: return "killed"
        assert aio.run(main()) == "killed"
        """,
        prelude,
    )


def test_a_call_that_waits_holds_up_no_other_task() -> None:
    run_green(
        """
        ticks = []
        async def tick():
            while True:
                await asyncio.sleep(0.001)
                ticks.append(asyncio.current_task())
        async def main():
            loop = asyncio.get_running_loop()
            ticker = asyncio.create_task(tick())
            me = asyncio.current_task()
            for _ in range(3):
                count = len(ticks)
                while len(ticks) < count + 5: time.sleep(0.001)   # not asyncio's
                assert asyncio.get_running_loop() is loop
                assert asyncio.current_task() is me
                await asyncio.sleep(0)
            assert set(ticks) == {ticker}
            return "done"
        assert aio.run(main()) == "done"
        """,
        PATCHED,
    )


def test_many_calls_of_one_loop_wait_at_the_same_time() -> None:
    run_green(
        """
        there = 0
        async def work(n):
            global there
            there += 1
            while there < 20: time.sleep(0.001)
            await asyncio.sleep(0.001)
            time.sleep(0.001)
            return n
        async def main():
            return await asyncio.gather(*map(work, range(20)))
        assert aio.run(main()) == list(range(20))
        assert aio.wait(main()) == list(range(20))
        """,
        PATCHED,
    )


def test_wait_within_a_coroutine() -> None:
    run_green(
        """
        async def inner(n):
            await asyncio.sleep(0.001)
            return n if n == 0 else aio.wait(inner(n - 1)) + 1
        async def main():
            return aio.wait(inner(5)), await asyncio.create_task(inner(3))
        assert aio.run(main()) == (5, 3)
        assert aio.wait(main()) == (5, 3)
        """,
        PATCHED,
    )


def test_a_loop_that_does_not_hand_over_stands_still() -> None:
    run_green(
        """
        ticks = []
        async def tick():
            while True:
                await asyncio.sleep(0)
                ticks.append(1)
        async def main():
            ticker = asyncio.create_task(tick())
            await asyncio.sleep(0.001)
            before = len(ticks)
            time.sleep(0.02)
            assert len(ticks) == before
            await asyncio.sleep(0)
            ticker.cancel()
        loop = aio.EventLoop(hands_over=False)
        loop.run_until_complete(main())
        loop.close()
        """,
        PATCHED,
    )


def test_the_loop_is_stopped_while_a_call_of_it_waits() -> None:
    run_green(
        """
        order = []
        async def waits():
            while not order: time.sleep(0.001)
            time.sleep(0.01)
            order.append("waited")
        async def main():
            task = asyncio.create_task(waits())
            await asyncio.sleep(0.001)
            order.append("main ends")
        # asyncio.run cancels what is left; a call that waits is ended first.
        aio.run(main())
        assert order == ["main ends", "waited"], order
        """,
        PATCHED,
    )


def test_what_ends_a_script_ends_it_from_a_helper_too() -> None:
    run_green(
        """
        leaves = []
        async def leave():
            await asyncio.sleep(0.001)
            leaves.append(1)
            raise SystemExit(5)
        async def main():
            task = asyncio.create_task(leave())
            await asyncio.sleep(0)
            while not leaves: time.sleep(0.001)
            await asyncio.sleep(TIMEOUT)
        try: aio.run(main())
        except SystemExit as error: assert error.code == 5
        else: raise AssertionError
        assert asyncio._get_running_loop() is None
        assert aio.wait(asyncio.sleep(0, 1)) == 1
        """,
        PATCHED,
    )


def test_a_timeout_of_the_run_goes_through_what_waits() -> None:
    run_green(
        """
        async def main():
            with green.Timeout(0.005):
                time.sleep(TIMEOUT)
        try: aio.run(main())
        except green.Timeout: pass
        else: raise AssertionError
        async def sleeps(): await asyncio.sleep(TIMEOUT)
        try:
            with green.Timeout(0.005): aio.run(sleeps())
        except green.Timeout: pass
        else: raise AssertionError
        """,
        PATCHED,
    )


@both
def test_wait_leaves_no_circles(prelude: str) -> None:
    # What it gives or raises would wait for the collector, and with it all that that knows.
    run_green(
        """
        class Result: pass
        class Failed(Exception): pass
        async def work():
            await asyncio.sleep(0)
            return Result()
        async def fails():
            await asyncio.sleep(0)
            raise Failed
        async def begin(work): return asyncio.ensure_future(work)
        def gives(work): return weakref.ref(aio.wait(work))
        def raises(works):   # what it catches knows this frame
            try: aio.wait(works.pop())
            except Failed as error: return weakref.ref(error)
        aio.wait(asyncio.sleep(0))
        gc.collect()
        gc.disable()
        ends = [gives(work()), raises([fails()])]
        ends += [gives(aio.wait(begin(work()))), raises([aio.wait(begin(fails()))])]
        assert [end() for end in ends] == [None] * 4
        """,
        prelude,
    )


@both
def test_ctrl_c_that_meets_the_loop_of_wait_comes_to_the_script(prelude: str) -> None:
    run_green(
        """
        # Raised here, as it would by a signal that comes while it runs: where a signal
        # meets asyncio between two of its lines, a callback may be lost.
        def interrupt(): raise KeyboardInterrupt
        async def busy():
            asyncio.get_running_loop().call_later(0.005, interrupt)
            while True: await asyncio.sleep(0)
        for _ in range(5):
            try: aio.wait(busy())
            except KeyboardInterrupt: pass
            else: raise AssertionError
        assert aio.wait(asyncio.sleep(0, 1)) == 1
        """,
        prelude,
    )


@both
def test_what_a_callback_of_the_loop_of_wait_ends_is_the_script(prelude: str) -> None:
    run_green(
        """
        async def begin(): asyncio.get_running_loop().call_later(0.005, sys.exit, 3)
        aio.wait(begin())
        try: green.sleep(TIMEOUT)
        except SystemExit as error: assert error.code == 3
        else: raise AssertionError
        assert aio.wait(asyncio.sleep(0, 1)) == 1
        """,
        prelude,
    )


def test_what_interrupts_the_loop_of_wait_ends_no_wait() -> None:
    run_green(
        """
        import logging, signal
        told, kept = [], []
        class Keep(logging.Handler):
            def emit(self, record):
                told.append(record.exc_info[0])
                kept[0].call_soon(kept[1].set)
        logging.getLogger("celadon.error").addHandler(Keep())
        class Late(BaseException): pass
        def handler(signum, frame): raise Late
        signal.signal(signal.SIGALRM, handler)
        async def work():
            kept.extend([asyncio.get_running_loop(), asyncio.Event()])
            signal.setitimer(signal.ITIMER_REAL, 0.01)   # for who runs the loop, at rest
            await kept[1].wait()
            return "done"
        assert aio.wait(work()) == "done"
        assert told == [Late]
        """,
        PATCHED,
    )


def test_what_ends_a_script_waits_for_no_call_that_needs_the_loop() -> None:
    run_green(
        """
        left, waited = [], threading.Event()
        def leave(): left.append(1); sys.exit(5)
        async def main():
            loop = asyncio.get_running_loop()
            loop.call_later(0.001, leave)
            loop.call_later(0.005, waited.set)
            left.append(waited.wait(TIMEOUT))
            await asyncio.sleep(TIMEOUT)
        try: aio.run(main())
        except SystemExit as error: assert error.code == 5
        else: raise AssertionError
        assert left == [1, True]
        """,
        PATCHED,
    )


LEFT = """
async def left(name):
    try: await asyncio.sleep(TIMEOUT)
    except asyncio.CancelledError: print(name, "is cancelled", flush=True)
kept = []
async def begin(name):
    kept.append(asyncio.create_task(left(name)))
    await asyncio.sleep(0)
"""


@both
def test_what_is_left_on_the_loop_of_wait_is_cancelled_at_the_end(prelude: str) -> None:
    told = run_green("aio.wait(begin('it')); print('end')", prelude + LEFT)
    assert told == "end\nit is cancelled\n"


HELD = """
async def held(name):
    try: queue.SimpleQueue().get()
    except asyncio.CancelledError: print(name, "is cancelled", flush=True)
kept = []
async def begin():
    kept.extend(map(asyncio.create_task, [held("one"), held("other")]))
    await asyncio.sleep(0.001)
"""


@pytest.mark.parametrize("thread", [False, True])
def test_so_is_what_a_call_holds(thread: bool) -> None:
    """One holds who drives the loop, the other one a helper."""
    told = run_green(
        f"""
        if {thread}:
            thread = threading.Thread(target=lambda: aio.wait(begin()))
            thread.start(); thread.join()
        else:
            aio.wait(begin())
        print("end")
        """,
        PATCHED + HELD,
    )
    said = sorted(["one is cancelled", "other is cancelled"])
    lines = told.splitlines()
    assert lines.pop(-1 if thread else 0) == "end"
    assert sorted(lines) == said


def test_a_call_that_holds_out_is_left() -> None:
    run_green(
        """
        async def holds_out():
            while True:
                try: queue.SimpleQueue().get()
                except asyncio.CancelledError: pass
        async def begin():
            kept.append(asyncio.create_task(holds_out()))
            await asyncio.sleep(0.001)
        kept = []
        aio.wait(begin())
        """,
        PATCHED,
    )


def test_what_a_thread_leaves_on_its_loop_is_cancelled_at_its_end() -> None:
    told = run_green(
        """
        thread = threading.Thread(target=lambda: aio.wait(begin("it")))
        thread.start(); thread.join()
        print("joined")
        """,
        PATCHED + LEFT,
    )
    assert told == "it is cancelled\njoined\n"


@both
def test_what_a_cancelled_call_raises_goes_to_the_log(prelude: str) -> None:
    run_green(
        """
        import logging
        told = []
        class Keep(logging.Handler):
            def emit(self, record): told.append(record.exc_info[0])
        logging.getLogger("celadon.error").addHandler(Keep())
        def work():
            try: green.sleep(TIMEOUT)
            finally: raise KeyError
        async def main():
            task = asyncio.create_task(aio.green(work))
            await asyncio.sleep(0.001)
            task.cancel()
            try: await task
            except asyncio.CancelledError: pass
        aio.run(main())
        assert told == [KeyError]
        """,
        prelude,
    )
