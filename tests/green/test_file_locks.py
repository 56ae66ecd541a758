"""Locks on files: who waits for one lets others run, and is given nothing after its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green

LOCKS = (
    SOCKETS
    + """
import fcntl, struct, subprocess, tempfile
folder = tempfile.TemporaryDirectory()
path = os.path.join(folder.name, "lock")
open(path, "w").write("0123456789")
HOLD = '''
import fcntl, os, sys
file = open(sys.argv[1], "r+")
exec(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
'''
def held_elsewhere(code):
    other = subprocess.Popen([sys.executable, "-c", HOLD, path, code],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"held\\n"
    return other
def let_go(other):
    other.communicate()
def is_parked(task):
    return any(x.task is task and x.state == "parked" for x in core.greenlets())
def until(what):
    while not what(): green.sleep(0.001)
from celadon._core import green as core
file = open(path, "r+")
flock_struct = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
"""
)
FLOCK = "fcntl.flock(file, fcntl.LOCK_EX)"
LOCKF = "fcntl.lockf(file, fcntl.LOCK_EX)"
WAYS = {
    "flock": (FLOCK, FLOCK),
    "flock_shared": (FLOCK, "fcntl.flock(file.fileno(), fcntl.LOCK_SH)"),
    "lockf": (LOCKF, LOCKF),
    "lockf_part": (
        "fcntl.lockf(file, fcntl.LOCK_SH, 2, 4)",
        "fcntl.lockf(file, fcntl.LOCK_EX, 3, 3)",
    ),
    "fcntl": (LOCKF, "fcntl.fcntl(file, fcntl.F_SETLKW, flock_struct)"),
    "fcntl_ofd": (LOCKF, "fcntl.fcntl(file, fcntl.F_OFD_SETLKW, flock_struct)"),
    "os": (LOCKF, "os.lockf(file.fileno(), os.F_LOCK, 0)"),
}


@pytest.mark.row("G21")
@pytest.mark.parametrize("way", WAYS)
def test_g26_others_run_while_one_waits_for_a_lock(way: str) -> None:
    """And after a kill or a timeout the file is nobody's of this process."""
    theirs, ours = WAYS[way]
    run_green(
        f"""
        other = held_elsewhere({theirs!r})
        def take(): return {ours}
        killed, kept, limited = (green.spawn(take) for _ in range(3))
        until(lambda: is_parked(killed) and is_parked(kept))
        killed.kill(); assert killed.ready()
        def limit():
            with celadon.Timeout(0.005, False): take(); return "taken"
        assert green.spawn(limit).get() is None
        kept.kill(); limited.kill()
        let_go(other)
        other = held_elsewhere({theirs!r})
        task = green.spawn(take)
        until(lambda: is_parked(task))
        _, count = ticks(lambda: (let_go(other), task.get(timeout=TIMEOUT)))
        assert count, count
        """,
        prelude=LOCKS,
    )


def test_r03_a_lock_is_held_while_a_child_is_waited_for() -> None:
    """Each greenlet by a descriptor of its own: one after another, in their order."""
    run_green(
        """
        order = []
        def visit(n):
            with open(path) as own:
                fcntl.flock(own, fcntl.LOCK_EX)
                order.append(n)
                subprocess.run(["sh", "-c", "exit 0"], check=True)
                assert order[-1] == n
                fcntl.flock(own, fcntl.LOCK_UN)
        tasks = [green.spawn(visit, n) for n in range(8)]
        for each in tasks: each.get(timeout=TIMEOUT)
        assert sorted(order) == [*range(8)]
        # One that closes instead of unlocking.
        first, second = open(path), open(path)
        fcntl.flock(first, fcntl.LOCK_EX)
        task = green.spawn(fcntl.flock, second, fcntl.LOCK_EX)
        until(lambda: is_parked(task))
        first.close()
        task.get(timeout=TIMEOUT)
        # What is wrong is said as ever.
        raises(OSError, fcntl.flock, 9999, fcntl.LOCK_EX)
        raises(BlockingIOError, fcntl.flock, file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        raises(ValueError, fcntl.lockf, file, 64)
        second.close()
        fcntl.flock(file, fcntl.LOCK_SH); fcntl.flock(file, fcntl.LOCK_EX)
        """,
        prelude=LOCKS,
    )


def test_g26_one_that_waits_keeps_nobody_from_another_part() -> None:
    run_green(
        """
        other = held_elsewhere("fcntl.lockf(file, fcntl.LOCK_EX, 2, 0)")
        more = held_elsewhere("fcntl.lockf(file, fcntl.LOCK_EX, 2, 4)")
        first = green.spawn(fcntl.lockf, file, fcntl.LOCK_EX, 2, 0)
        second = green.spawn(fcntl.lockf, file, fcntl.LOCK_EX, 2, 4)
        until(lambda: is_parked(first) and is_parked(second))
        let_go(more)
        second.get(timeout=TIMEOUT); assert not first.ready()
        let_go(other); first.get(timeout=TIMEOUT)
        """,
        prelude=LOCKS,
    )


@pytest.mark.parametrize("way", WAYS)
def test_a_lock_is_not_taken_on_what_has_the_number_since(
    way: str, tmp_path: Path
) -> None:
    """The number of a file that was closed meanwhile is soon another's."""
    theirs, ours = WAYS[way]
    run_green(
        f"""
        holder = held_elsewhere({theirs!r})
        def lock():
            try: {ours}
            except OSError as error: return error.errno
        waiter = green.spawn(lock)
        until(lambda: is_parked(waiter))
        elsewhere = os.open({str(tmp_path / "other")!r}, os.O_RDWR | os.O_CREAT)
        os.dup2(elsewhere, file.fileno())
        assert waiter.get(timeout=TIMEOUT) == 9  # EBADF
        let_go(holder)
        """,
        prelude=LOCKS,
    )
