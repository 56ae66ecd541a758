"""The master process: it keeps the listening sockets and the workers.

The core decides who is spawned, retired and killed; here is what needs the interpreter.
The master imports no application. A worker is a fork of it that patches the standard
library, imports the application, and serves.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from celadon import _core, config, logging
from celadon.errors import CeladonError, UsageError
from celadon.importer import Application
from celadon.server import raise_descriptor_limit, serve_as_worker

# Sent to all workers, or to the whole group by a terminal, also while one still imports.
_MASTERS = ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGTTIN", "SIGTTOU", "SIGWINCH")


def supervise(
    load: Callable[[config.Config], Application],
    reread: Callable[[], config.Config],
    settings: config.Config,
) -> int:
    """Runs workers until a signal ends it; returns the exit status of the process.

    In a worker `load` gives the application, and the return comes when it has stopped.
    `reread` reads the configuration again for a reload (SIGHUP). Raises `UsageError` for
    a bad address and `OSError` for one that cannot be bound.
    """
    from celadon import __version__

    logging.setup(settings.errorlog, settings.loglevel)
    raise_descriptor_limit()
    supervisor = _Supervisor(reread, settings)
    try:
        addresses = [supervisor.core.bind(address)[0] for address in settings.bind]
    except ValueError as error:
        raise UsageError(str(error)) from None
    logging.logger.info(
        "celadon %s on %s, master %d, workers: %d",
        __version__,
        settings.mode,
        os.getpid(),
        settings.workers,
    )
    for address in addresses:
        logging.logger.info("listening at %s", address)
    outcome = supervisor.core.run()
    if isinstance(outcome, int):
        logging.logger.info("stopped")
        return outcome
    for name in _MASTERS:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    settings = supervisor.settings
    serve_as_worker(load(settings), settings, outcome)
    return 0


def _fork() -> int:
    """As `os.fork`; -1 where no process can be made."""
    try:
        return os.fork()
    except OSError as error:
        logging.logger.error("fork: %s", error)
        return -1


class _Supervisor:
    """What the core asks of the interpreter."""

    def __init__(
        self, reread: Callable[[], config.Config], settings: config.Config
    ) -> None:
        self._reread = reread
        self.settings = settings
        self.core = _core.Master(
            _fork,
            self._reload,
            self._reopen_logs,
            logging.log_line,
            config.master_options(settings),
        )

    def _reload(self) -> int:
        """How many workers the configuration asks for now; -1: it is bad."""
        try:
            self.settings = self._reread()
        except CeladonError as error:
            logging.logger.error("%s", error)
            return -1
        logging.setup(self.settings.errorlog, self.settings.loglevel)
        return int(self.settings.workers)

    def _reopen_logs(self) -> None:
        logging.setup(self.settings.errorlog, self.settings.loglevel)
