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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
GRACE = 10.0  # seconds in which tests stop what they started, before all is killed


def adopt_orphans() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
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
    )
    process.returncode = 0  # `ended` waits for all children, for this one too
    return process.pid


def _inherited() -> dict[str, str]:
    """Without what make tells the makes below it: ours have jobs of their own."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}


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


def descendants() -> list[int]:
    """All processes below this one that have not ended."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(stat.parent.name))
    found: list[int] = []
    ask = [os.getpid()]
    while ask:
        below = children.get(ask.pop(), [])
        found += below
        ask += below
    return found


def end_all() -> None:
    """Interrupts all that still run, as Ctrl-C does, and kills what does not end."""
    _tell(descendants(), signal.SIGINT)
    patience = time.monotonic() + GRACE
    while descendants() and time.monotonic() < patience:
        list(ended())
        time.sleep(0.05)  # some of them are no children of ours, and tell us nothing
    kill_all()


def kill_all() -> None:
    while left := descendants():
        _tell(left, signal.SIGKILL)
        list(ended())
    list(ended())


def name_of(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return f"process {pid}"
    return " ".join(word.decode(errors="replace") for word in words).strip()


def _tell(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
