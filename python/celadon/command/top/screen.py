"""Figures as lines of text, and the terminal that shows them."""

from __future__ import annotations

import curses
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from celadon.command.top.figures import Figures, WorkerFigures
from celadon.green.report_text import text_of

# Name, width, text of a worker, key to sort by.
COLUMNS: list[tuple[str, int, Callable[[WorkerFigures], str], str]] = [
    ("WORKER", 6, lambda w: str(w.worker), "worker"),
    ("PID", 8, lambda w: str(w.pid), "pid"),
    ("STATE", 10, lambda w: "HELD" if w.held > 1 else w.state, "state"),
    ("AGE", 8, lambda w: short_time(w.age), "age"),
    ("REQ/S", 8, lambda w: f"{w.requests:.1f}", "requests"),
    ("INFLIGHT", 8, lambda w: str(w.in_flight), "in_flight"),
    ("QUEUED", 7, lambda w: str(w.queued), "queued"),
    ("CONNS", 7, lambda w: str(w.connections), "connections"),
    ("LOOP%", 6, lambda w: f"{100 * w.loop:.0f}", "loop"),
    ("CPU%", 6, lambda w: f"{100 * w.cpu:.0f}", "cpu"),
    ("RSS", 8, lambda w: f"{w.rss / 1048576:.0f}M", "rss"),
]
KEYS = "q quit  s sort  r reverse  up/down pick  enter stacks  esc back"


def short_time(seconds: float | None) -> str:
    """``<1ms``, ``12ms``, ``3.4s``, ``5m``, ``2h``, ``3d``."""
    if seconds is None:
        return "-"
    if seconds < 0.001:
        return "<1ms"
    if seconds < 1:
        return f"{1000 * seconds:.0f}ms"
    for size, unit, limit in ((1, "s", 120), (60, "m", 7200), (3600, "h", 172800)):
        if seconds < limit:
            return (
                f"{seconds / size:.1f}s" if size == 1 else f"{seconds / size:.0f}{unit}"
            )
    return f"{seconds / 86400:.0f}d"


def short_latency(seconds: float | None, finest: float) -> str:
    """Histograms tell nothing more of what is below their first bound, `finest`."""
    if seconds is not None and 0.001 <= seconds <= finest:
        return "<" + short_time(finest)
    return short_time(seconds)


@dataclass
class View:
    """What the user has chosen."""

    sort: int = 0
    reverse: bool = False
    picked: int = 0
    stacks: list[str] | None = None
    top: int = 0  # first line of the stacks that is shown


def head(figures: Figures) -> list[str]:
    """The server in a few lines."""
    f = figures
    p50, p95, p99 = (short_latency(each, f.finest) for each in (f.p50, f.p95, f.p99))
    waiting = "  ".join(f"{name} {n:g}" for name, n in f.parked.items() if n)
    tasks = f"tasks {f.tasks:g}  " if f.tasks else ""
    return [
        f"celadon: {f.state}, up {short_time(f.uptime)}, generation {f.generation}, "
        f"{len(f.workers)} workers",
        f"requests {f.requests:.1f}/s  errors {f.errors:.1f}/s  in flight {f.in_flight}  "
        f"queued {f.queued:g}  connections {f.connections:g}",
        f"p50 {p50}  p95 {p95}  p99 {p99}  loop {100 * f.loop:.0f}%  lag p99 {short_time(f.lag)}",
        f"greenlets {f.greenlets:g}  {tasks}waiting: {waiting or 'none'}",
    ]


def sorted_workers(figures: Figures, view: View) -> list[WorkerFigures]:
    key = COLUMNS[view.sort][3]
    return sorted(
        figures.workers, key=lambda each: getattr(each, key), reverse=view.reverse
    )


def body(figures: Figures, view: View, width: int | None = None) -> list[str]:
    """Workers, what holds loops, slow requests, and what happened; in `width` columns,
    where one is given, places keep their ends."""
    titles = [
        f"{name + ('*' if at == view.sort else ''):>{width}}"
        for at, (name, width, _, _) in enumerate(COLUMNS)
    ]
    lines = ["  ".join(titles)]
    for worker in sorted_workers(figures, view):
        lines.append(
            "  ".join(f"{text(worker):>{width}}" for _, width, text, _ in COLUMNS)
        )
    if figures.blockers:
        lines += ["", "HELD THE LOOP"]
        lines += [
            with_place(
                f"{each['count']:6.0f} x {short_time(each['seconds']):>8} "
                f"(longest {short_time(each['longest'])})  ",
                each["where"],
                width,
            )
            for each in figures.blockers
        ]
    if figures.slow:
        lines += ["", "SLOW REQUESTS"]
        lines += [
            f"{_clock(each['at'])}  {each['text'].splitlines()[0]}"
            for each in figures.slow[:8]
        ]
    if figures.events:
        lines += ["", "HISTORY"]
        lines += [
            f"{_clock(each['at'])}  {each['text']}" for each in figures.events[:8]
        ]
    return lines


def with_place(before: str, place: str, width: int | None) -> str:
    """Which file, line and function it is stands at the end of a place."""
    room = len(place) if width is None else max(width - len(before), 20)
    return before + (place if len(place) <= room else "…" + place[1 - room :])


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))


def stacks_of(pid: int, answer: Any) -> list[str]:
    """Of one worker, as lines."""
    for each in answer.get("workers", ()):
        if each["pid"] == pid:
            if not each["answered"] or each["greenlets"] is None:
                return ["its loop is held; the error log says where"]
            return text_of(each["greenlets"]).splitlines()
    return ["that worker is gone"]


class Terminal:
    """Draws on curses' screen."""

    def __init__(self, window: Any) -> None:
        self._window = window
        for refine in (curses.use_default_colors, lambda: curses.curs_set(0)):
            with suppress(curses.error):  # a plain terminal has neither
                refine()
        window.keypad(True)

    def draw(self, figures: Figures | None, view: View, note: str) -> None:
        self._window.erase()
        height, width = self._window.getmaxyx()
        lines = head(figures) if figures else ["celadon: waiting for the first figures"]
        styles = [curses.A_BOLD] + [curses.A_NORMAL] * (len(lines) - 1)
        first_worker = -1
        if view.stacks is not None:
            shown = ["", *view.stacks[view.top :]]
        else:
            shown = ["", *(body(figures, view, width - 1) if figures else [])]
            first_worker = len(lines) + 2
        for line in shown:
            styles.append(curses.A_NORMAL)
            lines.append(line)
        for at, line in enumerate(lines[: height - 1]):
            style = styles[at]
            if at == first_worker - 1:
                style = curses.A_REVERSE
            elif at == first_worker + view.picked and first_worker > 0:
                style = curses.A_BOLD | curses.A_UNDERLINE
            self._put(at, line[: width - 1], style)
        self._put(height - 1, (note or KEYS)[: width - 1], curses.A_DIM)
        self._window.refresh()

    def _put(self, row: int, text: str, style: int) -> None:
        try:
            self._window.addstr(row, 0, text, style)
        except curses.error:
            return  # the window has just become smaller

    def key(self, seconds: float) -> int:
        """What was pressed within that time; -1: nothing."""
        self._window.timeout(max(int(1000 * seconds), 1))
        pressed = int(self._window.getch())
        if pressed == curses.KEY_RESIZE:
            # A terminal moves what was there, and may have got a picture of the old size.
            self._window.clear()
        return pressed
