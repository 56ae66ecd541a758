"""A server of the core, made of an application and settings."""

from __future__ import annotations

import gc
import resource
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from celadon import _core, config, logging
from celadon.base import output
from celadon.base.version import VERSION
from celadon.green import spawn_later
from celadon.serving.hosting import Hosted, Place
from celadon.serving.interface import ASGI
from celadon.serving.tls import load as load_tls
from celadon.serving.upgraded import UpgradedSocket

if TYPE_CHECKING:
    from celadon.aio import EventLoop

_SWITCH_INTERVAL = 0.0005


def make_core(
    hosted: Hosted,
    settings: config.Config,
    watch: Mapping[str, int] | None = None,
    seat: Any = None,
    notify: Callable[[str, int, int], None] | None = None,
    access: Callable[[int, str], None] | None = None,
    tls: _core.Tls | None = None,
) -> _core.Server:
    """A server of the core, not bound yet.

    `watch` is what the watchdog needs to look at this thread, the main one; without it
    nothing is watched. `seat` is what the master gave this worker. `notify` hears of
    what the core was told, on a greenlet: ``"signal"`` and its number, ``"report"`` and
    a descriptor to write where greenlets are, ``"profile"`` or ``"profile all"``, a
    descriptor and milliseconds. `access` takes lines of the access log instead of its
    file. `tls` is what the settings say of it, where that was read already.
    """
    logging.log_later(spawn_later)
    options = config.core_options(settings, VERSION)
    options.update(_of_place(hosted.root, settings))
    options["mounts"] = [
        {"prefix": each.prefix, "app": each.app, **_of_place(each, settings)}
        for each in hosted.places[1:]
    ]
    options.update(watch or {})
    options["stdout_fd"] = output.original(config.stream_of_access_log(settings))
    options["asgi_loop"] = loop_of(hosted)
    options["tls"] = tls or load_tls(settings)
    return _core.Server(
        hosted.root.app,
        options,
        logging.log_exception,
        logging.log_line,
        access,
        logging.ErrorStream(),
        UpgradedSocket,
        notify,
        seat,
    )


def _of_place(place: Place, settings: config.Config) -> dict[str, Any]:
    shown = config.shows_clients_of_proxies(settings, place.interface == ASGI)
    return {**place.options, "proxy_headers": shown}


def loop_of(hosted: Hosted) -> EventLoop | None:
    """That of this worker, while `hosted` is entered; None: nothing of it is ASGI."""
    if not hosted.has_asgi:
        return None
    from celadon.serving import asgi_loop  # here: who serves WSGI needs no asyncio

    return asgi_loop.worker_loop()


def settle(gc_freeze: bool) -> None:
    """After the application is loaded: what it made stays, the collector skips it."""
    sys.setswitchinterval(_SWITCH_INTERVAL)
    if gc_freeze:
        gc.collect()
        gc.freeze()


def raise_descriptor_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):
        return  # what we have must do
