"""What every greenlet does, where it is, and what it waits for."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import IO, Any, TypedDict

from celadon._core import green as _green
from celadon._core.green import Described
from celadon.green import frames
from celadon.green.helpers import HelperThread
from celadon.green.report_text import text_of

_FAULTS = {
    getattr(signal, name)
    for name in ("SIGSEGV", "SIGFPE", "SIGABRT", "SIGBUS", "SIGILL")
}


class LoopExit(RuntimeError):
    """The main script waits for something that nobody is left to bring.

    No greenlet runs or waits with a time limit or for a descriptor, no other thread
    exists, and no signal has a handler. The message says what all of them wait for.
    """


# Tasks that no greenlet runs, by who knows of such.
task_sources: list[Callable[[], list[dict[str, Any]]]] = []


class Entry(TypedDict):
    """One greenlet, as `dump_greenlets` reports it; times in seconds."""

    id: int  # the slot's number in its thread; 0: the main script
    thread: int
    name: str
    state: str  # running, ready or parked
    waits_on: str | None
    request: str | None
    age: float | None
    deadline_left: float | None
    stack: list[dict[str, Any]]


def dump_greenlets(file: IO[str] | None = None, format: str = "text") -> None:
    """Writes where every greenlet of this process is, and what it waits for.

    `file` defaults to standard error; `format` is ``"text"`` or ``"json"`` (one object
    with ``greenlets``, ``idle``, ``cycles`` and ``tasks``). Greenlets that wait for locks of
    each other are named behind them, and then what tasks of `celadon.aio` wait for.

    Raises `ValueError` for another format.
    """
    if format not in ("text", "json"):
        raise ValueError(f"format must be 'text' or 'json', not {format!r}")
    text = as_text() if format == "text" else json.dumps(as_data()) + "\n"
    print(text, end="", file=sys.stderr if file is None else file)


LONGEST = 8 << 20  # bytes of a report for another process


def write_to(descriptor: int) -> None:
    """Writes the report as JSON and the end of a line to a pipe, which is closed.

    Beside the loop: it may be longer than what the pipe takes at once.
    """
    data = as_json(LONGEST).encode() + b"\n"
    try:
        HelperThread(_write, "celadon-report", descriptor, data).start()
    except RuntimeError:  # there is no room for one more
        os.close(descriptor)
        raise


def _write(descriptor: int, data: bytes) -> None:
    try:
        os.set_blocking(descriptor, True)
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        return  # nobody waits for it any more
    finally:
        os.close(descriptor)


def as_json(most: int) -> str:
    """The report in about so many bytes: what is beyond is counted as left out."""
    data = as_data()
    lists, left_out, size = "", {}, 0
    for kind in ("greenlets", "tasks"):
        entries = []
        all_of_kind = data.pop(kind)
        for entry in all_of_kind:
            text = json.dumps(entry)
            size += len(text)
            if size > most:
                break
            entries.append(text)
        left_out[kind] = len(all_of_kind) - len(entries)
        lists += f'"{kind}": [{", ".join(entries)}], '
    rest = json.dumps({**data, "left_out": left_out})
    return f"{{{lists}{rest[1:]}"


def as_data() -> dict[str, Any]:
    """The report as plain data."""
    raw = _green.greenlets()
    names = {each.ident: _name(each) for each in raw}
    threads = frames.of_threads()
    return {
        "greenlets": [_entry(each, names, threads) for each in raw if _counts(each)],
        "idle": sum(each.state == "idle" for each in raw),
        "cycles": _cycles(raw, names),
        "tasks": [entry for source in task_sources for entry in source()],
    }


def as_text() -> str:
    """The report for people."""
    return text_of(as_data())


def loop_exit() -> LoopExit | None:
    """What the main script gets when nothing can wake it; None where a signal may."""
    if _signals_are_handled():
        return None
    return LoopExit(
        "this would wait for ever: nothing is left to wake it\n" + as_text()
    )


def _signals_are_handled() -> bool:
    preempting = _green.on_preempt
    usual = (None, signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler)
    return any(
        signal.getsignal(number) not in (*usual, preempting)
        for number in signal.valid_signals() - _FAULTS
    )


def _counts(raw: Described) -> bool:
    return raw.state not in ("idle", "done")


def _name(raw: Described) -> str:
    if raw.number == 0:
        return "main script" + (f" ({raw.callback})" if raw.callback else "")
    what = raw.job or raw.callback or getattr(raw.task, "name", None)
    return f"greenlet {raw.number}" + (f" ({what})" if what else "")


def _entry(
    raw: Described, names: dict[int, str], threads: dict[int, FrameType]
) -> Entry:
    return Entry(
        id=raw.number,
        thread=raw.thread,
        name=_name(raw),
        state=raw.state,
        waits_on=_waits_on(raw, names),
        request=raw.job,
        age=raw.age,
        deadline_left=raw.deadline_left,
        stack=_stack(raw, threads),
    )


def _stack(raw: Described, threads: dict[int, FrameType]) -> list[dict[str, Any]]:
    """Outermost first, as in a traceback."""
    frame = frames.of_greenlet(raw, threads)
    callers = reversed([*_callers(frame)])
    return [place_of(f) for f in callers if f.f_code.co_filename != __file__]


def place_of(frame: FrameType) -> dict[str, Any]:
    """Of an entry's stack."""
    code = frame.f_code
    return {
        "file": code.co_filename,
        "line": frame.f_lineno,
        "function": code.co_qualname,
    }


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _waits_on(raw: Described, names: dict[int, str]) -> str | None:
    reason = raw.reason
    if reason is None:
        return None
    if raw.fd >= 0:
        what = _descriptor(raw.fd, raw.events)
        if reason == "database":
            what = "a database: " + what
    elif reason == "lock":
        owner = raw.owner
        what = "a lock held by " + names.get(owner, f"thread {owner}")
    else:
        what = _REASONS[reason]
    left = raw.wait_left
    if left is None:
        return what
    return (
        f"{what}, {left:.1f} s at most"
        if left > 0
        else f"{what}, for which time is over"
    )


_REASONS = {
    "descriptor": "a descriptor",
    "database": "a database",
    "dns": "an address that is looked up",
    "thread": "a call on a native thread",
    "sleep": "sleep",
    "event": "an event",
    "queue": "a queue",
    "body": "more of the request's body",
    "write": "the client to take more of the answer",
    "join": "the end of another",
    "server": "the server's end",
}


def _descriptor(fd: int, events: int) -> str:
    what = {1: "readable", 2: "writable", 3: "readable or writable"}.get(
        events, "ready"
    )
    return f"descriptor {fd} to be {what} ({_peer(fd)})"


def _peer(fd: int) -> str:
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fd)) as sock:
        address = sock.getpeername()
        if isinstance(address, tuple):
            return f"{address[0]}:{address[1]}"
        return repr(address)
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return "closed"


def _cycles(raw: list[Described], names: dict[int, str]) -> list[list[str]]:
    """Greenlets each of which waits for a lock that the next one holds."""
    owner = {each.ident: each.owner for each in raw if each.reason == "lock"}
    found, seen = [], set()
    for start in owner:
        path: list[int] = []
        at = start
        while at in owner and at not in seen:
            seen.add(at)
            path.append(at)
            at = owner[at]
        if at in path:
            found.append([names[ident] for ident in path[path.index(at) :]])
    return found
