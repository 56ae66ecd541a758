"""While one greenlet waits, others tick: each primitive of the standard library."""

from __future__ import annotations

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green

# What waits, and what ends the wait.
WAITS = {
    "sleep": ("time.sleep(0.2)", "None"),
    "lock": ("lock.acquire()", "lock.release()"),
    "rlock": ("rlock.acquire()", "held.set()"),
    "condition": ("wait_for_condition()", "notify()"),
    "event": ("event.wait()", "event.set()"),
    "semaphore": ("semaphore.acquire()", "semaphore.release()"),
    "barrier": ("barrier.wait()", "green.spawn(barrier.wait)"),
    "queue get": ("q.get()", "q.put(1)"),
    "queue put": ("full.put(2)", "full.get()"),
    "queue join": ("unfinished.join()", "unfinished.task_done()"),
    "simple queue": ("simple.get()", "simple.put(1)"),
    "thread join": ("thread.join()", "held.set()"),
    "future": ("future.result()", "held.set()"),
    "futures wait": ("concurrent.futures.wait([future])", "held.set()"),
    "greenlet join": ("sleeper.join()", "None"),
    "process": ("subprocess.run(['sleep', '0.2'])", "None"),
    "waitpid": ("os.waitpid(child.pid, 0)", "child.kill()"),
    "multiprocessing": ("process.join()", "None"),
    "multiprocessing queue": ("pipe[0].recv()", "pipe[1].send(1)"),
    "asyncio": ("asyncio.run(asyncio.sleep(0.2))", "None"),
    "to thread": ("green.offload(native_sleep, 0.2)", "None"),
    "timer": ("timer.join()", "None"),
}


@pytest.mark.parametrize("name", WAITS)
def test_others_tick(name: str) -> None:
    waiting, ending = WAITS[name]
    run_green(
        f"""
        import asyncio, concurrent.futures, multiprocessing, subprocess
        from celadon.patch import original
        native_sleep = original("time", "sleep")
        lock, rlock, held = threading.Lock(), threading.RLock(), threading.Event()
        condition, event, semaphore = threading.Condition(), threading.Event(), threading.Semaphore(0)
        barrier, q, full = threading.Barrier(2), queue.Queue(), queue.Queue(maxsize=1)
        unfinished, simple = queue.Queue(), queue.SimpleQueue()
        full.put(1); unfinished.put(1); lock.acquire()
        def hold():
            with rlock: held.wait(TIMEOUT)
        green.spawn(hold); green.sleep(0)
        def wait_for_condition():
            with condition: condition.wait()
        def notify():
            with condition: condition.notify()
        name = {name!r}
        if "thread" in name or "future" in name:
            thread = threading.Thread(target=held.wait, args=(10,)); thread.start()
            executor = concurrent.futures.ThreadPoolExecutor(1); future = executor.submit(held.wait, 10)
        if name == "greenlet join": sleeper = green.spawn(green.sleep, 0.2)
        if name == "waitpid": child = subprocess.Popen(["sleep", "10"])
        if name.startswith("multi"):
            process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(0.2,))
            process.start(); pipe = multiprocessing.Pipe(False)
        if name == "timer": timer = threading.Timer(0.2, print); timer.start()
        soon(lambda: {ending})
        _, count = ticks(lambda: {waiting})
        assert count >= 2, count
        held.set()
        if name.startswith("multi"): process.join()
        if name == "waitpid": child.returncode = 0
        """,
        prelude=SOCKETS,
        malloc="default",
    )
