"""An application as the core is given it, and its life beside requests."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from celadon.serving.interface import ASGI, Served

if TYPE_CHECKING:
    from celadon.serving.lifespan import Lifespan

Patience = Callable[[], float | None]


def _for_ever() -> None:
    return None


class Hosted:
    """One application in one thread, where it is served while this is entered.

    Of an ASGI application the thread's event loop runs meanwhile, and its lifespan, from
    `start` on, if the setting `lifespan` says so: it is told of the end on leaving, for
    which it has as many seconds as `patience` says then.
    """

    def __init__(
        self, served: Served, lifespan: str = "off", patience: Patience = _for_ever
    ) -> None:
        self.app, self.interface = served
        self.state: dict[str, Any] = {}  # of the lifespan, for its requests
        self._mode = lifespan
        self._patience = patience
        self._lifespan: Lifespan | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What the core is told of it."""
        return {"interface": self.interface, "asgi_state": self.state}

    def start(self) -> None:
        """Before the first request. Suspends the greenlet. Raises `AppError`."""
        if self._lifespan is not None:
            self._lifespan.start()

    def hurry(self, seconds: float | None) -> None:
        """The process is to end: a start that is under way has so many seconds left, or as
        long as it takes. For handlers of signals."""
        if self._lifespan is not None and seconds is not None:
            self._lifespan.hurry(seconds)

    def __enter__(self) -> Hosted:
        if self.interface == ASGI:
            # Here: who serves WSGI needs no asyncio.
            from celadon.serving import asgi_loop
            from celadon.serving.lifespan import Lifespan

            asgi_loop.start()
            self._lifespan = Lifespan(self.app, self._mode, self.state)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lifespan is None:
            return
        from celadon.serving import asgi_loop

        try:
            self._lifespan.end(self._patience())
        finally:
            asgi_loop.stop()
