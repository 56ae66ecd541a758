"""A worker, from the fork to its end."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any

from celadon import config, logging
from celadon.base import process
from celadon.development import failure
from celadon.errors import AppError, CeladonError, printable
from celadon.master.supervisor import Supervisor
from celadon.master.telling import in_a_line, log_end
from celadon.serving import ending, hooked, lifecycle, signals, watchdog
from celadon.serving.interface import Served, served
from celadon.serving.mounts import Application
from celadon.serving.statsd import teller_of
from celadon.serving.worker import serve_as_worker

Load = Callable[[config.Config], Application]


def begin(app: lifecycle.App, folder: str, settings: config.Config) -> Application:
    """In a worker whose application the master has imported, which was in `folder` then."""
    os.chdir(folder)
    if settings.green:
        from celadon import patch

        patch.start()
    found: Application = app.whole(app.wsgi())
    return found


def load_or_tell(
    supervisor: Supervisor, load: Load, settings: config.Config
) -> Application:
    """For development: where there is no application, one that says why."""
    from celadon.development import debugger

    debugger.install()
    try:
        return load(settings)
    except CeladonError as error:
        return failed(error)
    finally:
        if supervisor.watcher:
            supervisor.watcher.tell_modules()


def failed(error: CeladonError) -> Application:
    """Says why there is no application, in the log and as one."""
    for line in str(error).splitlines():
        logging.logger.error("%s", line)
    return failure.application(str(error))


def work(load: Load, supervisor: Supervisor, seat: Any) -> int:
    """A worker, from the fork to its end."""
    # Sent to all workers, or to the whole group by a terminal, also while one imports.
    signals.take_free(signals.MASTERS, signals.ignore)
    rotation = signals.Kept(signal.SIGUSR1, logging.reopen)
    settings, arbiter = supervisor.settings, supervisor.arbiter
    worker = supervisor.forked
    worker.pid = os.getpid()
    supervisor.leave()
    _end_on_signals(supervisor, worker)
    supervisor.core.end_with_it(arbiter.pid)
    process.set_title(settings.proc_name, "worker")
    if settings.worker_affinity:
        process.pin(supervisor.core.slot() or 0)
    try:
        lifecycle.call(settings, "post_fork", arbiter, worker)
        if account := process.account_of(settings):
            process.become(account)
            supervisor.core.end_with_it(arbiter.pid)
        watchdog.trace_crashes()
        worker.app.take(load(settings))
        worker.wsgi = worker.app.callable
        lifecycle.call(settings, "post_worker_init", worker)
        worker.booted = True
        is_page = failure.is_one(worker.wsgi)
        whole = worker.app.whole(worker.wsgi)
        found = Served(whole) if is_page else served(whole, settings.interface)
        told = teller_of(supervisor.told)
        found = hooked.with_request_hooks(found, worker, settings, told)
        try:
            serve_as_worker(
                found, settings, worker, seat, rotation, supervisor.certificates.tls
            )
        except AppError as error:
            if not settings.reload:
                raise
            page = Served(failed(error))
            serve_as_worker(
                page, settings, worker, seat, rotation, supervisor.certificates.tls
            )
    except Exception as error:
        log_end(error)
        # Its text may be code of the application's.
        with contextlib.suppress(Exception):
            supervisor.core.last_words(printable(in_a_line(error)))
        return error.status if isinstance(error, CeladonError) else 1
    finally:
        signals.take(signals.ENDS, signal.SIG_IGN)  # it is ending
        worker.when_ended = None
        worker.alive = False
        lifecycle.call_logged(settings, "worker_exit", arbiter, worker)
        ending.bound(settings.graceful_timeout)
    return 0


def _end_on_signals(supervisor: Supervisor, worker: lifecycle.Worker) -> None:
    """Until it serves, a worker that is told to end does so at once, with its hook."""

    def end(_signal: int, _frame: object) -> None:
        if worker.when_ended is not None:
            return  # it has served, and ends as it should
        worker.alive = False
        lifecycle.call_logged(
            supervisor.settings, "worker_exit", supervisor.arbiter, worker
        )
        os._exit(0)

    signals.take(signals.ENDS, end)
