"""SQLAlchemy's bridge from synchronous code to coroutines, on celadon.aio.EventLoop."""

from __future__ import annotations

from tests.aio.test_borders import PATCHED
from tests.support.green import run_green


def test_synchronous_code_goes_on_in_whichever_greenlet_runs_the_loop() -> None:
    run_green(
        """
        import sqlalchemy.ext.asyncio
        from sqlalchemy.util import await_only, greenlet_spawn
        def fails(): raise KeyError(1)
        async def fail(): fails()
        def query(n):
            for _ in range(20):
                await_only(asyncio.sleep(0.0005))
                try: await_only(fail())
                except KeyError: pass
            time.sleep(0.001)   # it may wait itself
            return await_only(asyncio.sleep(0, n))
        async def block():
            for _ in range(5):
                time.sleep(0.002)
                await asyncio.sleep(0)
        async def main():
            blocks = [asyncio.create_task(block()) for _ in range(3)]
            queries = [asyncio.create_task(greenlet_spawn(query, n)) for n in range(5)]
            ends = await asyncio.gather(*queries, *blocks)
            cut = asyncio.create_task(greenlet_spawn(query, 7))
            await asyncio.sleep(0.003)
            cut.cancel()
            try: await cut
            except asyncio.CancelledError: return ends[:5]
        for run in (aio.run, aio.wait, asyncio.run):
            assert run(main()) == [0, 1, 2, 3, 4]
        """,
        PATCHED,
    )
