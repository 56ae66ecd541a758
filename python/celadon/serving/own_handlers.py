"""Handlers that the application has for signals that are the server's while it serves."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from celadon import logging
from celadon.serving import signals

if TYPE_CHECKING:
    from celadon.aio import EventLoop


class Others:
    """Handlers of Python that the application has for what the server takes: of its import,
    or of its start. Those of `loop`, that of the worker, are among them; not so `ours`, of
    who hosts it."""

    def __init__(
        self, loop: EventLoop | None = None, ours: Iterable[signals.Handler] = ()
    ) -> None:
        self._handlers: dict[int, signals.Handler] = {}
        for number in signals.SERVERS:
            own = shown = signals.handler_of(number)
            if own in signals.PYTHONS or any(own == each for each in ours):
                continue
            if _is_loops(own) and (handle := _handle_of(loop, number)) is not None:
                own, shown = _told(loop), handle._callback
            self._handlers[number] = own
            logging.logger.warning(
                "%s is the server's while it serves; the application's handler, "
                "%s, is called beside it",
                signal.Signals(number).name,
                getattr(shown, "__qualname__", repr(shown)),
            )

    def call(self, number: int) -> None:
        """What it raises is logged; to end the process is the server's part."""
        handler = self._handlers.get(number)
        if handler is None:
            return
        try:
            handler(number, None)
        except (SystemExit, KeyboardInterrupt):
            return
        except Exception:
            logging.logger.exception(
                "the application's handler of %s failed", signal.Signals(number).name
            )


# --- those of `loop.add_signal_handler`: asyncio hears of the signal by a descriptor, and
# --- what Python calls does nothing


def _is_loops(handler: Any) -> bool:
    return getattr(handler, "__module__", "") == "asyncio.unix_events"


def _handle_of(loop: Any, number: int) -> Any:
    return loop._signal_handlers.get(number) if loop is not None else None


def _told(loop: Any) -> signals.Handler:
    return lambda number, _frame: loop._handle_signal(number)
