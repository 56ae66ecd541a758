"""Runs parts side by side, as far as one does not come after the other."""

from __future__ import annotations

import os
import selectors
import signal
import time
from pathlib import Path
from types import FrameType

from tools.suite import processes
from tools.suite.display import Display, ended
from tools.suite.job import Job
from tools.suite.parts import Options, Part
from tools.suite.tally import Tally

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Run:
    """`tallies` has what was run, in the order of its beginning; `left_out` the rest, with
    the reason; `stopped_by` is the number of the signal that ended the run, or 0."""

    def __init__(
        self,
        parts: list[Part],
        options: Options,
        display: Display,
        folder: Path,
        limit: float,
    ) -> None:
        self.tallies: dict[str, Tally] = {}
        self.left_out: dict[str, str] = {}
        self.stopped_by = 0
        self._signals = 0
        self._end = time.monotonic() + limit
        self._waiting = {part.name: part for part in parts}
        self._running: dict[int, Job] = {}  # by the process of its step
        self._broken: set[str] = set()  # preparations that failed
        self._options = options
        self._display = display
        self._folder = folder
        self._selector = selectors.DefaultSelector()

    def go(self) -> None:
        processes.adopt_orphans()
        self._hear_signals()
        try:
            while (self._waiting or self._running) and not self.stopped_by:
                self._start_what_can()
                for key, _ in self._selector.select(0.5):
                    key.data()
                for pid, status in processes.ended():
                    if job := self._running.pop(pid, None):
                        job.step_ended(status)
                        self._go_on(job)
                self._end_what_is_stuck()
                now = {job.part.name: job.tally for job in self._running.values()}
                self._display.tick(now, list(self._waiting))
                if self._display.is_lost and not self.stopped_by:
                    self.stopped_by = signal.SIGPIPE
        finally:
            self._display.close()
            self._end_all()

    def status(self) -> int:
        """For the caller's exit."""
        if self.stopped_by:
            return 128 + self.stopped_by
        results = [each for tally in self.tallies.values() for each in tally.results]
        failed = any(tally.failures() for tally in self.tallies.values())
        return int(failed or not results)

    def _end_what_is_stuck(self) -> None:
        for pid, job in self._running.items():
            if job.is_stuck():
                job.give_up()
                os.killpg(pid, signal.SIGKILL)

    def _hear_signals(self) -> None:
        reading, writing = os.pipe()
        for end in (reading, writing):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        self._selector.register(
            reading, selectors.EVENT_READ, lambda: os.read(reading, 4096)
        )
        signal.signal(signal.SIGCHLD, lambda *_: None)  # it wakes the loop
        for number in _SIGNALS:
            signal.signal(number, self._stop)

    def _stop(self, number: int, _: FrameType | None) -> None:
        self.stopped_by = self.stopped_by or number
        self._signals += 1

    def _end_all(self) -> None:
        whole = {pid: job for pid, job in self._running.items() if job.part.whole}
        for job in whole.values():
            self._display.line(
                f"{job.part.name}: is not stopped halfway: waiting for it"
            )
        if self._running:
            self._display.line("stopping what runs")
            processes.end_all({*whole}, is_hurried=lambda: self._signals > 1)
        for pid in processes.descendants():
            self._display.line(f"left running, now killed: {processes.name_of(pid)}")
        for pid in processes.kill_all():
            self._display.line(f"cannot be killed: {processes.name_of(pid)}")

    def _start_what_can(self) -> None:
        for part in list(self._waiting.values()):
            if not self._may_start(part):
                continue
            del self._waiting[part.name]
            if why := self._obstacle(part):
                self.left_out[part.name] = why
                self._display.line(f"{part.name}: not run: {why}")
            else:
                self._display.line(f"{part.name}: {part.title}")
                job = Job(part, self._options, self._display, self._folder)
                self.tallies[part.name] = job.tally
                self._go_on(job)

    def _may_start(self, part: Part) -> bool:
        running = [job.part for job in self._running.values()]
        if running and (part.quiet or any(each.quiet for each in running)):
            return False
        busy = {*self._waiting, *(each.name for each in running)}
        return not busy & set(part.after)

    def _obstacle(self, part: Part) -> str:
        """Why it is not to be run at all."""
        if missing := self._broken & set(part.after):
            self._broken |= {part.name} if part.prepares else set()
            return f"{', '.join(missing)} failed"
        if self._end - time.monotonic() < part.minutes * 60:
            return "there is not enough time left"
        return ""

    def _go_on(self, job: Job) -> None:
        """Starts its next step, or ends it."""
        pid = job.start_step(self._selector)
        if pid is not None:
            self._running[pid] = job
            return
        self._display.line(f"{job.part.name}: {ended(job.tally)}")
        if job.part.prepares and job.tally.failures():
            self._broken.add(job.part.name)
