"""A server in this process, without a master."""

from __future__ import annotations

import os
import signal

from celadon import _core, config, health, logging
from celadon.base import output
from celadon.base.version import VERSION
from celadon.config.values.addresses import is_for_v6_only
from celadon.errors import UsageError
from celadon.serving import resources, signals, watchdog
from celadon.serving.core import make_core, raise_descriptor_limit, settle
from celadon.serving.importer import Application
from celadon.serving.keywords import prepare


def serve(app: Application, settings: config.Config) -> None:
    """Binds, says where, and serves until a signal ends it, in this process alone."""
    output.relay()
    try:
        _serve(app, settings)
    finally:
        output.stop()


def _serve(app: Application, settings: config.Config) -> None:
    prepare(settings)
    resources.require(settings)
    logging.setup(settings)
    raise_descriptor_limit()
    settle(settings.gc_freeze)
    # What the import left in context variables is what each request starts with.
    _core.green.set_base_context()
    try:
        # Nobody would take its place after so many requests.
        settings.values["max_requests"] = 0
        access = logging.access_writer()
        watch, others = watchdog.prepare(), signals.Others()

        def notify(what: str, value: int, _more: int) -> None:
            if what != "signal":
                return
            if value == signal.SIGUSR1:
                logging.reopen()
            others.call(value)

        core = make_core(app, settings, watch, None, notify, access)
        addresses = [
            core.bind(address, is_for_v6_only(address, settings.bind))[0]
            for address in settings.bind
        ]
    except ValueError as error:
        raise UsageError(str(error)) from None
    logging.logger.info("celadon %s on %s, pid %d", VERSION, settings.mode, os.getpid())
    for address in addresses:
        logging.logger.info("listening at %s", address)
    health.start(core)
    core.run(True)
    logging.tell_repeats()
    logging.logger.info("stopped")
