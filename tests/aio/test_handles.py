"""Callbacks of a loop that wait in calls that block, and what comes to them meanwhile."""

from __future__ import annotations

import pytest

from tests.aio.test_loop import AIO
from tests.support.green import PRELUDE, run_green

TOLD = (
    PRELUDE
    + AIO
    + """\
import resource, signal, socket
told = []   # what the loop's exception handler was told of
async def told_of_nothing(main):
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: told.append(context))
    await main
    assert not told, told
def turns_of(loop):
    counted = []
    turn = loop._turn
    loop._turn = lambda reign: counted.append(1) or turn(reign)
    return counted
"""
)


def test_a_reader_that_waits_is_called_again_once_it_is_back() -> None:
    run_green(
        """
        async def main():
            loop = asyncio.get_running_loop()
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            steps, done, go = [], loop.create_future(), threading.Lock()
            go.acquire()
            def reads():
                steps.append(ours.recv(1))
                with go: pass
                steps.append("back")
                if len(steps) == 6: done.set_result(None)
            loop.add_reader(ours, reads)
            theirs.send(b"abc")
            counted = turns_of(loop)
            await asyncio.sleep(0.05)
            assert steps == [b"a"], steps
            assert len(counted) < 20, len(counted)   # others rest meanwhile
            go.release()
            await done
            assert steps == [b"a", "back", b"b", "back", b"c", "back"], steps
            assert loop.remove_reader(ours)
        aio.run(told_of_nothing(main()))
        """,
        TOLD,
    )


def test_a_protocol_that_waits_has_what_comes_in_its_order() -> None:
    run_green(
        """
        class Waits(asyncio.Protocol):
            def data_received(self, data):
                time.sleep(0.01)
                got.append(data)
                self.transport.write(data)
            def connection_made(self, transport): self.transport = transport
            def connection_lost(self, error): ended.set_result(error)
        async def main():
            global ended
            loop = asyncio.get_running_loop()
            ended = loop.create_future()
            server = await loop.create_server(Waits, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            for n in range(10):
                writer.write(b"%d" % n)
                await asyncio.sleep(0.003)
            assert await reader.readexactly(10) == b"0123456789"
            assert b"".join(got) == b"0123456789"
            writer.close()
            assert await ended is None
            server.close()
            await server.wait_closed()
        got = []
        aio.run(told_of_nothing(main()))
        """,
        TOLD,
    )


# A protocol that is let on step by step.
STEPS = """
class Waits(asyncio.Protocol):
    def __init__(self): self.steps = []
    def connection_made(self, transport):
        self.transport = transport
        self.note("made")
    def data_received(self, data):
        if data == b"p": self.transport.pause_reading()
        self.note(data.decode())
    def connection_lost(self, error): self.note("lost")
    def note(self, what):
        self.steps.append(what)
        door.acquire()
        self.steps.append("back")
    async def come_to(self, *steps):
        while len(self.steps) < len(steps): await asyncio.sleep(0.001)
        for _ in range(5): await asyncio.sleep(0.001)
        assert self.steps == [*steps], self.steps
door = threading.Semaphore(0)
async def freed(main):
    try: await main
    finally: door.release(20)  # or a failure would wait for ever
"""


def test_a_protocol_that_waits_is_not_resumed_into_the_next_call() -> None:
    """Neither where it has paused itself, nor where others do, nor by its end."""
    run_green(
        """
        async def main():
            loop = asyncio.get_running_loop()
            ours, theirs = socket.socketpair()
            theirs.send(b"p")
            protocol = Waits()
            making = asyncio.create_task(loop.create_connection(lambda: protocol, sock=ours))
            steps = ["made"]
            await protocol.come_to(*steps)
            transport, _ = await making
            door.release()
            steps += ["back", "p"]
            await protocol.come_to(*steps)
            theirs.send(b"x")
            for _ in range(2):
                transport.resume_reading()
                await protocol.come_to(*steps)
                transport.pause_reading()
            transport.resume_reading()
            door.release()
            steps += ["back", "x"]
            await protocol.come_to(*steps)
            theirs.send(b"y")
            transport.pause_reading()
            transport.resume_reading()
            await protocol.come_to(*steps)
            door.release()
            steps += ["back", "y"]
            await protocol.come_to(*steps)
            transport.abort()
            await protocol.come_to(*steps)
            door.release()
            await protocol.come_to(*steps, "back", "lost")
            door.release()
            await protocol.come_to(*steps, "back", "lost", "back")
            theirs.close()
        aio.run(freed(told_of_nothing(main())))
        """,
        TOLD + STEPS,
    )


def test_a_protocol_of_a_pipe_that_waits_hears_of_its_end_behind_that() -> None:
    run_green(
        """
        async def main():
            loop = asyncio.get_running_loop()
            r, w = os.pipe()
            os.write(w, b"x")
            os.close(w)
            reading = loop.connect_read_pipe(Waits, os.fdopen(r, "rb", 0))
            transport, protocol = await reading
            steps = ["made"]
            await protocol.come_to(*steps)
            for what in ("x", "lost"):
                door.release()
                steps += ["back", what]
                await protocol.come_to(*steps)
            door.release()
            await protocol.come_to(*steps, "back")
        aio.run(freed(told_of_nothing(main())))
        """,
        TOLD + STEPS,
    )


def test_what_a_replaced_reader_was_of_is_let_go_of() -> None:
    """A transport that closes in its own callback, as most do."""
    run_green(
        """
        class Closes(asyncio.Protocol):
            def connection_made(self, transport):
                self.transport = transport
                alive.append(weakref.ref(transport))
            def data_received(self, data): self.transport.close(); self.transport = None
        async def main():
            loop = asyncio.get_running_loop()
            ours, theirs = socket.socketpair()
            await loop.create_connection(Closes, sock=ours)
            theirs.send(b"x")
            while alive[0]() is not None:
                gc.collect()
                await asyncio.sleep(0.001)
            assert not len(loop._replaced)
            theirs.close()
        alive = []
        aio.run(told_of_nothing(main()))
        """,
        TOLD,
    )


def test_a_peer_that_goes_meanwhile_keeps_nobody_awake() -> None:
    run_green(
        """
        async def main():
            loop = asyncio.get_running_loop()
            ours, theirs = socket.socketpair()
            steps, go = [], threading.Event()
            def reads():
                steps.append(ours.recv(1))
                if steps[-1]: go.wait()
                else: loop.remove_reader(ours)
            loop.add_reader(ours, reads)
            theirs.send(b"a")
            await asyncio.sleep(0.01)
            theirs.close()
            counted = turns_of(loop)
            await asyncio.sleep(0.05)
            assert len(counted) < 20, len(counted)
            go.set()
            while steps != [b"a", b""]: await asyncio.sleep(0.001)
        aio.run(told_of_nothing(main()))
        """,
        TOLD,
    )


def test_a_writer_is_called_while_the_reader_waits() -> None:
    run_green(
        """
        async def main():
            loop = asyncio.get_running_loop()
            ours, theirs = socket.socketpair()
            written, go = [], threading.Event()
            def reads():
                ours.recv(1)
                go.wait()
            def writes():
                written.append(ours.send(b"x"))
                if len(written) == 5:
                    loop.remove_writer(ours)
                    go.set()
            loop.add_reader(ours, reads)
            theirs.send(b"ab")
            await asyncio.sleep(0.01)
            loop.add_writer(ours, writes)
            while not go.is_set(): await asyncio.sleep(0.001)
            assert theirs.recv(10) == b"x" * 5
            loop.remove_reader(ours)
        aio.run(told_of_nothing(main()))
        """,
        TOLD,
    )


def test_a_descriptor_whose_reader_waits_is_another_by_then() -> None:
    run_green(
        """
        async def main():
            loop = asyncio.get_running_loop()
            ours, theirs = socket.socketpair()
            number, go, came = ours.fileno(), threading.Event(), loop.create_future()
            def reads():
                ours.recv(1)
                go.wait()
            loop.add_reader(ours, reads)
            theirs.send(b"ab")
            await asyncio.sleep(0.01)
            loop.remove_reader(ours)
            ours.close(), theirs.close()
            ours, theirs = socket.socketpair()
            assert ours.fileno() == number
            loop.add_reader(ours, lambda: came.done() or came.set_result(ours.recv(1)))
            go.set()
            await asyncio.sleep(0.01)
            theirs.send(b"c")
            assert await came == b"c"
            loop.remove_reader(ours)
        aio.run(told_of_nothing(main()))
        """,
        TOLD,
    )


def test_a_reader_is_called_once_though_another_one_waits() -> None:
    run_green(
        """
        async def main():
            loop = asyncio.get_running_loop()
            pairs = [socket.socketpair() for _ in range(8)]
            got, waits = [], []
            def read(ours):
                # None of them has been called in vain.
                got.append(ours.recv(1, socket.MSG_DONTWAIT))
                waits.append(1)
                time.sleep(0.005)
                waits.pop()
            for ours, _ in pairs: loop.add_reader(ours, read, ours)
            for _ in range(3):
                before = len(got)
                for _, theirs in pairs: theirs.send(b"a")
                while len(got) < before + len(pairs): await asyncio.sleep(0.001)
            while waits: await asyncio.sleep(0.001)
            for ours, _ in pairs: loop.remove_reader(ours)
        aio.run(told_of_nothing(main()))
        """,
        TOLD,
    )


def test_a_signal_that_comes_again_is_heard_behind_the_first() -> None:
    run_green(
        """
        async def main():
            loop = asyncio.get_running_loop()
            steps, go = [], threading.Lock()
            go.acquire()
            def hears():
                steps.append("comes")
                with go: pass
                steps.append("back")
            loop.add_signal_handler(signal.SIGHUP, hears)
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGHUP)
                await asyncio.sleep(0.02)
            assert steps == ["comes"]
            go.release()
            while len(steps) < 4: await asyncio.sleep(0.001)
            assert steps == ["comes", "back"] * 2
        aio.run(told_of_nothing(main()))
        """,
        TOLD,
    )


@pytest.mark.parametrize("by", ["create_task", "call_soon"])
def test_two_in_one_context_take_turns(by: str) -> None:
    run_green(
        f"""
        async def main():
            loop = asyncio.get_running_loop()
            context, steps, go = contextvars.copy_context(), [], threading.Lock()
            go.acquire()
            def waits():
                steps.append("waits")
                with go: pass
                steps.append("back")
            async def work(call):
                await asyncio.sleep(0)
                call()
            async def other():
                await asyncio.sleep(0)
                steps.append("other")
            if {by!r} == "create_task":
                tasks = [loop.create_task(work(waits), context=context),
                         loop.create_task(work(lambda: steps.append("next")), context=context)]
            else:
                loop.call_soon(waits, context=context)
                loop.call_soon(steps.append, "next", context=context)
            await asyncio.create_task(other())
            await asyncio.sleep(0.01)
            assert steps == ["waits", "other"], steps
            go.release()
            while len(steps) < 4: await asyncio.sleep(0.001)
            assert steps == ["waits", "other", "back", "next"], steps
        aio.run(told_of_nothing(main()))
        """,
        TOLD,
    )


def test_what_had_to_wait_wakes_who_rests_by_then() -> None:
    """What held it up comes back to a helper, whose place another one has."""
    run_green(
        """
        async def main():
            loop = asyncio.get_running_loop()
            context, done = contextvars.copy_context(), loop.create_future()
            first, second, steps, seen = green.Event(), green.Event(), [], []
            def waits(event):
                steps.append("waits")
                event.wait()
                steps.append("back")
            def go():
                while len(steps) < 2 or not loop._put_off: green.sleep(0)
                first.set()
                while len(steps) < 3 or not loop._rests: green.sleep(0)
                second.set()
                for _ in range(1000): done.done() or green.sleep(0)
                seen.append(done.done())
                loop.call_soon(int)   # which wakes it in any case
            loop.call_soon(waits, first)    # in who runs the loop
            loop.call_soon(waits, second, context=context)    # in a helper
            loop.call_soon(done.set_result, None, context=context)
            goes = green.spawn(go)
            await done
            await aio.green(goes.join)
            assert seen == [True]
        aio.run(told_of_nothing(main()))
        """,
        TOLD,
    )


def test_a_loop_that_is_closed_meanwhile() -> None:
    run_green(
        """
        async def main():
            ours, theirs = pair
            def reads():
                ours.recv(1)
                go.wait()
                steps.append("back")
            loop.add_reader(ours, reads)
            loop.call_soon(time.sleep, 0.02)   # what runs the loop: a helper reads
            await asyncio.sleep(0)
            theirs.send(b"ab")
            await asyncio.sleep(0.05)
        pair, steps, go = socket.socketpair(), [], threading.Event()
        loop = aio.EventLoop()
        loop.run_until_complete(told_of_nothing(main()))
        loop.close()
        assert not steps
        go.set()
        while not steps: green.sleep(0.001)
        green.sleep(0.001)
        """,
        TOLD,
    )
