"""Tasks that are cancelled while a call that blocks holds them."""

from __future__ import annotations

import pytest

from tests.aio.test_loop import AIO
from tests.support.green import PRELUDE, run_green

HELD = (
    PRELUDE
    + AIO
    + """\
async def rest():
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asyncio.current_task().cancelling() == 0
"""
)


def test_a_cancellation_comes_behind_the_call() -> None:
    run_green(
        """
        lock = threading.Lock()
        async def held(steps):
            with lock: steps.append("got it")
            try:
                await asyncio.sleep(TIMEOUT)
            except asyncio.CancelledError as error:
                steps.append(str(error))
                raise
        async def main():
            steps = []
            with lock:
                task = asyncio.create_task(held(steps))
                await asyncio.sleep(0.01)
                assert task.cancel("for a reason") and task.cancelling() == 1
                assert repr(task).startswith("<Task cancelling"), task
                await asyncio.sleep(0.01)
                assert not steps and not task.done()
            done = await asyncio.gather(task, return_exceptions=True)
            assert [type(each) for each in done] == [asyncio.CancelledError]
            assert steps == ["got it", "for a reason"], steps
            assert task.cancelled() and task.cancelling() == 1
        aio.run(main())
        """,
        HELD,
    )


def test_one_that_is_held_again_has_it_behind_that() -> None:
    run_green(
        """
        async def held(locks, steps):
            for lock in locks:
                with lock: steps.append("got it")
            await asyncio.sleep(TIMEOUT)
        async def main():
            steps, locks = [], [threading.Lock(), threading.Lock()]
            for lock in locks: lock.acquire()
            task = asyncio.create_task(held(locks, steps))
            await asyncio.sleep(0.01)
            task.cancel()
            for lock in locks:
                lock.release()
                await asyncio.sleep(0.01)
            await asyncio.wait([task])
            assert task.cancelled() and steps == ["got it"] * 2
        aio.run(main())
        """,
        HELD,
    )


def test_many_cancellations_cost_no_more_each() -> None:
    run_green(
        """
        lock = threading.Lock()
        async def held():
            with lock: pass
            await asyncio.sleep(TIMEOUT)
        async def main():
            with lock:
                task = asyncio.create_task(held())
                await asyncio.sleep(0.01)
                for i in range(1_000_000): task.cancel(i)
                assert task.cancelling() == 1_000_000
                task.uncancel()
            try: await task
            except asyncio.CancelledError as error: assert error.args == (999_999,)
            assert task.cancelling() == 999_999
        aio.run(main())
        """,
        HELD,
    )


def test_one_that_ends_behind_the_call_has_ended_well() -> None:
    run_green(
        """
        async def held(lock):
            with lock: return 17
        async def main():
            lock = threading.Lock()
            with lock:
                task = asyncio.create_task(held(lock))
                await asyncio.sleep(0.01)
                assert task.cancel()
            assert await task == 17
        aio.run(main())
        """,
        HELD,
    )


def test_a_ctrl_c_comes_to_who_runs_a_task_that_ends_behind_the_call() -> None:
    run_green(
        """
        import signal
        async def main():
            green.spawn(lambda: os.kill(os.getpid(), signal.SIGINT))
            time.sleep(0.05)
            return 17
        try: aio.run(main())
        except KeyboardInterrupt: pass
        else: raise AssertionError
        """,
        HELD,
    )


@pytest.mark.parametrize("awaits", [False, True])
@pytest.mark.parametrize(
    "limit",
    ["asyncio.timeout(0.01)", "anyio.fail_after(0.01)"],
    ids=["asyncio", "anyio"],
)
def test_a_time_limit_that_has_ended_cancels_nothing(limit: str, awaits: bool) -> None:
    enter = "async with" if "asyncio" in limit else "with"
    run_green(
        f"""
        import anyio
        async def main():
            raised = False
            try:
                {enter} {limit}:
                    time.sleep(0.05)
                    if {awaits}: await asyncio.sleep(TIMEOUT)
            except TimeoutError:
                raised = True
            assert raised == {awaits}
            await rest()
        aio.run(main())
        """,
        HELD,
    )


def test_a_group_waits_for_the_call_of_one() -> None:
    run_green(
        """
        async def held(lock, steps):
            with lock: steps.append("got it")
            await asyncio.sleep(TIMEOUT)
        async def fail(lock):
            await asyncio.sleep(0.01)
            asyncio.get_running_loop().call_later(0.01, lock.release)
            raise ValueError
        async def main():
            lock, steps = threading.Lock(), []
            lock.acquire()
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(held(lock, steps))
                    group.create_task(fail(lock))
            except* ValueError: pass
            assert steps == ["got it"]
            await asyncio.sleep(0)
        aio.run(main())
        """,
        HELD,
    )


@pytest.mark.parametrize("hosted", [True, False])
def test_anyio_does_not_spin_while_a_call_holds_a_task(hosted: bool) -> None:
    run_green(
        f"""
        import anyio, functools
        from anyio._backends import _asyncio as backend
        calls = 0
        deliver = backend.CancelScope._deliver_cancellation
        @functools.wraps(deliver)
        def counted(*args):
            global calls
            calls += 1
            return deliver(*args)
        backend.CancelScope._deliver_cancellation = counted
        async def held():
            time.sleep(0.3)
        async def main():
            began = time.monotonic()
            with anyio.move_on_after(0.01):
                if {hosted}: await held()
                else:
                    async with anyio.create_task_group() as group: group.start_soon(held)
            took = time.monotonic() - began
            assert took >= 0.3
            assert calls <= 2 * took / 0.01 + 20, (calls, took)  # of two scopes
            await rest()
            assert "call_soon" not in vars(asyncio.get_running_loop())
        aio.run(main())
        """,
        HELD,
    )


def test_what_is_made_on_a_loop_is_a_task_of_asyncios() -> None:
    run_green(
        """
        async def main():
            task = asyncio.create_task(rest(), name="of mine")
            assert isinstance(task, asyncio.Task) and task in asyncio.all_tasks()
            assert task.get_name() == "of mine" and type(task) is not asyncio.Task
            await task
            loop = asyncio.get_running_loop()
            loop.set_task_factory(lambda loop, coro, **more: asyncio.Task(coro, loop=loop))
            task = asyncio.create_task(rest())
            assert type(task) is asyncio.Task
            await task
        aio.run(main(), debug=True)
        """,
        HELD,
    )
