"""``gunicorn -k celadon.contrib.gunicorn.Worker``: gunicorn's master, celadon's core.

The master, its hooks, signals and logs are gunicorn's. What a worker sees of its
configuration is honoured where it was set; where it was not, celadon's own defaults
hold, ``celadon_*`` in its file, and ``CELADON_*`` in the environment.
"""

from __future__ import annotations

import logging as python_logging
import os
import signal
import sys
import time
from datetime import timedelta
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker as Base

from celadon import _core, config, health, logging, patch
from celadon.config.settings import SETTINGS
from celadon.config.sources.layer import Layer
from celadon.config.sources.python_files import read_own
from celadon.drivers import budget
from celadon.errors import AppError
from celadon.green import report, sleep, spawn
from celadon.patch import before
from celadon.serving import bodies, ending, hooked, routes, tls
from celadon.serving import core as serving
from celadon.serving.exchange import Exchange
from celadon.serving.hosting import Hosted
from celadon.serving.importer import with_mounts
from celadon.serving.interface import served
from celadon.serving.own_handlers import Others

# Those that are refused, or have no effect, for the reasons that `celadon` gives; those of
# ASGI have an effect by another name.
_JUDGED = (
    "asgi_lifespan",
    "asgi_loop",
    "casefold_http_method",
    "http2_cleartext",
    "http_protocols",
    "permit_obsolete_folding",
    "permit_unconventional_http_method",
    "permit_unconventional_http_version",
    "protocol",
    "spew",
    "strip_header_spaces",
)
_HOOKS = ("pre_request", "post_request", "ssl_context")
_BEAT = 1.0  # seconds; the master waits for `timeout` of them


class Worker(Base):
    """A worker of gunicorn's whose requests run on greenlets."""

    alive: bool  # False: it is told to end
    _stopping = False
    _serves = False
    _hosted: Hosted | None = None  # the application, which is told of its end
    _others: Others | None = None  # handlers of its own, once it is served

    @classmethod
    def setup(cls) -> None:
        """In the master, which imports the application where it is preloaded."""
        patch.install()
        routes.install()
        bodies.install()

    def init_process(self) -> None:
        """After the fork; returns when the worker is to end."""
        # Until gunicorn sets its own, those of the master would swallow what comes.
        signal.signal(signal.SIGTERM, self.handle_exit)
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self.handle_quit)
        before.settle()
        patch.start()
        self._settings = _settings_of(self.cfg)
        s = self._settings
        budget.configure(s.db_connections, s.db_connection_wait)
        patch.configure(s.offload_threads, s.dns_ttl, s.dns_threads)
        self._tls = tls.load(s)  # as long as this is who may read keys
        if _has_own_access(self.log):
            s.values["accesslog"] = ""  # that writes the lines
        super().init_process()

    def run(self) -> None:
        """Serves at gunicorn's sockets until a signal, or the master, ends it."""
        _borrow_logger(self.log)
        serving.settle(self._settings.gc_freeze)
        _core.green.set_base_context()
        worker: Any = self
        told = self._tell_access if _has_own_access(self.log) else None
        app = with_mounts(self.wsgi, self._settings.mount)
        found = served(app, self._settings.interface)
        found = hooked.with_request_hooks(found, worker, self._settings, told)
        s = self._settings
        with Hosted(found, s.lifespan, self._patience, s.asgi_blocking) as hosted:
            self._hosted = hosted
            core = self._open(hosted, access=None if told else _access_writer())
            spawn(self._beat, core)
            try:
                hosted.start()
            except AppError as error:
                for line in str(error).splitlines():
                    self.log.error("%s", line)
                # As a worker of uvicorn's: its master does not try for ever.
                sys.exit(Arbiter.WORKER_BOOT_ERROR if self.alive else 0)
            for note in self._settings.notes:
                self.log.info("celadon: %s", note)
            health.start(core)
            if self.alive:
                self._serves = True
                # Those that an import has set stay, as gunicorn's order of things has it.
                ours = (self.handle_exit, self.handle_quit, self.handle_usr1)
                self._others = Others(serving.loop_of(hosted), ours)
                core.run(True)

    def _open(self, hosted: Hosted, access: Any) -> _core.Server:
        from celadon.serving import watchdog

        watch = watchdog.prepare(lambda: self.cfg.worker_abort(self))
        core = serving.make_core(
            hosted,
            self._settings,
            watch,
            notify=self._hear,
            access=access,
            tls=self._tls,
        )
        for sock in self.sockets:
            core.bind(f"fd://{os.dup(sock.fileno())}")
        return core

    def _patience(self) -> float | None:
        return ending.left(self.cfg.graceful_timeout)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Of gunicorn, which exits: not from where an application starts, which is told of
        its end once it has, nor from where it is told so."""
        if self._hosted is None:
            super().handle_quit(sig, frame)
        elif self.alive:
            self.alive = False
            self.cfg.worker_int(self)
            ending.told(quick=True)
            self._hosted.hurry(ending.left_to_start(0, sig))

    def _tell_access(self, exchange: Exchange) -> None:
        _, req, environ, resp = exchange
        if not resp.headers_sent:
            return  # its client has left: there was no answer
        took = timedelta(seconds=time.monotonic() - resp.began)
        try:
            self.log.access(resp, req, environ, took)
        except Exception:
            self.log.exception("the access log failed")

    def _beat(self, core: _core.Server) -> None:
        while True:
            self.notify()
            if self._serves and not self._stopping and self._is_over():
                self._stopping = True
                ending.told(quick=False)
                core.stop(False)
            sleep(_BEAT)

    def _is_over(self) -> bool:
        if self.ppid != os.getppid():
            self.log.info("Parent changed, shutting down: %s", self)
            return True
        return not self.alive  # the reloader says so

    def _hear(self, what: str, value: int, _more: int) -> None:
        if what == "report":
            report.write_to(value)
        elif value == signal.SIGUSR1:
            self.log.reopen_files()
        else:
            ending.told(value != signal.SIGTERM)
            # The core stops by itself; told again it would not wait for requests.
            self._stopping = True
            self.alive = False
            if value in (signal.SIGINT, signal.SIGQUIT):
                self.cfg.worker_int(self)
        if what != "report" and self._others is not None:
            self._others.call(value)


def _settings_of(cfg: Any) -> config.Config:
    """What the user set for gunicorn, as settings of the core. Raises `UsageError`."""
    given: dict[str, Any] = {}
    honoured = [row.name for row in SETTINGS.values() if row.under_gunicorn]
    for name in (*honoured, *_JUDGED):
        setting = cfg.settings.get(name)
        if setting is not None and setting.get() != setting.default:
            given[name] = _plain(setting.get())
    settings = config.load(given, layers=[_own_layer(cfg)], source="gunicorn")
    settings.values["workers"] = cfg.workers
    settings.values["max_requests"] = cfg.max_requests
    settings.values["max_requests_jitter"] = cfg.max_requests_jitter
    settings.values["accesslog"] = _own_access_file(cfg)
    for name in _HOOKS:
        setting = cfg.settings[name]
        if setting.get() is not setting.default:
            settings.hooks[name] = setting.get()
    return settings


def _own_layer(cfg: Any) -> Layer:
    """What its file says of settings that gunicorn does not know."""
    location = str(cfg.config or "")
    is_module = location.startswith("python:")
    name = location.removeprefix("python:") if is_module else "__config__"
    module = sys.modules.get(name)  # gunicorn has imported it, by that name
    return read_own(vars(module) if module else {}, location)


def _has_own_access(log: Any) -> bool:
    """Whether its class does more with a request than gunicorn's, as that of statsd."""
    return getattr(type(log), "access", None) is not Logger.access


def _plain(value: Any) -> Any:
    return ",".join(value) if isinstance(value, list | tuple) else value


def _own_access_file(cfg: Any) -> str:
    """The access log that the core can write itself: one that no handler changes."""
    return cfg.accesslog or "" if _only_gunicorns(_access_handlers()) else ""


def _access_handlers() -> list[python_logging.Handler]:
    return python_logging.getLogger("gunicorn.access").handlers


def _only_gunicorns(handlers: list[python_logging.Handler]) -> bool:
    return all(
        getattr(handler, "_gunicorn", False)
        and isinstance(handler, python_logging.StreamHandler)
        for handler in handlers
    )


def _access_writer() -> Any:
    return None if _only_gunicorns(_access_handlers()) else logging.access_writer()


class _Passed(python_logging.StreamHandler[Any]):
    """Gives lines to a logger of gunicorn's whose class does more with them."""

    def __init__(self, log: Any, stream: Any) -> None:
        super().__init__(stream)
        self._log = log

    def emit(self, record: python_logging.LogRecord) -> None:
        line = record.getMessage()
        if record.exc_info:
            self._log.exception("%s", line, exc_info=record.exc_info)
        elif record.levelno in _METHODS:
            getattr(self._log, _METHODS[record.levelno])("%s", line)
        else:
            self._log.log(record.levelno, "%s", line)


_METHODS = {
    python_logging.WARNING: "warning",
    python_logging.ERROR: "error",
    python_logging.CRITICAL: "critical",
}


def _borrow_logger(log: Any) -> None:
    """Lines of the core go where gunicorn's go."""
    theirs = python_logging.getLogger("gunicorn.error")
    logging.logger.handlers[:] = theirs.handlers
    logging.logger.propagate = theirs.propagate
    logging.logger.setLevel(theirs.level)
    if type(log) is not Logger:
        logging.logger.handlers[:] = [_Passed(log, logging.stream())]
        logging.logger.propagate = False
