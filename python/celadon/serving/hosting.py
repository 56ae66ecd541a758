"""Applications as the core is given them, and their life beside requests."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from celadon.serving.interface import ASGI, Served
from celadon.serving.mounts import Application

if TYPE_CHECKING:
    from celadon.serving.lifespan import Lifespan

Patience = Callable[[], float | None]


def _for_ever() -> None:
    return None


class Place(NamedTuple):
    """One application where it is served: `prefix` is empty for that of the root, `state` is
    that of its lifespan, for its requests. One that is served at several has one of each."""

    prefix: str
    app: Application
    interface: str
    state: dict[str, Any]

    @property
    def options(self) -> dict[str, Any]:
        """What the core is told of it."""
        return {"interface": self.interface, "asgi_state": self.state}


class Hosted:
    """An application, and those that are mounted below it, in one thread, where they are
    served while this is entered.

    Where one of them is ASGI the thread's event loop runs meanwhile. From `start` on so do
    the lifespans of those that are, one after the other, if the setting `lifespan` says
    so. They are told of the end on leaving, the last one first, for which they have as many
    seconds together as `patience` says then. In between `blocking`, the setting
    `asgi_blocking`, holds.
    """

    def __init__(
        self,
        served: Served,
        lifespan: str = "off",
        patience: Patience = _for_ever,
        blocking: str = "park",
    ) -> None:
        every = {"": served, **served.mounted}
        states: dict[int, dict[str, Any]] = {}
        self.places = [
            Place(prefix, each.app, each.interface, states.setdefault(id(each.app), {}))
            for prefix, each in every.items()
        ]
        self._mode = lifespan
        self._patience = patience
        self._blocking = blocking
        self._lifespans: list[Lifespan] = []

    @property
    def root(self) -> Place:
        return self.places[0]

    @property
    def has_asgi(self) -> bool:
        return any(each.interface == ASGI for each in self.places)

    def start(self) -> None:
        """Before the first request. Suspends the greenlet. Raises `AppError`."""
        for each in self._lifespans:
            each.start()
        self._judge(self._blocking)

    def _judge(self, blocking: str) -> None:
        if not self.has_asgi or self._blocking == "park":
            return
        from celadon.aio import blocking as calls
        from celadon.serving import asgi_loop, hooked_asgi

        calls.judge(asgi_loop.worker_loop(), blocking, *hooked_asgi.CALLS_OF_HOOKS)

    def hurry(self, seconds: float | None) -> None:
        """The process is to end: starts that are under way have so many seconds left, or as
        long as they take. For handlers of signals."""
        if seconds is None:
            return
        for each in self._lifespans:
            each.hurry(seconds)

    def __enter__(self) -> Hosted:
        if self.has_asgi:
            # Here: who serves WSGI needs no asyncio.
            from celadon.serving import asgi_loop
            from celadon.serving.lifespan import Lifespan

            asgi_loop.start()
            self._lifespans = [
                Lifespan(each.app, self._mode, each.state, each.prefix)
                for each in self._applications()
                if each.interface == ASGI
            ]
        return self

    def _applications(self) -> Iterable[Place]:
        """Each where it is first."""
        first: dict[int, Place] = {}
        for each in self.places:
            first.setdefault(id(each.app), each)
        return first.values()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.has_asgi:
            return
        from celadon.serving import asgi_loop

        self._judge("park")
        # Nothing is left that could hurry, whatever signal comes meanwhile.
        lifespans, self._lifespans = self._lifespans, []
        with contextlib.ExitStack() as ends:  # the last one first, whatever one raises
            ends.callback(asgi_loop.stop)
            for each in lifespans:
                ends.callback(self._end, each)

    def _end(self, lifespan: Lifespan) -> None:
        lifespan.end(self._patience())
