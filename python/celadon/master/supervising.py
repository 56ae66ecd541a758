"""The master process: it keeps the listening sockets and the workers.

The core decides who is spawned, retired and killed; here is what needs the interpreter.
The master imports no application, but may run code of the user's (configuration, hooks), for
which the standard library is patched. A worker is a fork of it that starts greenlets,
imports the application, and serves.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

from celadon import config
from celadon.base import output, process
from celadon.master import preload
from celadon.master.logs import open_logs
from celadon.master.supervisor import Supervisor
from celadon.master.telling import log_end_of_start
from celadon.master.worker import Load, begin, load_or_tell, work
from celadon.serving import lifecycle, signals
from celadon.serving.core import raise_descriptor_limit
from celadon.serving.statsd import Statsd


def supervise(
    load: Load,
    reread: Callable[[], config.Config],
    settings: config.Config,
    forked: Callable[[], None] | None = None,
) -> int:
    """Runs workers until a signal ends it; returns the exit status of the process.

    In a worker `forked` is called first, `load` gives the application, and the return
    comes when it has stopped.
    `reread` reads the configuration again for a reload (SIGHUP). Raises `UsageError` for
    a bad address and `OSError` for one that cannot be bound.
    """
    output.relay()
    try:
        return _supervise(load, reread, settings, forked)
    finally:
        output.stop()


def _supervise(
    load: Load,
    reread: Callable[[], config.Config],
    settings: config.Config,
    forked: Callable[[], None] | None,
) -> int:
    signals.begin()
    told = open_logs(settings)
    try:
        return _run(load, reread, settings, forked, told)
    except Exception as error:
        log_end_of_start(error)
        raise


def _run(
    load: Load,
    reread: Callable[[], config.Config],
    settings: config.Config,
    forked: Callable[[], None] | None,
    told: Statsd | None,
) -> int:
    raise_descriptor_limit()
    if settings.preload_app:
        before = os.getcwd()
        app = lifecycle.App()
        app.take(preload.load(lambda: load(settings), settings.gc_freeze))
        load = functools.partial(begin, app, os.getcwd())
        os.chdir(before)  # from where relative paths of a reload are meant
    supervisor = Supervisor(reread, settings, told)
    if settings.preload_app:
        supervisor.arbiter.app = app
    if settings.reload:
        supervisor.watch_files()
        load = functools.partial(load_or_tell, supervisor, load)
    pidfile = process.PidFile(settings.pidfile) if settings.pidfile else None
    if pidfile:
        pidfile.write()
    try:
        outcome = supervisor.run()
    finally:
        if pidfile:
            pidfile.remove()  # a worker leaves it alone
        supervisor.end_watching()
        if supervisor.is_master():
            supervisor.core.close()
    if isinstance(outcome, int):
        lifecycle.call_logged(supervisor.settings, "on_exit", supervisor.arbiter)
        return outcome
    if forked:
        forked()
    return work(load, supervisor, outcome)
