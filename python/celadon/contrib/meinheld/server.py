"""meinheld.server: a server in this process, and what greenlets need.

Names, arguments and defaults are meinheld's; times are in seconds and may be fractions.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any

from celadon import _core, config, logging
from celadon.base import output
from celadon.contrib.meinheld.greenlets import (
    get_ident,
    schedule_call,
    sleep,
    spawn,
    timeout,
    trampoline,
)
from celadon.contrib.meinheld.state import DEFAULT, state
from celadon.contrib.meinheld.wrapping import dressed
from celadon.green import sleep as _sleep
from celadon.green import spawn as _spawn
from celadon.serving import core as _serving
from celadon.serving import watchdog
from celadon.serving.hosting import Hosted
from celadon.serving.interface import Served

_BEAT = 1.0  # seconds between two calls of a watchdog


def listen(address: Any = None, socket_fd: Any = None) -> None:
    """Listens at ``(host, port)``, at the path of a unix socket, or at descriptors.

    Raises `OSError` where the address is taken, and `TypeError` for anything else.
    """
    if address is None and socket_fd is not None:
        set_listen_socket(socket_fd)
    elif isinstance(address, tuple):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        sock = socket.create_server(
            address, family=family, backlog=state.backlog, reuse_port=False
        )
        state.sockets.append(sock)
    elif isinstance(address, str | bytes):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(address)
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(address)
        sock.listen(state.backlog)
        state.sockets.append(sock)
    else:
        raise TypeError("args tuple or string(path)")


def set_listen_socket(descriptors: int | Sequence[int]) -> None:
    """Listens at sockets that are open already."""
    numbers = [descriptors] if isinstance(descriptors, int) else descriptors
    state.sockets += [socket.socket(fileno=os.dup(number)) for number in numbers]


def run(app: Any, silent: int = 0) -> None:
    """Serves `app` until `shutdown`, SIGTERM or SIGINT.

    After SIGINT it raises `KeyboardInterrupt`, unless `silent`. Raises `TypeError`
    without a socket to listen at.
    """
    if not state.sockets:
        raise TypeError("not found listen socket")
    settings = config.load(state.settings)
    if state.access is DEFAULT:
        settings.values["accesslog"] = "-"
    output.relay()
    try:
        _serve(app, settings)
    finally:
        output.stop()
    if state.interrupted and not silent:
        raise KeyboardInterrupt


def _serve(app: Any, settings: config.Config) -> None:
    logging.setup(settings)
    _serving.raise_descriptor_limit()
    _serving.settle(settings.gc_freeze)
    _core.green.set_base_context()
    state.interrupted = False
    core = _serving.make_core(
        Hosted(Served(dressed(app, settings))),
        settings,
        watchdog.prepare(),
        notify=_hear,
    )
    for sock in state.sockets:
        core.bind(f"fd://{os.dup(sock.fileno())}")
        sock.close()
    state.sockets.clear()
    if state.beat is not None:
        _spawn(_call_beat, state.beat)
    state.core = core
    try:
        core.run(True)
    finally:
        state.core = None


def _hear(what: str, value: int, _more: int) -> None:
    if what == "signal" and value == signal.SIGINT:
        state.interrupted = True


def shutdown(timeout: int = 0) -> None:
    """Stops accepting, and `run` returns when requests are answered.

    With `timeout` those that are not answered in so many seconds are cancelled.
    """
    core = state.core
    if core is None:
        return
    core.stop(False)
    if timeout > 0:
        schedule_call(timeout, _stop_at_once, core)


stop = shutdown


def _stop_at_once(core: _core.Server) -> None:
    if state.core is core:
        core.stop(True)


# --- settings ---


def set_keepalive(seconds: int) -> None:
    """How long an idle connection stays; 0, the default, closes it after its answer."""
    if seconds < 0:
        raise ValueError("keep alive value out of range")
    state.keepalive = seconds
    if seconds:
        state.settings["keepalive"] = seconds


def get_keepalive() -> int:
    return state.keepalive


def set_backlog(connections: int) -> None:
    """The kernel's queue, for sockets that are opened after this."""
    state.backlog = connections


def get_backlog() -> int:
    return state.backlog


def set_max_content_length(size: int) -> None:
    """Bytes of a request's body; a longer one is answered 413."""
    state.settings["limit_request_body"] = size


def get_max_content_length() -> int:
    return int(state.settings.get("limit_request_body", 1 << 30))


def set_client_body_buffer_size(size: int) -> None:
    """Bytes of a request's body that wait unread."""
    state.settings["body_buffer"] = size


def get_client_body_buffer_size() -> int:
    return int(state.settings.get("body_buffer", 64 << 10))


def set_picoev_max_fd(connections: int) -> None:
    """Connections at once."""
    state.settings["worker_connections"] = connections


def get_picoev_max_fd() -> int:
    return int(state.settings.get("worker_connections", 1000))


def set_access_logger(logger: Any) -> None:
    """An object whose ``access(environ)`` is called after each answer; None: no log.

    The environ then has ``STATUS_CODE``, ``SEND_BYTES``, ``REQUEST_TIME`` (ms) and
    ``LOCAL_TIME``. Without this call lines are written natively to standard output.
    """
    state.access = logger


def set_error_logger(logger: Any) -> None:
    """An object whose ``error(type, value, traceback)`` hears of exceptions, too."""
    state.error = logger


def set_watchdog(beat: Callable[[], Any]) -> None:
    """Called each second, while the loop turns."""
    state.beat = beat


def set_fastwatchdog(descriptor: int, parent: int, seconds: int) -> None:
    """Touches a file each second, and stops where the parent is another one."""

    def beat() -> None:
        os.utime(descriptor)
        if os.getppid() != parent:
            shutdown(seconds)

    state.beat = beat


def _call_beat(beat: Callable[[], Any]) -> None:
    while True:
        try:
            beat()
        except Exception:
            logging.logger.exception("the watchdog failed")
        _sleep(_BEAT)


__all__ = [
    "get_backlog",
    "get_client_body_buffer_size",
    "get_ident",
    "get_keepalive",
    "get_max_content_length",
    "get_picoev_max_fd",
    "listen",
    "run",
    "schedule_call",
    "set_access_logger",
    "set_backlog",
    "set_client_body_buffer_size",
    "set_error_logger",
    "set_fastwatchdog",
    "set_keepalive",
    "set_listen_socket",
    "set_max_content_length",
    "set_picoev_max_fd",
    "set_watchdog",
    "shutdown",
    "sleep",
    "spawn",
    "stop",
    "timeout",
    "trampoline",
]
