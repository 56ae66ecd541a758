"""What the core's master asks of the interpreter."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from celadon import _core, config, logging
from celadon.base import process
from celadon.base.version import VERSION
from celadon.config import cfg, showing
from celadon.errors import UsageError
from celadon.master import addresses, certificates, hooks
from celadon.master.logs import give_logs_away, open_logs
from celadon.master.options import options_of
from celadon.master.telling import in_a_line, say_why
from celadon.serving import lifecycle, signals, systemd, tls
from celadon.serving.statsd import Statsd

if TYPE_CHECKING:
    from celadon.development import reload

_NO_WORKER = 3  # the status of a server whose workers do not boot


@dataclass(frozen=True)
class _Before:
    """What a reload that fails goes back to."""

    settings: config.Config
    options: dict[str, Any]
    environ: dict[str, str]
    logs: logging.Before
    told: Statsd | None
    tls: _core.Tls | None


class Supervisor:
    """What the core asks of the interpreter; its methods are called by the core."""

    def __init__(
        self,
        reread: Callable[[], config.Config],
        settings: config.Config,
        told: Statsd | None,
    ) -> None:
        self._reread = reread
        self.told = told
        self._sockets = systemd.take_sockets()
        self.settings = systemd.activated(settings, self._sockets)
        self.arbiter = lifecycle.Arbiter(settings)
        self._notifier = systemd.Notifier()
        self.forked = lifecycle.Worker(0, settings)  # the last one
        if lack := config.lack_of_descriptors(settings):
            raise UsageError(lack)
        self._given = options_of(settings, self._notifier.watchdog_period)
        self._slots = self._given["slots"]  # for life
        self.certificates = certificates.Certificates(settings)
        self.core = _core.Master(self, self._given)
        self._before: _Before | None = None  # a reload that may fail still
        self._addresses = addresses.Addresses(self.core, self._notifier)
        self.watcher: reload.Watcher | None = None
        self._pid = os.getpid()
        self._hooks = hooks.Caller()
        self._has_served = False

    def watch_files(self) -> None:
        """For development: a reload follows when a file changes."""
        from celadon.development import reload

        settings = self.settings
        folders = [os.path.abspath(settings.chdir or "."), *settings.pythonpath]
        self.watcher = reload.Watcher(
            settings.reload_engine, folders, settings.reload_extra_files
        )

    def is_master(self) -> bool:
        """This process, and no worker that it has made."""
        return os.getpid() == self._pid

    def end_watching(self) -> None:
        if self.watcher and self.is_master():
            self.watcher.stop()

    def leave(self) -> None:
        """In a worker: only its master goes back."""
        before, self._before = self._before, None
        if before:
            before.logs.abandon()

    def run(self) -> Any:
        """The exit status of the master, or in a new worker its seat."""
        settings, arbiter = self.settings, self.arbiter
        lifecycle.call(settings, "on_starting", arbiter)
        self._addresses.open(settings, self._sockets.stored)
        self._note_addresses()
        addresses.bind_control(self.core, settings, self._addresses.descriptions)
        process.set_title(settings.proc_name, "master")
        logging.logger.info(
            "celadon %s%s, master %d, workers: %d",
            VERSION,
            settings.mode_of(settings.interface),
            os.getpid(),
            settings.workers,
        )
        self._say_notes()
        self._say_addresses()
        lifecycle.call(settings, "when_ready", arbiter)
        lifecycle.call_logged(
            settings, "nworkers_changed", arbiter, settings.workers, None
        )
        self.certificates.begin(self.core, settings)
        signals.settle()
        outcome = self.core.run()
        if not isinstance(outcome, int):
            return outcome
        signals.over()
        self.certificates.end()
        logging.logger.info("stopped")
        return outcome if self._hooks.status is None else self._hooks.status

    def _note_addresses(self) -> None:
        found = map(cfg.Listener, self._addresses.descriptions)
        self.arbiter.LISTENERS[:] = found

    def _say_addresses(self) -> None:
        for address in self._addresses.descriptions:
            logging.logger.info("listening at %s", tls.told(address, self.settings))
        for address in self._addresses.admin_descriptions:
            logging.logger.info("admin pages at %s", address)

    def _say_notes(self) -> None:
        for note in self.settings.notes:
            logging.logger.info("%s", note)

    # --- for the core ---

    def fork(self) -> int:
        """As `os.fork`; -1 where no process can be made."""
        worker = lifecycle.Worker(self.forked.age + 1, self.settings, self.arbiter)
        self.forked = worker
        self.arbiter.worker_age = worker.age
        if not self._hooks.call(self.settings, "pre_fork", self.arbiter, worker):
            if not self._has_served:
                self._hooks.end("no worker is forked: stopping", _NO_WORKER)
            return -1
        try:
            with warnings.catch_warnings():
                # The threads of the master hold no lock that a fork would need.
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
        except OSError as error:
            logging.logger.error("fork: %s", error)
            return -1
        if pid:
            worker.pid = pid
            self.arbiter.WORKERS[pid] = worker
            self._tell_workers()
        return pid

    def reload(self) -> int | str:
        """How many workers the configuration asks for now; or why it is bad, and all is
        as it was."""
        self._notifier.reloading()
        before = _Before(
            self.settings,
            self._given,
            {**os.environ},
            logging.Before(),
            self.told,
            self.certificates.tls,
        )
        addresses = self._addresses.descriptions
        try:
            self._prepare()
        except (Exception, SystemExit) as error:
            self._go_back(before)
            say_why(error)
            self._notifier.as_before("the reload was refused: the log says why")
            return in_a_line(error)
        if self._before:
            before.logs.forget()  # of a reload that nothing goes back to
        self._before = self._before or before
        if self.settings.preload_app:
            logging.logger.warning(
                "preload_app: the code stays what it was; restart to renew it"
            )
        self._say_notes()
        if self._addresses.descriptions != addresses:
            self._say_addresses()
        return int(self.settings.workers)

    def _prepare(self) -> None:
        settings = systemd.activated(self._reread(), self._sockets)
        settings.keep(self.settings)
        period = self._notifier.watchdog_period
        options = options_of(settings, period, self._slots)
        self._check_room(options["reload_surge"], settings.workers)
        renewed = self.certificates.read(settings)
        self.core.configure(options)
        self._given = options
        self.told = open_logs(settings)
        self._addresses.follow(settings)
        self.certificates.take(renewed)
        self._take(settings)
        lifecycle.call(settings, "on_reload", self.arbiter)

    def _check_room(self, surge: int, workers: int) -> None:
        room = self._slots - surge
        if workers > room:
            raise UsageError(
                f"workers: there is room for {room} until a restart, not for {workers}"
            )

    def _go_back(self, before: _Before) -> None:
        os.environ.clear()
        os.environ.update(before.environ)
        self.core.configure(before.options)
        self._given = before.options
        before.logs.restore()
        self.told = before.told
        self.certificates.take(before.tls)
        self._addresses.follow(before.settings)
        still = [self._before.settings] if self._before else []
        self._addresses.settle(before.settings, *still)
        self._take(before.settings)

    def _take(self, settings: config.Config) -> None:
        self.settings = settings
        self.arbiter.follow(settings)
        self._note_addresses()

    def take_back(self) -> None:
        """The reload was accepted, but a worker of it did not come to serve."""
        before, self._before = self._before, None
        if before:
            self._go_back(before)

    def _settle_reload(self) -> None:
        before, self._before = self._before, None
        if before is None:
            return
        before.logs.forget()
        self._addresses.settle(self.settings)
        if before.settings.told("for_admin") != self.settings.told("for_admin"):
            self.core.renew_admin()

    def reopen_logs(self) -> None:
        logging.reopen()
        give_logs_away(self.settings)  # before workers hear of it

    def set_log_level(self, level: int) -> None:
        logging.set_level(level)

    def log(self, level: int, line: str) -> None:
        logging.log_line(level, line)

    def settled(self) -> None:
        self._has_served = True
        self._settle_reload()
        self._notifier.ready(f"{self.arbiter.num_workers} workers serve")

    def alive(self) -> None:
        self._notifier.alive()

    def stopping(self) -> None:
        signals.over()  # the core hears them until the last worker has gone
        self._notifier.stopping("workers finish their requests")

    def describe_settings(self) -> str:
        return showing.as_json(self.settings)

    def worker_gone(self, pid: int) -> None:
        worker = self.arbiter.WORKERS.pop(pid, None)
        if worker is None:
            return
        worker.alive = False
        self._tell_workers()
        self._hooks.call(self.settings, "child_exit", self.arbiter, worker)

    def _tell_workers(self) -> None:
        if self.told:
            self.told.tell_workers(len(self.arbiter.WORKERS))

    def resized(self, workers: int, before: int) -> None:
        self.arbiter.num_workers = workers
        self._hooks.call(
            self.settings, "nworkers_changed", self.arbiter, workers, before
        )
