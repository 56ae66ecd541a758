"""celadon.aio.EventLoop: tasks and greenlets side by side in one thread."""

from __future__ import annotations

import pytest

from tests.support.green import PRELUDE, run_green

AIO = """\
import asyncio
from celadon import aio
"""
UNPATCHED = """\
import contextvars, gc, os, signal, sys, threading, time, weakref
from celadon import green
"""
both = pytest.mark.parametrize(
    "prelude", [UNPATCHED + AIO, PRELUDE + AIO], ids=["unpatched", "patched"]
)


@both
def test_tasks_that_never_rest_hold_up_no_greenlet(prelude: str) -> None:
    run_green(
        """
        counted = turns = 0
        def count():
            global counted
            while counted < 50:
                counted += 1
                green.sleep(0)
        async def main():
            global turns
            green.spawn(count)
            while counted < 50:
                turns += 1
                await asyncio.sleep(0)
        aio.run(main())
        assert counted == 50 and turns > 1
        """,
        prelude,
    )


@both
def test_a_loop_that_rests_holds_up_no_greenlet(prelude: str) -> None:
    run_green(
        """
        ticks = []
        def tick():
            while True:
                green.sleep(0.001)
                ticks.append(1)
        async def main():
            green.spawn(tick)
            while len(ticks) < 20: await asyncio.sleep(0.005)
            return "done"
        assert aio.run(main()) == "done"
        """,
        prelude,
    )


@both
def test_a_greenlet_calls_into_a_loop_that_rests(prelude: str) -> None:
    # By nothing but the plain methods: for what comes from the same thread those do.
    run_green(
        """
        async def main():
            loop = asyncio.get_running_loop()
            loop.set_debug(True)
            soon, later = loop.create_future(), loop.create_future()
            def call():
                loop.call_soon(soon.set_result, "soon")
                green.sleep(0.001)
                loop.call_later(0.001, later.set_result, "later")
            loop.call_later(TIMEOUT, sys.exit, "the loop was not woken")
            green.spawn(call)
            return await soon, await later
        assert aio.run(main()) == ("soon", "later")
        """,
        prelude,
    )


@both
def test_another_thread_calls_into_a_loop_that_rests(prelude: str) -> None:
    run_green(
        """
        async def main():
            loop = asyncio.get_running_loop()
            for n in range(200):
                came = loop.create_future()
                thread = threading.Thread(
                    target=loop.call_soon_threadsafe, args=(came.set_result, n))
                thread.start()
                assert await came == n
                thread.join()
        aio.run(main())
        """,
        prelude,
    )


@both
def test_only_its_own_thread_may_call_soon(prelude: str) -> None:
    run_green(
        """
        async def main():
            loop = asyncio.get_running_loop()
            loop.set_debug(True)
            failed = []
            def call():
                try: loop.call_soon(print)
                except RuntimeError as error: failed.append(str(error))
            await asyncio.to_thread(call)
            assert "Non-thread-safe" in failed[0]
        aio.run(main())
        """,
        prelude,
    )


@both
def test_stop_from_a_greenlet_ends_run_forever(prelude: str) -> None:
    run_green(
        """
        loop = aio.EventLoop()
        green.spawn_later(0.01, loop.stop)
        loop.run_forever()
        assert not loop.is_running()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        assert loop.is_closed()
        """,
        prelude,
    )


@both
def test_timers_are_due_in_their_order_and_never_early(prelude: str) -> None:
    run_green(
        """
        async def main():
            loop = asyncio.get_running_loop()
            came, done = [], loop.create_future()
            start = loop.time()
            def note(after):
                assert loop.time() >= start + after
                came.append(after)
            afters = [n / 20000 for n in range(100, 0, -1)]
            for after in afters: loop.call_at(start + after, note, after)
            cancelled = [loop.call_later(0.001, note, -1) for n in range(500)]
            for handle in cancelled: handle.cancel()
            loop.call_at(start + 0.02, done.set_result, None)
            await done
            assert came == sorted(afters), came
            assert len(loop._scheduled) < 300
        aio.run(main())
        """,
        prelude,
    )


@both
def test_streams_talk_to_a_greenlet(prelude: str) -> None:
    run_green(
        """
        import socket
        async def main():
            async def serve(reader, writer):
                writer.write((await reader.readline()).upper())
                await writer.drain()
                writer.close()
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            address = server.sockets[0].getsockname()
            async def ask(text):
                reader, writer = await asyncio.open_connection(*address)
                writer.write(text + b"\\n")
                answer = await reader.readline()
                writer.close()
                return answer
            texts = [b"%d-a" % n for n in range(20)]
            assert await asyncio.gather(*map(ask, texts)) == [
                t.upper() + b"\\n" for t in texts]
            def ask_too():
                with socket.create_connection(address) as s:
                    s.sendall(b"green\\n")
                    return s.recv(100)
            call = ask_too if PATCHED else lambda: b"GREEN\\n"
            assert await aio.green(call) == b"GREEN\\n"
            server.close()
            await server.wait_closed()
        PATCHED = "celadon.patch" in sys.modules
        aio.run(main())
        """,
        prelude,
    )


@both
def test_signals_children_and_executors(prelude: str) -> None:
    run_green(
        """
        import signal
        async def main():
            loop = asyncio.get_running_loop()
            came = asyncio.Event()
            loop.add_signal_handler(signal.SIGUSR1, came.set)
            os.kill(os.getpid(), signal.SIGUSR1)
            await came.wait()
            loop.remove_signal_handler(signal.SIGUSR1)
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "print(input())",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
            out, _ = await child.communicate(b"told\\n")
            assert out == b"told\\n" and child.returncode == 0
            assert await loop.run_in_executor(None, lambda: 7) == 7
            found = await loop.getaddrinfo("127.0.0.1", 80)
            assert found[0][4] == ("127.0.0.1", 80)
        aio.run(main())
        """,
        prelude,
    )


@both
def test_children_where_the_policy_is_that_of_other_loops(prelude: str) -> None:
    """As where an application calls `uvloop.install()`, and is served on ours."""
    run_green(
        """
        import uvloop
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        async def main():
            children = [await asyncio.create_subprocess_exec("false") for _ in "ab"]
            assert [await each.wait() for each in children] == [1, 1]
        aio.run(main())
        """,
        prelude,
    )


@both
def test_a_loop_in_each_of_several_threads(prelude: str) -> None:
    run_green(
        """
        results = []
        async def work(n):
            for _ in range(20): await asyncio.sleep(0.0005)
            return n, await aio.green(lambda: n)
        def run(n): results.append(aio.run(work(n)))
        threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
        for t in threads: t.start()
        run(9)
        for t in threads: t.join()
        assert sorted(results) == [(n, n) for n in (0, 1, 2, 3, 9)]
        """,
        prelude,
    )


@both
def test_a_loop_moves_from_one_thread_to_another(prelude: str) -> None:
    run_green(
        """
        loop = aio.EventLoop()
        def run(): loop.run_until_complete(asyncio.sleep(0.001))
        run()
        thread = threading.Thread(target=run)
        thread.start(); thread.join()
        run()
        loop.close()
        """,
        prelude,
    )


def test_loops_run_in_greenlets_side_by_side() -> None:
    run_green(
        """
        there = 0
        async def work(n):
            global there
            there += 1
            while there < 20: await asyncio.sleep(0.001)
            assert asyncio.get_running_loop().is_running()
            return n
        tasks = [green.spawn(aio.run, work(n)) for n in range(20)]
        assert [t.get() for t in tasks] == list(range(20))
        """,
        PRELUDE + AIO,
    )


@both
def test_a_loop_does_not_run_in_another(prelude: str) -> None:
    run_green(
        """
        async def main():
            loop = asyncio.get_running_loop()
            for other in (loop, aio.EventLoop()):
                task = asyncio.sleep(0)
                try: other.run_until_complete(task)
                except RuntimeError: task.close()
                else: raise AssertionError
            other.close()
            try: loop.close()
            except RuntimeError: pass
            else: raise AssertionError
            seen = []
            def look():
                try: seen.append(asyncio.get_running_loop())
                except RuntimeError: seen.append("none")
                seen.append(sys.get_asyncgen_hooks().firstiter)
            await aio.green(look)
            assert seen == ["none", None]
        aio.run(main())
        """,
        prelude,
    )


@both
def test_ctrl_c_cancels_the_main_task(prelude: str) -> None:
    run_green(
        """
        import signal
        cleaned = []
        async def main():
            green.spawn(lambda: os.kill(os.getpid(), signal.SIGINT))
            try: await asyncio.sleep(TIMEOUT)
            finally: cleaned.append(1)
        try: aio.run(main())
        except KeyboardInterrupt: pass
        else: raise AssertionError
        assert cleaned == [1]
        """,
        prelude,
    )


@both
def test_asynchronous_generators_are_closed(prelude: str) -> None:
    run_green(
        """
        closed = []
        async def numbers():
            try:
                while True: yield 1
            finally:
                await asyncio.sleep(0)
                closed.append(1)
        async def main():
            generator = numbers()
            await generator.__anext__()
            async for _ in numbers(): break
            gc.collect()
            while not closed: await asyncio.sleep(0)
            return generator
        kept = aio.run(main())
        assert closed == [1, 1]
        """,
        prelude,
    )


@both
def test_a_closed_loop_leaves_nothing(prelude: str) -> None:
    run_green(
        """
        def fds(): return len(os.listdir("/proc/self/fd"))
        async def main(): await asyncio.sleep(0)
        aio.run(main())
        before = fds()
        for _ in range(20):
            loop = aio.EventLoop()
            loop.run_until_complete(main())
            loop.close()
            gone = weakref.ref(loop)
        assert fds() == before, (fds(), before)
        del loop
        gc.collect()
        assert gone() is None
        """,
        prelude,
    )


def test_slow_callbacks_are_told_in_debug_mode() -> None:
    run_green(
        """
        import logging
        lines = []
        class Keep(logging.Handler):
            def emit(self, record): lines.append(record.getMessage())
        logging.getLogger("asyncio").addHandler(Keep())
        async def slow():
            end = time.monotonic() + 0.01
            while time.monotonic() < end: pass
        async def main():
            asyncio.get_running_loop().slow_callback_duration = 0.005
            await asyncio.create_task(slow())
        aio.run(main(), debug=True)
        assert any("slow()" in line and " took " in line for line in lines), lines
        """,
        UNPATCHED + AIO,
    )


def test_a_forked_child_has_a_loop_of_its_own() -> None:
    run_green(
        """
        async def main(n):
            await asyncio.sleep(0.001)
            return n
        assert aio.run(main(1)) == 1
        assert aio.wait(main(2)) == 2
        pid = os.fork()
        if pid == 0:
            os._exit(aio.run(main(3)) + aio.wait(main(4)))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert aio.wait(main(5)) == 5
        """,
        PRELUDE + AIO,
    )


def test_a_call_of_a_thread_meets_a_loop_that_begins_to_rest_natively() -> None:
    run_green(
        """
        class Rest:
            def __init__(self, own): self.own = own
            def __getattr__(self, name): return getattr(self.own, name)
            def rest(self, seconds):
                found = self.own.rest(seconds)
                if found is None and not ends.done() and not sent:
                    sent.append(1)
                    loop.call_soon_threadsafe(ends.set_result, 7)   # as another thread's
                return found
        class Dropped:
            def __init__(self): self.me = self
            def __del__(self):   # nothing can be suspended while the collector runs
                loop.call_later(TIMEOUT, sys.exit, "not woken")
                got.append(loop.run_until_complete(ends))
        sent, got = [], []
        loop = aio.EventLoop()
        loop._rest = Rest(loop._rest)
        ends = loop.create_future()
        Dropped()
        gc.collect()
        assert sent and got == [7]
        loop.close()
        """,
        PRELUDE + AIO,
    )
