"""What is to be seen while a run goes on: lines for a log, and in a terminal one that moves."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from tools.suite.tally import Outcome, Result, Tally, counted

EVERY = 10.0  # seconds between two lines of a log
LONG = 10.0  # seconds from which on it is said how long a test has run


class Display:
    """`is_lost`: what is written reaches nobody any more."""

    def __init__(self, every_test: bool) -> None:
        self.is_lost = False
        self._began = time.monotonic()
        self._said = self._began
        self._every_test = every_test
        self._moves = sys.stdout.isatty()

    def line(self, text: str) -> None:
        erase = "\r\x1b[2K" if self._moves else ""
        self.write(f"{erase}{clock(time.monotonic() - self._began)}  {text}\n")

    def write(self, text: str) -> None:
        """Where that fails, the terminal or the reader has gone, or there is no room: the
        run goes on to its end, which is near."""
        if self.is_lost:
            return
        try:
            print(text, end="", flush=True)
        except OSError as error:
            self.is_lost = True
            _forget_output()
            if error.errno not in (errno.EPIPE, errno.EIO):
                with suppress(OSError):
                    print(f"cannot say more: {error}", file=sys.stderr, flush=True)

    def result(self, part: str, result: Result) -> None:
        if result.outcome is Outcome.FAILED:
            self.line(f"FAILED {part}: {result.name}: {_gist(result.detail)[:120]}")
        elif self._every_test:
            self.line(f"{result.outcome} {part}: {result.name} {result.seconds:.2f} s")

    def tick(self, running: dict[str, Tally], waiting: Sequence[str]) -> None:
        """Says where things are, if it is time to."""
        now = time.monotonic()
        if self._moves:
            text = _state(running, waiting, now)
            room = max(0, shutil.get_terminal_size().columns - 9)
            self.write(f"\r\x1b[2K{clock(now - self._began)}  {text[:room]}")
        elif now - self._said >= EVERY:
            self._said = now
            self.line(_state(running, waiting, now))

    def close(self) -> None:
        if self._moves:
            self.write("\r\x1b[2K")


def _forget_output() -> None:
    """What is still to be written would be tried once more at the exit."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:2}:{rest:02}"


def _gist(detail: str) -> str:
    """The line of it that says most: pytest's first one of an error, or the last one."""
    lines = detail.splitlines() or [""]
    errors = (line[1:].strip() for line in lines if line.startswith("E "))
    return next(filter(None, errors), lines[-1])


def _state(running: dict[str, Tally], waiting: Sequence[str], now: float) -> str:
    parts = [f"{name} {_progress(tally, now)}" for name, tally in running.items()]
    after = f" | next: {', '.join(waiting)}" if waiting else ""
    return " | ".join(parts) + after


def _progress(tally: Tally, now: float) -> str:
    if not tally.results and not tally.under_way:
        return tally.stage[:60]
    total = f" of {tally.total}" if tally.total else ""
    failed = tally.counts()[Outcome.FAILED]
    text = f"{len(tally.results)}{total}" + (f", {failed} FAILED" if failed else "")
    named = [_short(name, now - since) for name, since in tally.under_way.items()]
    if not named:
        return f"{text} {tally.stage[:40]}"
    more = f" +{len(named) - 3}" if len(named) > 3 else ""
    return f"{text}: {', '.join(named[:3])}{more}"


def _short(name: str, seconds: float) -> str:
    path, _, test = name.rpartition("::")
    short = f"{path.rpartition('/')[2].removesuffix('.py')}::{test}" if path else name
    return f"{short} ({seconds:.0f} s)" if seconds >= LONG else short


def ended(tally: Tally) -> str:
    if not tally.results:
        return f"done in {clock(tally.seconds).strip()}"
    return f"{counted(tally.counts())} in {clock(tally.seconds).strip()}"
