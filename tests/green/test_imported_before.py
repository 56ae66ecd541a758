"""What an application made before the patch: swapped where that can be, else named (S02)."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

MADE = """
import functools, multiprocessing, queue, threading
from concurrent.futures import ThreadPoolExecutor

lock, held = threading.Lock(), threading.Lock()
held.acquire()
relock = threading.RLock()
local = threading.local()
local.tenant = "main"
acquire = lock.acquire
event, semaphore, barrier = threading.Event(), threading.Semaphore(2), threading.Barrier(2)
jobs, simple = queue.Queue(), queue.SimpleQueue()
jobs.put(1); simple.put(2)
pool = ThreadPoolExecutor(2)
pool.submit(int).result()
processes = multiprocessing.RLock()
messages = multiprocessing.get_context("fork").SimpleQueue()
kept = {"deep": [{"lock": lock}]}
frozen = (threading.Lock(),)

class State(threading.local):
    user = None

class Slotted:
    __slots__ = ("lock",)

class Registry:
    guard = threading.RLock()
    def __init__(self): self.lock, self.same = threading.Lock(), lock

registry, slotted = Registry(), Slotted()
slotted.lock = threading.Lock()

def locked(function):
    mine = threading.Lock()
    @functools.wraps(function)
    def inner():
        with mine: return function()
    return inner

class Proxy:
    # As Django's settings: whoever asks it for anything fails.
    def __getattribute__(self, name): raise RuntimeError("not configured")

proxy = Proxy()
wait = locked(lambda: celadon_sleep(0))
"""

CHECK = """
import logging, os, sys
logging.basicConfig(stream=sys.stdout, format="%(message)s")
import made
if os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
from celadon import patch
from celadon.patch import before
patch.install()
before.settle()
patch.start()
import threading, time, _multiprocessing, _queue
from celadon import green
made.celadon_sleep = time.sleep
ours = {threading.Lock: [made.lock, made.kept["deep"][0]["lock"], made.slotted.lock,
                         made.registry.lock, made.acquire.__self__, made.jobs.mutex,
                         made.jobs.not_empty._lock, made.event._cond._lock,
                         made.wait.__closure__[1].cell_contents],
        threading.RLock: [made.relock, made.Registry.guard],
        threading.local: [made.local], _queue.SimpleQueue: [made.simple],
        _multiprocessing.SemLock: [made.processes._semlock, made.processes.acquire.__self__,
                                   made.messages._rlock._semlock]}
for kind, values in ours.items():
    for number, value in enumerate(values):
        assert type(value) is kind, (kind, number, value)
assert made.lock is made.kept["deep"][0]["lock"] is made.registry.same is made.acquire.__self__
assert made.jobs.mutex is made.jobs.not_empty._lock is made.jobs.not_full.acquire.__self__
assert made.local.tenant == "main" and made.simple.get() == 2 and made.jobs.get() == 1
# Greenlets wait for each other by all of them, and see nothing of another's.
def visit(tenant):
    made.local.tenant = tenant
    with made.lock, made.relock, made.Registry.guard, made.semaphore: time.sleep(0.001)
    with made.processes, made.processes: time.sleep(0.001)
    made.messages.get()
    made.wait(); made.event.wait(); made.jobs.put(tenant)
    return made.local.tenant == tenant and made.pool.submit(str, tenant).result() == tenant
tasks = [green.spawn(visit, str(n)) for n in range(4)]
green.spawn(made.event.set)
green.spawn(lambda: [made.messages.put(n) for n in range(4)])
assert all(task.get(timeout=20) for task in tasks)
assert sorted(made.jobs.get() for _ in tasks) == ["0", "1", "2", "3"]
print("all are ours")
"""


NAMES = """
import collections, functools
from queue import SimpleQueue
from threading import Lock, current_thread, local
from time import sleep

def make(): return local(), Lock(), SimpleQueue()

class Registry:
    lock_class = Lock

by_name = collections.defaultdict(Lock, pause=sleep)
later = functools.partial(sleep, 0)
def wait(seconds, pause=sleep): pause(seconds)
def closed(kind):
    return lambda: kind()
closed_lock = closed(Lock)
class Queue(SimpleQueue): pass
"""

NAMES_CHECK = """
import logging, sys
logging.basicConfig(stream=sys.stdout, format="%(message)s")
import names
from celadon import patch
from celadon.patch import before
patch.install()
before.settle()
patch.start()
import queue, threading, time
from celadon import green
assert names.local is threading.local and names.Lock is threading.Lock
assert names.sleep is time.sleep is names.by_name["pause"]
assert names.current_thread is threading.current_thread
for made in (names.make()[1], names.by_name["x"], names.Registry.lock_class(), names.closed_lock()):
    assert type(made) is green.Lock, made
assert type(names.make()[2]) is type(queue.SimpleQueue())
state = names.make()[0]
def visit(who):
    state.who = who
    names.sleep(0.001)
    return state.who
tasks = [green.spawn(visit, who) for who in ("alice", "bob")]
assert [task.get(timeout=20) for task in tasks] == ["alice", "bob"]
"""


def test_s02_what_was_imported_by_name_is_swapped_or_named(tmp_path: Path) -> None:
    (tmp_path / "names.py").write_text(NAMES)
    done = subprocess.run(
        [sys.executable, "-c", NAMES_CHECK],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = done.stdout.splitlines()
    left = line.partition(" keeps ")[2].partition(":")[0].split(", ")
    assert left == [
        "later(...)",
        "time.sleep",
        "wait.<default>",
        "time.sleep",
        "Queue",
        "a class of _queue.SimpleQueue",
    ]


def test_s02_what_was_made_before_the_patch_is_swapped_or_named(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text(MADE)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHECK)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    line, last = done.stdout.splitlines()
    assert last == "all are ours"
    named = line.partition(" keeps ")[2]
    assert line.startswith("made was imported before the standard library was patched")
    for left in ("held, a lock", "frozen[...], a lock", "State, a class of threading"):
        assert left in named
    assert "registry" not in named
