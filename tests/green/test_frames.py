"""Memory for Python frames: what calls at the end of a block cost, and who looks there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.compiled import library
from tests.support.green import run_green

DEEP = """
def call(): pass
def deep(depth, times):
    if depth: return deep(depth - 1, times)
    for _ in range(times): call()
"""


@pytest.mark.parametrize("where", ["greenlet", "thread", "main"])
def test_g04_a_call_at_the_end_of_a_block_maps_nothing(where: str) -> None:
    """It would fault a page in each time."""
    run_green(
        f"where = {where!r}\n"
        + DEEP
        + """
import resource
def work():
    for depth in range(1, 150): deep(depth, 3)
    for depth in range(1, 150):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        deep(depth, 1000)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
faults = []
time.sleep(0)
if where == "greenlet": green.spawn(work).get()
elif where == "main": work()
else:
    thread = threading.Thread(target=work); thread.start(); thread.join()
assert len(faults) == 149 and max(faults) < 200, max(faults)
""",
        malloc="default",
    )


# Who gets memory back that frames were in sends a signal to the thread, as if one came just
# then. Where a generator is made, the thread has not left the frame yet.
SIGNALS = r"""
#include <Python.h>
#include <csignal>
static PyObjectArenaAllocator below;
static int number, count;
static void* get(void*, size_t size) { return below.alloc(below.ctx, size); }
static void give_back(void*, void* start, size_t size) {
  below.free(below.ctx, start, size);
  if (!number) return;
  ++count;
  raise(number);
}
extern "C" void send_at_unmap(int signal) {
  number = signal;
  PyObject_GetArenaAllocator(&below);
  PyObjectArenaAllocator ours{nullptr, get, give_back};
  PyObject_SetArenaAllocator(&ours);
}
extern "C" int sent() {
  number = 0;
  return count;
}
"""


def test_g04_a_handler_that_reads_frames_finds_them(tmp_path: Path) -> None:
    made = library(tmp_path, "signals", SIGNALS)
    run_green(
        f"""
import ctypes, faulthandler, signal
signals = ctypes.PyDLL({str(made)!r})
faulthandler.register(signal.SIGUSR2, file=open(os.devnull, "w"), all_threads=False)
signals.send_at_unmap(signal.SIGUSR2)
def down(depth):
    if depth: down(depth - 1)
names = (*down.__code__.co_varnames, *(f"unused_{{n}}" for n in range(120)))
down.__code__ = down.__code__.replace(co_nlocals=len(names), co_varnames=names)
def huge(): yield
huge.__code__ = huge.__code__.replace(
    co_nlocals=5000, co_varnames=tuple(map(str, range(5000))))
def work():
    for _ in range(3):
        down(800)  # many blocks, more than are kept
        huge(); huge()  # larger than one
green.spawn(work).get()
thread = threading.Thread(target=work); thread.start(); thread.join()
assert signals.sent() > 0
""",
        malloc="default",
    )
