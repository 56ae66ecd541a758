"""The command and its keys."""

from __future__ import annotations

import argparse
import curses
import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from celadon.command.top import screen
from celadon.command.top.figures import Figures, Snapshot, derive
from celadon.command.top.source import Pages, Socket, Source
from celadon.config.values.plain import parse_duration
from celadon.errors import CeladonError, UsageError

_ENTER = (curses.KEY_ENTER, 10, 13)
_ESCAPE = 27


def run(argv: Sequence[str], find: Callable[[list[str]], tuple[str, str]]) -> int:
    """`celadon top`; `find` turns options that name a server into its control socket and
    its admin token."""
    parser = argparse.ArgumentParser(
        prog="celadon top",
        description="Shows a running server. Options of `celadon` that name it, such as "
        "--control-socket and --bind, are understood too.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--url", default="", help="admin pages to ask, instead of the control socket"
    )
    parser.add_argument(
        "--interval",
        default="1",
        metavar="SECONDS",
        help="how often it looks (default 1)",
    )
    parser.add_argument("--once", action="store_true", help="one look, then the end")
    parser.add_argument("--json", action="store_true", help="with --once: as JSON")
    options, rest = parser.parse_known_args(argv)
    if options.json and not options.once:
        raise UsageError("--json goes with --once")
    interval = _interval(options.interval)
    address, token = find(rest)
    if not options.url and not address:
        raise UsageError(
            "this server has no control socket: --url names its admin pages"
        )
    source: Source = Pages(options.url, token) if options.url else Socket(address)
    if options.once:
        return _once(source, interval, options.json)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("this is no terminal; --once prints one look")
    try:
        curses.setupterm()
    except curses.error:
        name = os.environ.get("TERM", "")
        raise UsageError(
            f"the terminal {name!r} is not known here: try TERM=xterm, or --once"
        ) from None
    curses.wrapper(lambda window: _Session(source, interval).run(window))
    return 0


def _interval(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--interval: {error}") from None
    if not seconds:
        raise UsageError("--interval: more than 0 seconds")
    return seconds


def _once(source: Source, interval: float, as_json: bool) -> int:
    before = source.ask("stats")
    time.sleep(interval)
    figures = derive(source.ask("stats"), before)
    if as_json:
        print(json.dumps(dataclasses.asdict(figures), indent=2))
    else:
        print(
            "\n".join([*screen.head(figures), "", *screen.body(figures, screen.View())])
        )
    return 0


class _Session:
    """One run in a terminal."""

    def __init__(self, source: Source, interval: float) -> None:
        self._source = source
        self._interval = interval
        self._view = screen.View()
        self._before: Snapshot | None = None
        self._figures: Figures | None = None
        self._note = ""

    def run(self, window: Any) -> None:
        terminal = screen.Terminal(window)
        due = 0.0
        while True:
            now = time.monotonic()
            if now >= due:
                self._look()
                due = now + self._interval
            terminal.draw(self._figures, self._view, self._note)
            if not self._press(terminal.key(due - time.monotonic())):
                return

    def _look(self) -> None:
        try:
            now = self._source.ask("stats")
        except CeladonError as error:
            self._note, self._before = str(error), None
            return
        self._note = ""
        if self._before is not None:
            self._figures = derive(now, self._before)
        self._before = now

    def _press(self, key: int) -> bool:
        """False: it is to end."""
        view = self._view
        if key == ord("q"):
            return False
        if key == _ESCAPE:
            view.stacks = None
        elif key == ord("s"):
            view.sort = (view.sort + 1) % len(screen.COLUMNS)
        elif key == ord("r"):
            view.reverse = not view.reverse
        elif key in (curses.KEY_UP, curses.KEY_DOWN):
            self._move(-1 if key == curses.KEY_UP else 1)
        elif key in _ENTER:
            self._show_stacks()
        return True

    def _move(self, by: int) -> None:
        view = self._view
        if view.stacks is not None:
            view.top = max(0, min(view.top + by, len(view.stacks) - 1))
        elif self._figures:
            view.picked = max(0, min(view.picked + by, len(self._figures.workers) - 1))

    def _show_stacks(self) -> None:
        if not self._figures or not self._figures.workers:
            return
        workers = screen.sorted_workers(self._figures, self._view)
        picked = workers[min(self._view.picked, len(workers) - 1)]
        try:
            answer = self._source.ask("stacks")
        except CeladonError as error:
            self._note = str(error)
            return
        self._view.stacks = [
            f"worker {picked.worker} (pid {picked.pid})",
            *screen.stacks_of(picked.pid, answer),
        ]
        self._view.top = 0
