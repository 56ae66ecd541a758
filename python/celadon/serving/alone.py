"""A server in this process, without a master."""

from __future__ import annotations

import os
import signal
import time

from celadon import _core, config, health, logging
from celadon.base import output
from celadon.base.version import VERSION
from celadon.config.values.addresses import is_for_v6_only
from celadon.errors import UsageError
from celadon.serving import ending, resources, signals, systemd, tls, watchdog
from celadon.serving.core import loop_of, make_core, raise_descriptor_limit, settle
from celadon.serving.hosting import Hosted
from celadon.serving.importer import with_mounts
from celadon.serving.interface import served
from celadon.serving.keywords import prepare
from celadon.serving.mounts import Application
from celadon.serving.own_handlers import Others


def serve(app: Application, settings: config.Config) -> None:
    """Binds, says where, and serves until a signal ends it, in this process alone."""
    with signals.Postponed() as postponed:
        output.relay()
        try:
            _serve(app, settings, postponed)
        finally:
            output.stop()


def _serve(
    app: Application, settings: config.Config, postponed: signals.Postponed
) -> None:
    prepare(settings)
    settings = systemd.activated(settings, systemd.take_sockets())
    manager = systemd.Notifier()
    resources.require(settings)
    logging.setup(settings)
    app = with_mounts(app, settings.mount)
    raise_descriptor_limit()
    settle(settings.gc_freeze)
    # What the import left in context variables is what each request starts with.
    _core.green.set_base_context()
    began_to_end: list[float] = []

    def notify(what: str, value: int, _more: int) -> None:
        if what != "signal":
            return
        if value == signal.SIGUSR1:
            logging.reopen()
        if value in signals.ENDS:
            began_to_end.append(time.monotonic())
            manager.stopping("finishing requests")
        others.call(value)

    def patience() -> float | None:
        return ending.left(settings.graceful_timeout, *began_to_end[:1])

    def end_early(number: int) -> None:
        began_to_end.append(time.monotonic())
        grace = settings.graceful_timeout
        hosted.hurry(ending.left_to_start(grace, number))

    # Nobody would take its place after so many requests.
    settings.values["max_requests"] = 0
    found = served(app, settings.interface)
    hosted = Hosted(found, settings.lifespan, patience, settings.asgi_blocking)
    with hosted:
        postponed.listen(end_early)
        try:
            access, watch = logging.access_writer(), watchdog.prepare()
            core = make_core(hosted, settings, watch, None, notify, access)
            addresses = [
                core.bind(address, is_for_v6_only(address, settings.bind))[0]
                for address in settings.bind
            ]
        except ValueError as error:
            raise UsageError(str(error)) from None
        hosted.start()
        others = Others(loop_of(hosted))
        with signals.held_back(signals.ENDS):
            postponed.repeat()
            logging.logger.info(
                "celadon %s%s, pid %d",
                VERSION,
                settings.mode_of(found.interface),
                os.getpid(),
            )
            for address in addresses:
                logging.logger.info("listening at %s", tls.told(address, settings))
            for note in settings.notes:
                logging.logger.info("%s", note)
            manager.ready("serving")
            manager.keep_alive()
            health.start(core)
            core.run(True)
    logging.tell_repeats()
    logging.logger.info("stopped")
