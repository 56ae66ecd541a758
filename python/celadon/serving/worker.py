"""A server in a worker of a master."""

from __future__ import annotations

import signal
from typing import Any

from celadon import _core, config, health, logging
from celadon.errors import UsageError
from celadon.green import profile, report, spawn_later
from celadon.serving import ending, lifecycle, signals, watchdog
from celadon.serving.core import loop_of, make_core, settle
from celadon.serving.hosting import Hosted
from celadon.serving.interface import Served
from celadon.serving.own_handlers import Others


def serve_as_worker(
    served: Served,
    settings: config.Config,
    worker: lifecycle.Worker,
    seat: Any,
    rotation: signals.Kept,
    tls: _core.Tls | None,
) -> None:
    """Serves at the master's sockets until it says so, or is gone. Raises `AppError`,
    before anything is opened, where an ASGI application does not start."""

    def notify(what: str, value: int, more: int) -> None:
        if what == "report":
            report.write_to(value)
            return
        if what.startswith("profile"):
            profile.write_to(value, more / 1000, what == "profile all")
            return
        if value == signal.SIGUSR1:
            logging.reopen()
            if more:
                logging.set_level(more)
        if value in signals.ENDS:
            ending.told(value != signal.SIGTERM)
        if value in (signal.SIGINT, signal.SIGQUIT):
            lifecycle.call_logged(settings, "worker_int", worker)
        others.call(value)

    def on_abort() -> None:
        lifecycle.call_logged(settings, "worker_abort", worker)

    settle(settings.gc_freeze)
    _core.green.set_base_context()
    grace = settings.graceful_timeout
    hosted = Hosted(
        served, settings.lifespan, lambda: ending.left(grace), settings.asgi_blocking
    )

    def end_early(number: int) -> None:
        ending.told(number != signal.SIGTERM)
        hosted.hurry(ending.left_to_start(grace, number))

    with signals.Postponed() as postponed, hosted:
        postponed.listen(end_early)
        hosted.start()
        others = Others(loop_of(hosted))
        try:
            access = logging.access_writer()
            core = make_core(
                hosted, settings, watchdog.prepare(on_abort), seat, notify, access, tls
            )
        except ValueError as error:
            raise UsageError(str(error)) from None
        try:
            with signals.held_back(signals.ENDS):
                postponed.repeat()
                health.start(core)
                worker.serve_until(core.ask_for_another)
                spawn_later(0, rotation.repeat)
                core.run(True)
        finally:
            signals.take(signals.ENDS, signals.ignore)  # it is ending
    logging.tell_repeats()
