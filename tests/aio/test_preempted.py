"""Greenlets that are preempted between two bytecodes while they are about to wait."""

from __future__ import annotations

from tests.aio.test_loop import AIO
from tests.support.green import PRELUDE, run_green

PATCHED = PRELUDE + AIO


def test_a_call_that_ends_before_it_is_waited_for_has_ended() -> None:
    """Who waits is preempted between two bytecodes."""
    run_green(
        """
        from celadon._core import green as core
        original = aio.EventLoop.create_future
        def create_future(loop):
            for _ in range(10): core.preempt_here()
            return original(loop)
        aio.EventLoop.create_future = create_future
        async def main():
            async with asyncio.timeout(10):
                return await aio.green(lambda: 17)
        assert green.spawn(lambda: aio.run(main())).get() == 17
        """,
        PATCHED,
    )


def test_the_first_users_of_a_thread_have_one_loop() -> None:
    """The one that the second makes while the first has just made its own."""
    run_green(
        """
        from celadon._core import green as core
        made = []
        class Loop(aio.EventLoop):
            def __init__(self):
                super().__init__()
                made.append(self)
                for _ in range(10): core.preempt_here()
        from celadon.aio import thread_loop
        thread_loop.EventLoop = Loop
        async def where(): return asyncio.get_running_loop()
        first = [green.spawn(aio.wait, where()) for _ in range(3)]
        used = {task.get() for task in first}
        assert len(used) == 1 and used == {aio.wait(where())}
        assert len(made) > 1 and {loop for loop in made if not loop.is_closed()} == used
        # Each thread has one of its own, also where these begin at the same time.
        found, door = [], threading.Barrier(2)
        def work():
            door.wait()
            tasks = [green.spawn(aio.wait, where()) for _ in range(2)]
            found.append({task.get() for task in tasks})
        threads = [green.native_thread(work) for _ in range(2)]
        for thread in threads: thread.join()
        assert [len(each) for each in found] == [1, 1] and not found[0] & found[1]
        """,
        PATCHED,
    )
