"""To `threading`, all that a loop calls is one thread, whichever greenlet it runs in."""

from __future__ import annotations

from pathlib import Path

from tests.aio.test_borders import PATCHED
from tests.aio.test_loop import both
from tests.support.green import run_green

ELSEWHERE = (
    PATCHED
    + """\
import contextlib
from celadon._core import green as core
mine = threading.local()
@contextlib.asynccontextmanager
async def elsewhere(before=int, after=int):
    # What is in the block another greenlet runs: a call holds a step in the one before.
    slot, gate = core.current_slot(), threading.Event()
    async def hold():
        before()
        gate.wait()
        after()
    holder = asyncio.create_task(hold())
    while core.current_slot() == slot: await asyncio.sleep(0)
    try: yield
    finally:
        gate.set()
        await holder
"""
)


def test_all_steps_of_all_tasks_are_of_one_thread() -> None:
    run_green(
        """
        mine.x = "main"
        slots = set()
        def look():
            assert asyncio.get_running_loop()._thread_id == threading.get_ident()
            assert threading.current_thread() in threading.enumerate()
            slots.add(core.current_slot())
            return threading.get_ident(), threading.current_thread(), mine.x
        async def task():
            return {look(), await asyncio.sleep(0, look()), look()}
        async def main():
            seen = {look()}
            slots.clear()
            async with elsewhere():
                mine.later = "later"
                seen |= {look(), *await asyncio.create_task(task())}
                async with elsewhere():
                    seen |= {look(), *await asyncio.create_task(task())}
            seen.add(look())
            assert len(slots) == 3 and mine.later == "later"
            assert len(seen) == 1, seen
            return seen.pop()
        here = threading.get_ident(), threading.main_thread(), "main"
        assert aio.run(main()) == here
        assert threading.current_thread() is here[1] and mine.later == "later"
        def view():
            mine.x = "view"
            me = threading.get_ident(), threading.current_thread(), "view"
            assert aio.run(main()) == me and me[0] != here[0]
            assert (threading.get_ident(), threading.current_thread(), mine.x) == me
            return me[0]
        async def kept():
            mine.x = "kept"
            return await main()
        idents = {here[0], aio.wait(kept())[0], green.spawn(view).get()}
        assert len(idents) == 3
        """,
        ELSEWHERE,
    )


@both
def test_a_loop_knows_its_thread(prelude: str) -> None:
    run_green(
        """
        async def main():
            assert asyncio.get_running_loop()._thread_id == threading.get_ident()
        aio.run(main())
        aio.wait(main())
        thread = threading.Thread(target=aio.run, args=(main(),))
        thread.start(); thread.join()
        """,
        prelude,
    )


def test_what_a_loop_does_not_call_is_another_thread() -> None:
    run_green(
        """
        def look():
            return threading.get_ident(), threading.current_thread(), hasattr(mine, "x")
        async def guest():
            return look()
        async def main():
            mine.x = 1
            here = look()
            others = []
            for border in (contextlib.nullcontext, elsewhere):
                async with border():
                    others += [await aio.green(look), await asyncio.to_thread(look)]
                    others.append(await aio.green(lambda: asyncio.run(guest())))
            others.append(await aio.green(look))
            assert here == look() and here[2]
            for ident, thread, has in others:
                assert (ident != here[0], thread is not here[1], has) == (True, True, False)
        aio.run(main())
        def view():
            assert asyncio.run(guest()) == look()
        green.spawn(view).get()
        """,
        ELSEWHERE,
    )


def test_what_a_step_that_waits_has_looked_at_is_its_own_meanwhile() -> None:
    """As in a loop that stood still: it may be a connection, or say what is under way."""
    run_green(
        """
        class Named(threading.local):
            def __init__(self, *names): self.names = [*names]
        kept, named = threading.local(), Named("a")
        def use():
            mine.x = "used"
            named.names.append("c")
        def use_on():
            assert mine.x == "used" and named.names == ["a", "b", "c"]
        async def main():
            kept.x = "kept"
            named.names.append("b")
            for _ in range(2):
                async with elsewhere(use, use_on):
                    assert kept.x == "kept"
                    assert not hasattr(mine, "x") and named.names == ["a"]
                    mine.x = "meanwhile"
                    time.sleep(0.001)
                    assert mine.x == "meanwhile"
                    del mine.x, named.names[:]
                    named.names.append("a")
                assert mine.x == "used" and named.names.pop() == "c"
            async with elsewhere():   # which looks at none of them
                assert mine.x == "used"
                async with elsewhere(lambda: mine.x):
                    assert not hasattr(mine, "x")
                assert mine.x == "used"
        aio.run(main())
        green.spawn(aio.run, main()).get()
        assert mine.x == "used"
        """,
        ELSEWHERE,
    )


def test_a_registry_of_sessions_that_belong_to_threads() -> None:
    run_green(
        """
        from sqlalchemy.orm import scoped_session, sessionmaker
        sessions = scoped_session(sessionmaker())
        async def main():
            session = sessions()
            async with elsewhere():
                assert sessions() is session
                assert await asyncio.create_task(asyncio.sleep(0, sessions())) is session
            assert sessions() is session
            sessions.remove()
            await asyncio.gather(*map(work, range(20)))
        async def work(n):
            for _ in range(5):
                session = sessions()
                assert not session.info
                session.info["of"] = n
                time.sleep(0.001)   # a query
                assert sessions() is session and session.info == {"of": n}
                sessions.remove()
                await asyncio.sleep(0)
        aio.run(main())
        """,
        ELSEWHERE,
    )


def test_proxies_of_multiprocessing_have_a_connection_for_each_call() -> None:
    run_green(
        """
        import multiprocessing, warnings
        warnings.simplefilter("ignore")
        with multiprocessing.get_context("fork").Manager() as manager:
            shared = manager.dict()
            async def work(n):
                for i in range(20):
                    shared[n] = (n, i)
                    assert shared[n] == (n, i)
                    await asyncio.sleep(0)
            async def main():
                await asyncio.gather(*map(work, range(8)))
            aio.run(main())
        """,
        PATCHED,
    )


def test_a_lock_that_a_step_has_which_waits_is_not_entered_twice() -> None:
    run_green(
        """
        order, locks = [], (threading.RLock(), threading.Condition(), threading._PyRLock())
        def take():
            for each in locks: each.acquire(), each.acquire()
        def give():
            order.append("given")
            for each in locks: each.release(), each.release()
        async def enter(lock):
            with lock: order.append("entered")
        async def main():
            async with elsewhere(take, give):
                for each in locks:
                    assert not each.acquire(blocking=False) and not each._is_owned()
                tasks = [asyncio.create_task(enter(each)) for each in locks]
                for _ in range(5): await asyncio.sleep(0)
                assert order == []
            await asyncio.gather(*tasks)
            assert order == ["given", *["entered"] * 3], order
        aio.run(main())
        green.spawn(lambda: (order.clear(), aio.run(main()))).get()
        """,
        ELSEWHERE,
    )


def test_a_lock_that_is_held_over_an_await_is_the_loops() -> None:
    run_green(
        """
        lock, outer, cond = threading.RLock(), threading.RLock(), threading.Condition()
        def others(): return [aio.green(lock.acquire, False), asyncio.to_thread(lock.acquire, False)]
        async def main():
            lock.acquire()
            async with elsewhere():
                assert lock._is_owned() and lock.acquire(blocking=False)
                assert await asyncio.gather(*others()) == [False, False]
                lock.release()
                lock.release()
                assert not lock._is_owned()
                try: lock.release()
                except RuntimeError: pass
                else: raise AssertionError
                cond.acquire()
                with outer: pass
            with lock: cond.notify()
            cond.release()
            assert await aio.green(lock.acquire, False)
        with outer: aio.run(main())
        """,
        ELSEWHERE,
    )


def test_a_module_that_waits_while_it_is_imported_is_not_seen_half_done(
    tmp_path: Path,
) -> None:
    (tmp_path / "slowly.py").write_text(
        "import sys\nsys.begun.append(1)\nsys.gate.wait()\nvalue = 2\n"
    )
    run_green(
        """
        sys.gate, sys.begun = threading.Event(), []
        async def load():
            import slowly
            return slowly.value
        async def main():
            tasks = [asyncio.create_task(load()) for _ in range(3)]
            for _ in range(5): await asyncio.sleep(0)
            assert sys.begun == [1]
            sys.gate.set()
            assert await asyncio.gather(*tasks) == [2, 2, 2]
        aio.run(main())
        """,
        f"{PATCHED}sys.path.insert(0, {str(tmp_path)!r})\n",
    )


def test_what_is_done_to_a_thread_is_done_to_the_loop() -> None:
    run_green(
        """
        import ctypes, signal
        class Late(Exception): pass
        def stop(ident):
            return ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(Late))
        async def blocks():
            try: threading.Event().wait()
            except Late: return "late"
        async def main():
            me = threading.get_ident()
            for _ in range(2):   # what blocks who runs the loop, and then its helper
                tasks = [asyncio.create_task(blocks()) for _ in range(2)]
                await asyncio.sleep(0)
                assert sys._current_frames()[me].f_code.co_name == "main"
                signal.pthread_kill(me, 0)
                # A time limit from elsewhere is for a step that waits, not for the loop.
                assert [await aio.green(stop, me) for _ in tasks] == [1, 1]
                assert await asyncio.gather(*tasks) == ["late", "late"]
        aio.run(main())
        green.spawn(aio.run, main()).get()
        """,
        ELSEWHERE,
    )


def test_who_has_run_a_loop_is_not_known_to_what_it_has_left() -> None:
    run_green(
        """
        seen, go, over = [], threading.Event(), green.Event()
        async def held():
            mine.x = "the loop's"
            go.wait()
            seen.append((threading.get_ident(), hasattr(mine, "x")))
            over.set()
        async def main():
            async with elsewhere():
                tasks.append(asyncio.create_task(held()))
                await asyncio.sleep(0)
        def view():
            loop.run_until_complete(main())
            return threading.get_ident()
        tasks, loop = [], aio.EventLoop()
        ident = green.spawn(view).get()
        go.set()
        over.wait()
        assert seen[0][0] != ident and not seen[0][1], seen
        loop.close()
        """,
        ELSEWHERE,
    )


def test_libraries_that_ask_whether_they_are_in_the_thread_of_a_loop() -> None:
    run_green(
        """
        import anyio.from_thread, sniffio
        from asgiref.sync import async_to_sync, sync_to_async
        async def one(): return 1
        def refused(call):
            try: call()
            except RuntimeError: return True
        async def main():
            threads = {await sync_to_async(threading.get_ident)()}
            name, sniffio.thread_local.name = sniffio.thread_local.name, "asyncio"
            async with anyio.from_thread.BlockingPortal() as portal, elsewhere():
                assert sniffio.thread_local.name == sniffio.current_async_library() == "asyncio"
                assert refused(lambda: portal.call(one)) and refused(async_to_sync(one))
                assert await aio.green(portal.call, one) == 1
                assert await aio.green(async_to_sync(one)) == 1
                assert await anyio.to_thread.run_sync(anyio.from_thread.run, one) == 1
                threads.add(await sync_to_async(threading.get_ident)())
            sniffio.thread_local.name = name
            assert len(threads) == 1
        aio.run(main())
        green.spawn(aio.run, main()).get()
        """,
        ELSEWHERE,
    )
