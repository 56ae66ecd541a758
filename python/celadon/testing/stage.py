"""What a scenario is given: it puts its greenlets, threads and deliveries on it."""

from __future__ import annotations

import _thread
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from greenlet import GreenletExit

from celadon._core import green as _green
from celadon.green import Greenlet, Timeout
from celadon.testing.turns import Turns

_NEVER = 1e10  # seconds; no timer is armed for so long
Errors = tuple[type[BaseException], ...]


@dataclass
class Actor:
    """One greenlet of the scenario, and what may be sent to it."""

    name: str
    task: Greenlet
    kinds: frozenset[str]
    expected: Errors
    limit: Timeout
    sent: set[str] = field(default_factory=set)

    def may_get(self, kind: str) -> bool:
        if self.sent or kind not in self.kinds or self.task.ready():
            return False
        return kind == "kill" or self.limit._alarm is not None

    def send(self, kind: str) -> None:
        self.sent.add(kind)
        if kind == "kill":
            self.task.kill(block=False)
        else:
            assert self.limit._alarm is not None
            self.limit._alarm._fire()

    def fault(self) -> BaseException | None:
        """The exception by which it ended and should not have.

        Of one that should, no frame is kept alive: it may have what the check looks for.
        """
        error = self.task.exception
        if (fault := self._fault(error)) is None:
            for each in (error, self.task.value):
                if isinstance(each, BaseException):
                    each.__traceback__ = each.__context__ = None
        return fault

    def _fault(self, error: BaseException | None) -> BaseException | None:
        if isinstance(error, Timeout) and error is self.limit and self.sent:
            return None
        if isinstance(error, self.expected):
            return None
        if error is None and isinstance(self.task.value, GreenletExit):
            return None if self.sent else self.task.value
        return error


@dataclass
class Delivery:
    """Something else that may come at any moment, once."""

    name: str
    act: Callable[[], Any]
    done: bool = False

    def happen(self) -> None:
        self.done = True
        self.act()


class Stage:
    """One trial of a scenario. `trial` counts them from 0."""

    def __init__(self, trial: int, kinds: frozenset[str], turns: Turns) -> None:
        self.trial = trial
        self.actors: list[Actor] = []
        self.deliveries: list[Delivery] = []
        self.endings: list[Callable[[], Any]] = []
        self.thread_errors: list[tuple[str, Exception]] = []
        self._starts: list[Callable[[], Any]] = []
        self._kinds = kinds
        self._turns = turns

    def spawn(
        self,
        name: str,
        fn: Callable[..., Any],
        *args: Any,
        expected: Errors = (),
        deliver: tuple[str, ...] | None = None,
    ) -> Greenlet:
        """``fn(*args)`` as a greenlet of that name, which starts when the setup is done.

        It may end by its value, by what was delivered to it, or by one of `expected`; any
        other end is a fault. `deliver` says what may be sent to it, ``"kill"`` and
        ``"timeout"``, where that is not what the exploration has for all.
        """
        limit = Timeout(_NEVER)

        def body() -> Any:
            with limit:
                return fn(*args)

        task = Greenlet(body)
        task.name = name
        self._starts.append(task._start)
        task._waited = True  # its error is looked at, not logged
        kinds = self._kinds if deliver is None else frozenset(deliver)
        self.actors.append(Actor(name, task, kinds, expected, limit))
        return task

    def thread(self, name: str, fn: Callable[..., Any], *args: Any) -> None:
        """``fn(*args)`` on a native thread that takes turns with the greenlets.

        An exception by which it ends is a fault.
        """

        def body() -> None:
            try:
                fn(*args)
            except Exception as error:
                self.thread_errors.append((name, error))

        def start() -> None:
            self._turns.next_name = name
            _thread.start_new_thread(body, ())
            self._turns.all[-1].is_waited_for = True

        self._starts.append(start)

    def deliver(self, name: str, act: Callable[[], Any]) -> None:
        """``act()`` may happen at any step, once: a client that leaves, a close.

        It may not wait.
        """
        self.deliveries.append(Delivery(name, act))

    def point(self) -> None:
        """Others may go on here, as where `preempt` interrupts; no kill is delivered."""
        turn = self._turns.here()
        if turn is None:
            _green.preempt_here()
        else:
            turn.point()

    def lines_of(self, *code: Any) -> None:
        """Native threads hand over at each line of the files of these, too.

        Modules, classes, functions: where the interpreter may interrupt them.
        """
        self._turns.files |= {inspect.getfile(each) for each in code}

    def at_end(self, act: Callable[[], Any]) -> None:
        """``act()`` is called after the check, whatever came: to close what is open."""
        self.endings.append(act)

    def begin(self) -> None:
        """The setup is done."""
        for start in self._starts:
            start()

    def is_over(self) -> bool:
        """Whether all greenlets and threads of the stage have ended."""
        running = any(t.is_waited_for and not t.ended for t in self._turns.all)
        return not running and all(actor.task.ready() for actor in self.actors)

    def fault(self) -> str:
        """How one ended that should not have ended so; empty: none did."""
        for name, error in self.thread_errors:
            return f"{name} ended by {error!r}"
        for actor in self.actors:
            if (fault := actor.fault()) is not None:
                return f"{actor.name} ended by {fault!r}"
        return ""

    def ended_by(self, name: str) -> str:
        """How that greenlet ended: ``"value"``, ``"kill"``, ``"timeout"`` or ``"error"``."""
        actor = next(actor for actor in self.actors if actor.name == name)
        if isinstance(actor.task.value, GreenletExit):
            return "kill"
        if actor.task.exception is None:
            return "value"
        return "timeout" if actor.task.exception is actor.limit else "error"
