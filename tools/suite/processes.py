"""Processes of a run, and the end of all that they started.

Each command has a session of its own, so that a signal reaches all of it. The run is made
the parent of whoever loses theirs: what leaves its session is found, too.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)
GRACE = 10.0  # seconds in which tests stop what they started, before all is killed


def adopt_orphans() -> None:
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def start(
    command: Sequence[str],
    environment: Mapping[str, str],
    output: int,
    kept: int,
    nice: int,
) -> int:
    """The pid of `command`, which writes to `output` and keeps the descriptor `kept`."""
    niced = ["nice", "-n", str(nice)] if nice else []
    process = subprocess.Popen(
        [*niced, *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**_inherited(), **environment},
        pass_fds=[kept],
        start_new_session=True,
        # Where this one is killed, they are interrupted all the same.
        preexec_fn=lambda: _prctl(_PR_SET_PDEATHSIG, signal.SIGINT),
    )
    process.returncode = 0  # `ended` waits for all children, for this one too
    return process.pid


# Of the environment, by the beginning of the name: what make tells the makes below it, while
# ours have jobs of their own; and what would choose, repeat or change tests.
_NOT_INHERITED = ("MAKE", "MFLAGS", "PYTHON", "PYTEST", "CTEST", "GTEST")


def _inherited() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(_NOT_INHERITED)}


def ended() -> Iterator[tuple[int, int]]:
    """Pid and exit status of each child that has ended; of adopted ones, too."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, os.waitstatus_to_exitcode(status)


def descendants(of: int = 0) -> list[int]:
    """All processes below that one, or below this one, that have not ended."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = stat.read_bytes().rpartition(b")")[2].split()[:2]
            if state != b"Z":
                children.setdefault(int(parent), []).append(int(stat.parent.name))
    found: list[int] = []
    ask = [of or os.getpid()]
    while ask:
        below = children.get(ask.pop(), [])
        found += below
        ask += below
    return found


def end_all(whole: set[int], is_hurried: Callable[[], bool]) -> None:
    """Interrupts all that still run, as Ctrl-C does, and kills what does not end within a
    time. Those of `whole` are told, as a terminal tells them, and end by themselves."""
    for pid in whole:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGINT)
    _tell(_all_but(whole), signal.SIGINT)
    patience = time.monotonic() + GRACE
    while _all_but(whole) and time.monotonic() < patience and not is_hurried():
        _wait_a_little(whole)
    _tell(_all_but(whole), signal.SIGKILL)
    while whole:
        _wait_a_little(whole)


def _all_but(whole: set[int]) -> list[int]:
    spared = whole.union(*map(descendants, whole))
    return [pid for pid in descendants() if pid not in spared]


def _wait_a_little(whole: set[int]) -> None:
    whole -= {pid for pid, _ in ended()}
    time.sleep(0.05)  # some of them are no children of ours, and tell us nothing


def kill_all() -> list[int]:
    """Those that are there all the same."""
    patience = time.monotonic() + GRACE
    while (left := descendants()) and time.monotonic() < patience:
        _tell(left, signal.SIGKILL)
        _wait_a_little(set())
    list(ended())
    return left


def name_of(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return f"process {pid}"
    return " ".join(word.decode(errors="replace") for word in words).strip()


def _tell(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
