"""Servers from Python: `run` blocks and serves, `Server` is for tests and embedding."""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

from celadon import (
    _core,
    config,
    ending,
    health,
    lifecycle,
    logging,
    output,
    signals,
    surroundings,
    watchdog,
)
from celadon.errors import UsageError
from celadon.green import profile, report, spawn_later
from celadon.importer import Application
from celadon.values import is_for_v6_only

_SWITCH_INTERVAL = 0.0005


def make_core(
    app: Application,
    settings: config.Config,
    watch: Mapping[str, int] | None = None,
    seat: Any = None,
    notify: Callable[[str, int, int], None] | None = None,
    access: Callable[[int, str], None] | None = None,
) -> _core.Server:
    """A server of the core, not bound yet.

    `watch` is what the watchdog needs to look at this thread, the main one; without it
    nothing is watched. `seat` is what the master gave this worker. `notify` hears of
    what the core was told, on a greenlet: ``"signal"`` and its number, ``"report"`` and
    a descriptor to write where greenlets are, ``"profile"`` or ``"profile all"``, a
    descriptor and milliseconds. `access` takes lines of the access log instead of its
    file.
    """
    from celadon import __version__

    logging.call_later = spawn_later
    options = config.core_options(settings, __version__)
    options.update(watch or {})
    options["stdout_fd"] = output.original_stdout()
    return _core.Server(
        app,
        options,
        logging.log_exception,
        logging.log_line,
        access,
        logging.ErrorStream(),
        notify,
        seat,
    )


def settle(gc_freeze: bool) -> None:
    """After the application is loaded: what it made stays, the collector skips it."""
    sys.setswitchinterval(_SWITCH_INTERVAL)
    if gc_freeze:
        gc.collect()
        gc.freeze()


def run(app: Application, **settings: Any) -> None:
    """Serves `app` until SIGTERM or SIGINT; returns when every request is answered.

    With ``workers`` above 1, or a setting that is about workers (``user``, ``pidfile``,
    ``admin_bind``, ``max_requests``, ...), this process is their master; they never return
    from here, and nothing of the program's own end happens in them. Keywords are settings
    (``bind``, ``keepalive``, ...). Call `celadon.patch.all()` before other imports for a
    cooperative standard library. Raises `celadon.errors.UsageError` for a bad setting,
    `OSError` for an address that cannot be bound.
    """
    loaded = _load(settings)
    if loaded.workers == 1 and not any(loaded.chosen("needs_master")):
        serve(app, loaded)
        return
    from celadon import master

    def load(settings: config.Config) -> Application:
        _prepare(settings)
        return app

    pid = os.getpid()
    try:
        status = master.supervise(
            load, lambda: _load(settings), loaded, ending.forget_the_programs
        )
    except BaseException as error:
        if os.getpid() != pid:
            ending.leave_by(error)
        raise
    finally:
        if os.getpid() == pid:  # it may have other things to do
            signals.end()
    if os.getpid() != pid:
        ending.leave(status)
    if status:
        raise SystemExit(status)


def _load(given: Mapping[str, Any]) -> config.Config:
    """Raises `UsageError`, also for what only the command can do."""
    settings = config.load(given)
    _refuse(settings.chosen("needs_command"), "only the command `celadon` does that")
    return settings


def _refuse(names: Iterable[str], reason: str) -> None:
    if problems := [f"{name}: {reason}" for name in names]:
        raise UsageError(*problems)


def _prepare(settings: config.Config) -> None:
    surroundings.prepare(settings)
    surroundings.import_from(*settings.pythonpath)
    if settings.green:
        surroundings.configure(settings)


def serve(app: Application, settings: config.Config) -> None:
    """Binds, says where, and serves until a signal ends it, in this process alone."""
    output.relay()
    try:
        _serve(app, settings)
    finally:
        output.stop()


def _serve(app: Application, settings: config.Config) -> None:
    from celadon import __version__

    _prepare(settings)
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
    logging.logger.info(
        "celadon %s on %s, pid %d", __version__, settings.mode, os.getpid()
    )
    for address in addresses:
        logging.logger.info("listening at %s", address)
    health.start(core)
    core.run(True)
    logging.tell_repeats()
    logging.logger.info("stopped")


def serve_as_worker(
    app: Application,
    settings: config.Config,
    worker: lifecycle.Worker,
    seat: Any,
    rotation: signals.Kept,
) -> None:
    """Serves at the master's sockets until it says so, or is gone."""

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

    others = signals.Others()

    def on_abort() -> None:
        lifecycle.call_logged(settings, "worker_abort", worker)

    settle(settings.gc_freeze)
    _core.green.set_base_context()
    try:
        access = logging.access_writer()
        core = make_core(
            app, settings, watchdog.prepare(on_abort), seat, notify, access
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
    health.start(core)
    worker.serve_until(core.ask_for_another)
    spawn_later(0, rotation.repeat)
    core.run(True)
    logging.tell_repeats()


def raise_descriptor_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):
        return  # what we have must do


class Server:
    """A server in a native thread of its own, for tests and embedding.

    ``with Server(app, bind="127.0.0.1:0") as server: ... server.port``. Waits inside the
    application block that thread natively unless the standard library was patched.
    """

    def __init__(self, app: Application, **settings: Any) -> None:
        settings.setdefault("bind", "127.0.0.1:0")
        self._app = app
        self._config = _load(settings)
        others = {"raw_env", "env_file", "chdir", "pythonpath"}
        _refuse(
            [
                name
                for name in (*self._config.chosen("needs_master"), *sorted(others))
                if name in settings and not self._config.is_default(name)
            ],
            "a server in a thread changes nothing of its process",
        )
        self._core: _core.Server | None = None
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._error: BaseException | None = None
        self.addresses: list[str] = []
        self.port = 0

    def start(self) -> Server:
        """Binds and serves; returns once connections are accepted. Raises `OSError`."""
        self._thread = threading.Thread(target=self._serve, name="celadon-server")
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def stop(self, quick: bool = False) -> None:
        """Stops accepting and finishes requests; `quick` cancels them."""
        if (
            self._core is not None
            and self._thread is not None
            and self._thread.is_alive()
        ):
            self._core.stop(quick)

    def join(self, timeout: float | None = None) -> None:
        """Waits for the end of the server; `timeout` in seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def stats(self) -> dict[str, int]:
        """Counters of the server."""
        return self._core.stats() if self._core is not None else {}

    def _serve(self) -> None:
        try:
            self._config.values["max_requests"] = 0
            core = make_core(self._app, self._config)
            for address in self._config.bind:
                alone = is_for_v6_only(address, self._config.bind)
                described, port = core.bind(address, alone)
                self.addresses.append(described)
                self.port = self.port or port
            self._core = core
        except BaseException as error:
            self._error = error
            return
        finally:
            self._started.set()
        health.start(core)
        core.run(False)

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self.join()
