"""A server from Python."""

from __future__ import annotations

import os
from typing import Any

from celadon import config
from celadon.errors import brief
from celadon.master.supervising import supervise
from celadon.serving import ending, signals
from celadon.serving.alone import serve
from celadon.serving.importer import with_mounts
from celadon.serving.interface import refuse_wrong
from celadon.serving.keywords import load, prepare
from celadon.serving.mounts import Application


def run(app: Application, **settings: Any) -> None:
    """Serves `app` until SIGTERM, and returns when every request is answered; or until
    SIGINT or SIGQUIT, which end those in flight.

    With ``workers`` above 1, or a setting that is about workers (``user``, ``pidfile``,
    ``admin_bind``, ``max_requests``, ...), this process is their master; they never return
    from here, and nothing of the program's own end happens in them. Keywords are settings
    (``bind``, ``keepalive``, ...). Call `celadon.patch.all()` before other imports for a
    cooperative standard library. Raises `celadon.errors.UsageError` for a bad setting,
    `celadon.errors.AppError` for what is no application, or does not start, `OSError` for
    an address that cannot be bound.
    """
    loaded = load(settings)
    refuse_wrong(app, brief(app), "give what it returns", loaded.interface)
    if loaded.workers == 1 and not any(loaded.chosen("needs_master")):
        serve(app, loaded)
        return

    def load_app(settings: config.Config) -> Application:
        prepare(settings)
        return with_mounts(app, settings.mount)

    pid = os.getpid()
    try:
        status = supervise(
            load_app, lambda: load(settings), loaded, ending.forget_the_programs
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
