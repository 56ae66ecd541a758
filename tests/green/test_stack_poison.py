"""green.md §9 e: what a parked greenlet's stack held is overwritten in its old place."""

from __future__ import annotations

from tests.support.green import run_green

# nftw(3) hands its callback a pointer to a struct that lies on its own stack.
STACK_POINTER = """
import ctypes
libc = ctypes.CDLL(None)
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p,
                            ctypes.c_int, ctypes.c_void_p)
where = []
go = threading.Event()
kept = []
def seen(path, stat, flag, info):
    before = ctypes.string_at(stat, 48)
    where.append(stat)
    go.wait()
    kept.append(ctypes.string_at(stat, 48) == before)
    return 0
callback = CALLBACK(seen)
def walk():
    libc.nftw(b"/proc/self/comm", callback, 4, 0)
"""


def test_the_vacated_stack_is_poisoned_and_comes_back_whole() -> None:
    """The test of the test: a native thread finds poison where the stack was."""
    out = run_green(
        STACK_POINTER
        + """
found = []
def look():
    end = time.monotonic() + TIMEOUT
    seen = b""
    # Not before all greenlets wait: what runs lies there as well.
    # Just below, where the callback's own frames were: the hub's do not reach so deep.
    while seen != b"\\xdb" * 1024 and time.monotonic() < end:
        seen = ctypes.string_at(where[0] - 2048, 1024) if where else b""
        time.sleep(0.001)
    found.append(seen)
    go.set()
walker = green.spawn(walk)
while not where:
    green.sleep(0)
threading.Thread(target=look).start()
walker.join()
print(found[0] == b"\\xdb" * 1024, kept)
"""
    )
    assert out == "True [True]\n"
