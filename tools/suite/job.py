"""A part of a run while it runs: one step after another, each in a process."""

from __future__ import annotations

import fcntl
import os
import selectors
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tools.suite import processes
from tools.suite.display import Display
from tools.suite.parts import Options, Part
from tools.suite.readers import Reader
from tools.suite.tally import Outcome, Result, Tally

# By this name in its environment a step finds the descriptor of its pipe for events.
EVENTS = "SUITE_EVENTS"
SILENCE = 15 * 60.0  # seconds after which a step is stuck; a whole build says nothing
LINE = (
    1 << 20
)  # bytes after which a line that has no end is taken for one; no event is as long


class Job:
    def __init__(
        self, part: Part, options: Options, display: Display, folder: Path
    ) -> None:
        self.part = part
        self.tally = Tally()
        self._steps = deque(part.steps(options))
        self._display = display
        self._log = (folder / f"{part.name}.log").open("w", encoding="utf-8")
        self._reader: Reader | None = None
        self._streams: list[_Stream] = []
        self._shown = 0
        self._began = time.monotonic()
        self._is_given_up = False

    def start_step(self, selector: selectors.BaseSelector) -> int | None:
        """The process of the next step; none if there is no more."""
        if not self._steps:
            self._log.close()
            self.tally.seconds = time.monotonic() - self.tally.began
            return None
        step = self._steps.popleft()
        reader = step.reader(self.tally, step.name or step.again, step.again)
        with ExitStack() as stack:
            output = _Stream(selector, self._hear(reader.line, self._log.write))
            events = _Stream(selector, self._hear(reader.event))
            for stream in (output, events):
                stack.callback(os.close, stream.writing)
            pid = processes.start(
                step.command,
                {**step.environment, EVENTS: str(events.writing)},
                output.writing,
                events.writing,
                self.part.nice,
            )
        self._reader, self._streams = reader, [output, events]
        self._began = time.monotonic()
        self._is_given_up = False
        return pid

    def is_stuck(self) -> bool:
        heard = max([self._began, *(stream.heard for stream in self._streams)])
        return time.monotonic() - heard > SILENCE and not self._is_given_up

    def give_up(self) -> None:
        """What is under way has failed: it will not end."""
        assert self._reader is not None
        said = f"nothing was heard for {SILENCE / 60:.0f} minutes"
        for name in list(self.tally.under_way):
            self.tally.end(Result(name, Outcome.FAILED, SILENCE, said))
        self._reader.fail(said)
        self._is_given_up = True

    def step_ended(self, status: int) -> None:
        assert self._reader is not None
        for stream in self._streams:
            stream.close()
        self._reader.end(status)
        self._show_results()

    def _hear(
        self,
        understand: Callable[[str], None],
        keep: Callable[[str], object] = lambda _: None,
    ) -> Callable[[str], None]:
        def hear(line: str) -> None:
            keep(line + "\n")
            understand(line)
            self._show_results()

        return hear

    def _show_results(self) -> None:
        for result in self.tally.results[self._shown :]:
            self._display.result(self.part.name, result)
        self._shown = len(self.tally.results)


class _Stream:
    """Lines from a pipe, a very long one in pieces. `writing` is the other end of it,
    `heard` when there was something.

    Who is left running by a test may hold that, and write: its end is not waited for.
    """

    def __init__(
        self, selector: selectors.BaseSelector, hear: Callable[[str], None]
    ) -> None:
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self.heard = time.monotonic()
        self._selector = selector
        self._hear = hear
        self._begun: list[bytes] = []  # of a line whose end has not come
        selector.register(self._reading, selectors.EVENT_READ, self.read)

    def read(self) -> int:
        """So many bytes; 0 if there are none."""
        try:
            data = os.read(self._reading, 1 << 16)
        except BlockingIOError:
            return 0
        if not data:
            self._selector.unregister(self._reading)  # or it would be ready for ever
            return 0
        self.heard = time.monotonic()
        *ends, begun = data.split(b"\n")
        for end in ends:
            self._begun.append(end)
            self._end_line()
        if begun:
            self._begun.append(begun)
        if sum(map(len, self._begun)) >= LINE:
            self._end_line()
        return len(data)

    def _end_line(self) -> None:
        line = b"".join(self._begun)
        self._begun.clear()
        self._hear(line.decode(errors="replace"))

    def close(self) -> None:
        """Reads what was there, and closes."""
        left = fcntl.fcntl(self._reading, fcntl.F_GETPIPE_SZ)
        while left > 0 and self._reading in self._selector.get_map():
            left -= self.read() or left
        if self._begun:
            self._end_line()
        if self._reading in self._selector.get_map():
            self._selector.unregister(self._reading)
        os.close(self._reading)
