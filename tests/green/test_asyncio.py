"""asyncio from synchronous code: a running loop per greenlet (green.md 3.3)."""

from __future__ import annotations

from tests.support.green import run_green


def test_loops_run_side_by_side() -> None:
    run_green(
        """
        import asyncio
        there = 0
        async def work(n):
            global there
            there += 1
            while there < 20: await asyncio.sleep(0.001)
            return n
        tasks = [green.spawn(asyncio.run, work(n)) for n in range(20)]
        assert [t.get() for t in tasks] == list(range(20))
        """
    )


def test_a_loop_is_seen_by_its_own_greenlet_alone() -> None:
    run_green(
        """
        import asyncio
        seen = []
        def look():
            try: asyncio.get_running_loop()
            except RuntimeError: seen.append("none")
            seen.append(sys.get_asyncgen_hooks().firstiter)
        async def main():
            loop = asyncio.get_running_loop()
            hooks = sys.get_asyncgen_hooks()
            task = green.spawn(look)
            time.sleep(0.001)   # a wait point inside of a coroutine
            task.join()
            assert asyncio.get_running_loop() is loop
            assert asyncio.current_task() is not None
            assert sys.get_asyncgen_hooks() == hooks and hooks.firstiter
        asyncio.run(main())
        assert seen == ["none", None], seen
        look()
        assert seen[2:] == ["none", None], seen
        """
    )


def test_a_timeout_goes_through_a_running_loop() -> None:
    run_green(
        """
        import asyncio
        cleaned = []
        async def main():
            try: await asyncio.sleep(60)
            finally: cleaned.append(1)
        try:
            with celadon.Timeout(0.01): asyncio.run(main())
        except celadon.Timeout: pass
        else: raise AssertionError
        assert cleaned == [1]
        assert asyncio.run(asyncio.sleep(0, "again")) == "again"
        """
    )


def test_a_loop_that_is_left_running_is_not_inherited() -> None:
    run_green(
        """
        import asyncio
        from asyncio import events
        loop = asyncio.new_event_loop()
        green.spawn(lambda: events._set_running_loop(loop)).join()
        def look():
            return events._get_running_loop()
        assert green.spawn(look).get() is None and look() is None
        loop.close()
        """
    )


def test_native_threads_have_loops_of_their_own() -> None:
    run_green(
        """
        import asyncio, concurrent.futures
        async def work(n):
            await asyncio.sleep(0.001)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(None, lambda: n)
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            futures = [pool.submit(asyncio.run, work(n)) for n in range(6)]
            assert [f.result() for f in futures] == list(range(6))
        assert asyncio.run(work(7)) == 7
        """
    )


def test_asyncio_is_not_imported_for_its_patch() -> None:
    run_green(
        """
        assert "asyncio" not in sys.modules
        import asyncio
        assert celadon.patch.patched("asyncio.events", "_set_running_loop")
        spec = asyncio.events.__spec__
        assert "exec_module" not in vars(spec.loader), vars(spec.loader)
        """
    )
