"""Views that do what a server would rather not see, each with what it must answer."""

from __future__ import annotations

import concurrent.futures
import contextlib
import contextvars
import decimal
import functools
import gc
import json
import os
import pickle
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import celadon
import greenlet

VIEWS: dict[str, Callable[[], object]] = {}
EXPECTED: dict[str, str] = {}

POOL = concurrent.futures.ThreadPoolExecutor(4)
SHARED = threading.RLock()
CONDITION = threading.Condition()
TICKETS = threading.Semaphore(3)
BELT: queue.Queue[int] = queue.Queue(5)
LOCAL = threading.local()
VALUE = contextvars.ContextVar("VALUE", default=0)


def nap() -> None:
    time.sleep(0.002)


def napping(value: Any) -> Any:
    nap()
    return value


def answers(expected: object) -> Callable[[Callable[[], object]], None]:
    def add(view: Callable[[], object]) -> None:
        VIEWS[f"/{view.__name__}"] = view
        EXPECTED[f"/{view.__name__}"] = str(expected)

    return add


# --- native threads ---


@answers(28)
def thread_pool() -> object:
    return sum(POOL.map(napping, range(8)))


@answers(1)
def lock_with_a_thread() -> object:
    done: list[int] = []

    def run() -> None:
        with SHARED:
            nap()
            done.append(1)

    thread = threading.Thread(target=run)
    thread.start()
    with SHARED:
        nap()
    thread.join()
    return len(done)


@answers("released")
def lock_released_elsewhere() -> object:
    lock = threading.Lock()
    lock.acquire()
    thread = threading.Thread(target=lock.release)
    thread.start()
    got = lock.acquire(timeout=5)
    thread.join()
    return "released" if got else "stuck"


@answers(10)
def queue_from_a_thread() -> object:
    line: queue.Queue[int] = queue.Queue(1)
    thread = threading.Thread(target=lambda: [line.put(n) for n in range(5)])
    thread.start()
    total = sum(line.get(timeout=5) for _ in range(5))
    thread.join()
    return total


@answers(2)
def barrier() -> object:
    gate = threading.Barrier(3)
    passed: list[int] = []
    threads = [
        threading.Thread(target=lambda: passed.append(gate.wait(5))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    gate.wait(5)
    for thread in threads:
        thread.join()
    return len(passed)


@answers("rang")
def timer() -> object:
    bell = threading.Event()
    thread = threading.Timer(0.003, bell.set)
    thread.start()
    rang = bell.wait(5)
    thread.join()
    return "rang" if rang else "silent"


@answers("left")
def thread_left_behind() -> object:
    threading.Thread(target=time.sleep, args=(0.02,), daemon=True).start()
    return "left"


# --- locks held over waits ---


@answers("ok")
def shared_primitives() -> object:
    with CONDITION:
        CONDITION.wait(0.002)
        CONDITION.notify_all()
    with TICKETS:
        nap()
    BELT.put(1, timeout=5)
    nap()
    BELT.get(timeout=5)
    return "ok"


@answers("ok")
def locks_never_released() -> object:
    threading.Lock().acquire()
    lock = threading.RLock()
    lock.acquire()
    lock.acquire()
    nap()
    return "ok"


# --- processes and signals ---


def exit_status(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@answers(4)
def fork_with_a_thread() -> object:
    pid = os.fork()
    if pid == 0:
        status = 1
        with contextlib.suppress(BaseException):
            seen: list[int] = []
            thread = threading.Thread(target=lambda: seen.append(4))
            thread.start()
            thread.join()
            nap()
            status = seen[0]
        os._exit(status)
    return exit_status(pid)


@answers("hey 3")
def programs() -> object:
    said = subprocess.run(["echo", "hey"], capture_output=True, text=True, check=True)
    return said.stdout.strip() + f" {os.system('exit 3') >> 8}"


@answers("ok")
def signal_to_oneself() -> object:
    os.kill(os.getpid(), signal.SIGUSR1)
    nap()
    return "ok"


# --- waits in the middle of C code ---


@answers([1, 2, 3])
def sort_key() -> object:
    return sorted([3, 1, 2], key=napping)


@answers("bbb")
def regular_expression() -> object:
    return re.sub("a", lambda _: str(napping("b")), "aaa")


@answers('{"a": 1}')
def json_hook() -> object:
    return json.dumps({"a": object()}, default=lambda _: napping(1))


@answers(1)
def hash_and_equality() -> object:
    class Key:
        def __hash__(self) -> int:
            return int(napping(1))

        def __eq__(self, other: object) -> bool:
            return bool(napping(True))

    return len({Key(): 1, Key(): 2})


@answers(3)
def caches() -> object:
    class Lazy:
        @functools.cached_property
        def value(self) -> int:
            return int(napping(3))

    return functools.lru_cache(lambda lazy: lazy.value)(Lazy())


@answers(300)
def deep_recursion() -> object:
    def down(n: int) -> int:
        return 1 + down(n - 1) if n else int(napping(0))

    return down(300)


@answers("too deep")
def endless_recursion() -> object:
    def down() -> Any:
        return down()

    try:
        return down()
    except RecursionError:
        return napping("too deep")


# --- the garbage collector ---


class Sleeper:
    me: object = None

    def __del__(self) -> None:
        nap()


@answers("ok")
def finalizers_that_sleep() -> object:
    for _ in range(3):
        sleeper = Sleeper()
        sleeper.me = sleeper
    gc.collect()
    return "ok"


@answers([1])
def finalizer_of_a_weak_reference() -> object:
    class Thing:
        pass

    seen: list[int] = []
    thing = Thing()
    weakref.finalize(thing, lambda: seen.append(napping(1)))
    del thing
    return seen


@answers("ok")
def generator_left_in_the_middle() -> object:
    def numbers() -> Iterator[int]:
        try:
            yield 1
        finally:
            nap()

    next(numbers())
    return "ok"


# --- state that must not leak between requests ---


@answers("mine")
def own_state() -> object:
    me = object()
    LOCAL.owner = me
    token = VALUE.set(VALUE.get() + 1)
    with decimal.localcontext() as context:
        context.prec = precision = 5 + id(me) // 16 % 40
        identity = threading.get_ident()
        nap()
        same = decimal.getcontext().prec == precision
    same = same and LOCAL.owner is me and VALUE.get() == 1
    VALUE.reset(token)
    return "mine" if same and identity == threading.get_ident() else "another's"


@answers("ZeroDivisionError")
def exceptions_across_waits() -> object:
    try:
        return 1 / 0
    except ZeroDivisionError as outer:
        nap()
        try:
            raise KeyError
        except KeyError as inner:
            nap()
            if inner.__context__ is not outer:
                return "lost"
        return getattr(sys.exc_info()[0], "__name__", "none")


@answers("ok")
def tracing() -> object:
    sys.setprofile(lambda *_: None)
    nap()
    sys.setprofile(None)
    sys.settrace(lambda *_: None)
    nap()
    sys.settrace(None)
    return "ok"


# --- greenlets of the application's own ---


@answers(3)
def own_greenlets() -> object:
    def run(n: int) -> object:
        nap()
        return greenlet.getcurrent().parent.switch(n + 1) + 1

    inner = greenlet.greenlet(run)
    first = inner.switch(1)
    nap()
    abandoned = greenlet.greenlet(lambda: greenlet.getcurrent().parent.switch())
    abandoned.switch()
    return inner.switch(first)


@answers("Timeout")
def spawned_and_timed_out() -> object:
    celadon.spawn(nap)
    try:
        with celadon.Timeout(0.002):
            celadon.spawn(time.sleep, 1).join()
    except celadon.Timeout as timeout:
        return type(timeout).__name__
    return "none"


@answers("z")
def descriptor_of_a_pipe() -> object:
    reader, writer = os.pipe()
    celadon.spawn(lambda: (nap(), os.write(writer, b"z")))
    try:
        celadon.green.wait_fd(reader, 1, timeout=5)
        return os.read(reader, 1).decode()
    finally:
        os.close(reader)
        os.close(writer)


@answers("GET")
def environ_taken_apart() -> object:
    return "GET"  # app() clears the environ of this one


def on_signal(number: int, frame: FrameType | None) -> None:
    threading.get_ident()
    time.sleep(0)


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    path = environ["PATH_INFO"]
    texts = {k: v for k, v in environ.items() if isinstance(v, str)}
    assert pickle.loads(pickle.dumps(texts))["REQUEST_METHOD"] == "GET"
    if path == "/environ_taken_apart":
        environ.clear()
    body = str(VIEWS[path]())
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body.encode()]


def make() -> Any:
    """The application, with handlers of its own for signals that will come."""
    signal.signal(signal.SIGUSR1, on_signal)
    signal.signal(signal.SIGCHLD, on_signal)
    return app
