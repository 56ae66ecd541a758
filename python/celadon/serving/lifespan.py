"""The lifespan of an ASGI application: it is told that its worker begins, and that it ends.

As in the specification of ASGI, "Lifespan Protocol" 2.0:

    NEW ─► STARTING ── startup.complete ─► UP ─► ENDING ── shutdown.complete ─► OVER
               │                           │       └────── shutdown.failed ───► OVER
               ├── startup.failed ─► FAILED└── it returned or raised ─► OVER
               ├── given up ───────► FAILED
               └── it returned or raised ─► ABSENT

It runs as a task of the worker's loop; who tells it waits in a greenlet, and is no task: there
are applications that cancel all of these at their end.
"""

from __future__ import annotations

import asyncio
import enum
import os
from collections.abc import Mapping
from typing import Any

from celadon import green
from celadon.aio.tasks import end
from celadon.errors import AppError, AppFailed, printable
from celadon.logging import logger
from celadon.serving import asgi_loop
from celadon.serving.importer import own_failure
from celadon.serving.mounts import Application

_UNWIND = 1.0  # seconds that it has to end in, once it is cancelled


class Phase(enum.Enum):
    """Where a lifespan is."""

    NEW = "not begun"
    STARTING = "starting"
    UP = "up"
    ENDING = "ending"
    OVER = "over"
    FAILED = "failed"
    ABSENT = "absent"


_ANSWERS = {
    "lifespan.startup.complete": (Phase.STARTING, Phase.UP),
    "lifespan.startup.failed": (Phase.STARTING, Phase.FAILED),
    "lifespan.shutdown.complete": (Phase.ENDING, Phase.OVER),
    "lifespan.shutdown.failed": (Phase.ENDING, Phase.OVER),
}
_WHERE_IT_ENDS = {Phase.STARTING: Phase.ABSENT}  # by itself; elsewhere it is over


class Lifespan:
    """Of one application in one worker.

    `mode` is the setting ``lifespan``; `state` is what the application shares with its
    requests, as ``scope["state"]``; `at` is where it is mounted, if it is.
    """

    def __init__(
        self, app: Application, mode: str, state: dict[str, Any], at: str = ""
    ) -> None:
        self._name = f"the application at {at}" if at else "the application"
        self._where = f"{at}: " if at else ""
        self._app = app
        self._mode = mode
        self._state = state
        self._events: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._message = ""  # of what has failed
        self._error: BaseException | None = None  # that it has ended with
        self._answered = green.Event()
        self._task: asyncio.Task[None] | None = None
        self._ended = green.Event()  # that task
        self.phase = Phase.NEW

    def start(self) -> None:
        """Returns once the application has started, or is known to have no lifespan.

        Suspends the greenlet. Raises `AppFailed` where it says that it has failed, and
        `AppError` where it has none and `mode` is ``on``.
        """
        if self._mode == "off":
            return
        self._start()
        error, self._error = self._error, None
        if self.phase is Phase.FAILED:
            raise _failure(f"{self._where}lifespan.startup failed", self._message)
        if self.phase is Phase.ABSENT:
            self._judge_absence(error)

    def hurry(self, seconds: float) -> None:
        """A start that takes longer from now on is given up: its task is cancelled, and
        `start` raises. For handlers of signals; without effect on one that is over."""
        loop = asgi_loop.worker_loop()
        loop.call_soon_threadsafe(loop.call_later, seconds, self._give_up)

    def end(self, seconds: float | None) -> None:
        """Tells the application that its worker ends, and waits for it, for so long.

        Suspends the greenlet. What goes wrong is logged. None: as long as it takes.
        """
        if self.phase is Phase.UP:
            self._end(seconds)

    def _judge_absence(self, error: BaseException | None) -> None:
        """It said nothing of its start."""
        if isinstance(error, KeyboardInterrupt):
            raise error
        was_asked, is_on = self._events.empty(), self._mode == "on"
        if isinstance(error, SystemExit) or (error is not None and was_asked and is_on):
            what = f"{self._where}lifespan.startup failed"
            raise own_failure(what, error) from None
        if is_on:
            what = f"{self._name} has no lifespan, and lifespan = on"
            if error is None:
                raise AppError(f"{what}: it returned before lifespan.startup.complete")
            raise own_failure(what, error) from None
        if error is not None and was_asked:
            logger.warning(
                "lifespan.startup failed; %s is served without lifespan, "
                "and with lifespan = on it would not start",
                self._name,
                exc_info=error,
            )

    def _give_up(self) -> None:
        if self.phase not in (Phase.NEW, Phase.STARTING):
            return
        self._message = "it was told to end before it had started"
        self._settle(Phase.FAILED)
        if self._task is not None:
            end(self._task)

    def _start(self) -> None:
        loop = asgi_loop.worker_loop()  # which requests run on
        while not loop.is_running():
            green.sleep(0)
        if self.phase is Phase.FAILED:
            return
        self.phase = Phase.STARTING
        self._task = loop.create_task(self._run(), name="lifespan")
        self._task.add_done_callback(lambda _: self._ended.set())
        self._ask("lifespan.startup", None)
        if self.phase is Phase.FAILED:
            self._unwind()

    def _end(self, seconds: float | None) -> None:
        self.phase = Phase.ENDING
        self._ask("lifespan.shutdown", seconds)
        if self.phase is Phase.ENDING:
            logger.error(
                "%s did not answer lifespan.shutdown within %g s", self._name, seconds
            )
            self._cancel()
            return
        if self._message:
            logger.error("%slifespan.shutdown failed: %s", self._where, self._message)
        self._unwind()

    def _ask(self, event: str, seconds: float | None) -> None:
        """Waits for the answer, or the end of who is asked."""
        self._answered.clear()
        self._events.put_nowait({"type": event})
        try:
            self._answered.wait(seconds)
        except BaseException:  # of whoever ends this greenlet
            self._cancel()
            raise

    def _unwind(self) -> None:
        """It has said all that it has to say."""
        if not self._ended.wait(_UNWIND):
            self._cancel()

    def _cancel(self) -> None:
        assert self._task is not None
        end(self._task)
        self._ended.wait(_UNWIND)

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self._state,
        }
        error: BaseException | None = None
        process = os.getpid()
        try:
            await self._app(scope, self._events.get, self._send)
        except BaseException as raised:  # also what would end the loop
            if os.getpid() != process:
                raise  # a child that the application has forked ends with it
            error = raised
        self._note_end(error)

    def _note_end(self, error: BaseException | None) -> None:
        """It returned, or raised."""
        before = self.phase
        self._settle(_WHERE_IT_ENDS.get(before, Phase.OVER))
        if before in (Phase.STARTING, Phase.FAILED):
            self._error = error
        elif error is not None and not isinstance(error, asyncio.CancelledError):
            when = "while it was up" if before is Phase.UP else "at lifespan.shutdown"
            logger.error(
                "the lifespan of %s failed %s", self._name, when, exc_info=error
            )

    async def _send(self, message: Mapping[str, Any]) -> None:
        """Raises `RuntimeError` for what is not to be said now, `TypeError` for what is no
        message."""
        if not isinstance(message, Mapping) or not isinstance(message.get("type"), str):
            raise TypeError(f"a message is a dict with a 'type', not {message!r}")
        expected, then = _ANSWERS.get(message["type"], (None, self.phase))
        if expected is not self.phase:
            raise RuntimeError(
                f"{message['type']!r} is not expected now: the lifespan is "
                f"{self.phase.value}"
            )
        self._message = str(message.get("message", ""))
        if message["type"].endswith(".failed"):
            self._message = self._message or "no message"
        self._settle(then)

    def _settle(self, phase: Phase) -> None:
        if self.phase is not Phase.FAILED:
            self.phase = phase
        self._answered.set()


def _failure(what: str, message: str) -> AppFailed:
    """`message` may be a traceback, as Starlette's is, whose last line says it all."""
    lines = [line for line in printable(message).splitlines() if line.strip()]
    brief = f"{what}: {lines[-1].strip() if lines else ''}"
    shown = "\n".join(lines[:-1])
    return AppFailed(f"{shown}\n{brief}" if shown else brief, brief)
