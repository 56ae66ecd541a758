"""meinheld.server: a server in this process, and what greenlets need.

Names, arguments and defaults are meinheld's; times are in seconds and may be fractions.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import greenlet

from celadon import _core, config, hooked, lifecycle, logging, output, watchdog
from celadon import server as _server
from celadon._core.green import poll_fd as _poll_fd
from celadon.green import sleep as _sleep
from celadon.green import spawn as _spawn

_READ, _WRITE = 1, 2
_BEAT = 1.0  # seconds between two calls of a watchdog


class timeout(OSError):
    """A wait took longer than it was allowed."""


class _State:
    """What was set before `run`."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        self.settings: dict[str, Any] = {"request_timeout": 0}
        self.backlog = 2048
        self.keepalive = 0
        self.access: Any = _DEFAULT
        self.error: Any = None
        self.beat: Callable[[], Any] | None = None
        self.core: _core.Server | None = None
        self.interrupted = False


_DEFAULT = object()
_state = _State()


def listen(address: Any = None, socket_fd: Any = None) -> None:
    """Listens at ``(host, port)``, at the path of a unix socket, or at descriptors.

    Raises `OSError` where the address is taken, and `TypeError` for anything else.
    """
    if address is None and socket_fd is not None:
        set_listen_socket(socket_fd)
    elif isinstance(address, tuple):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        sock = socket.create_server(
            address, family=family, backlog=_state.backlog, reuse_port=False
        )
        _state.sockets.append(sock)
    elif isinstance(address, str | bytes):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(address)
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(address)
        sock.listen(_state.backlog)
        _state.sockets.append(sock)
    else:
        raise TypeError("args tuple or string(path)")


def set_listen_socket(descriptors: int | Sequence[int]) -> None:
    """Listens at sockets that are open already."""
    numbers = [descriptors] if isinstance(descriptors, int) else descriptors
    _state.sockets += [socket.socket(fileno=os.dup(number)) for number in numbers]


def run(app: Any, silent: int = 0) -> None:
    """Serves `app` until `shutdown`, SIGTERM or SIGINT.

    After SIGINT it raises `KeyboardInterrupt`, unless `silent`. Raises `TypeError`
    without a socket to listen at.
    """
    if not _state.sockets:
        raise TypeError("not found listen socket")
    settings = config.load(_state.settings)
    if _state.access is _DEFAULT:
        settings.values["accesslog"] = "-"
    output.relay()
    try:
        _serve(app, settings)
    finally:
        output.stop()
    if _state.interrupted and not silent:
        raise KeyboardInterrupt


def _serve(app: Any, settings: config.Config) -> None:
    logging.setup(settings)
    _server.raise_descriptor_limit()
    _server.settle(settings.gc_freeze)
    _core.green.set_base_context()
    _state.interrupted = False
    core = _server.make_core(
        _dressed(app, settings), settings, watchdog.prepare(), notify=_hear
    )
    for sock in _state.sockets:
        core.bind(f"fd://{os.dup(sock.fileno())}")
        sock.close()
    _state.sockets.clear()
    if _state.beat is not None:
        _spawn(_call_beat, _state.beat)
    _state.core = core
    try:
        core.run(True)
    finally:
        _state.core = None


def _hear(what: str, value: int, _more: int) -> None:
    if what == "signal" and value == signal.SIGINT:
        _state.interrupted = True


def shutdown(timeout: int = 0) -> None:
    """Stops accepting, and `run` returns when requests are answered.

    With `timeout` those that are not answered in so many seconds are cancelled.
    """
    core = _state.core
    if core is None:
        return
    core.stop(False)
    if timeout > 0:
        schedule_call(timeout, _stop_at_once, core)


stop = shutdown


def _stop_at_once(core: _core.Server) -> None:
    if _state.core is core:
        core.stop(True)


# --- settings ---


def set_keepalive(seconds: int) -> None:
    """How long an idle connection stays; 0, the default, closes it after its answer."""
    if seconds < 0:
        raise ValueError("keep alive value out of range")
    _state.keepalive = seconds
    if seconds:
        _state.settings["keepalive"] = seconds


def get_keepalive() -> int:
    return _state.keepalive


def set_backlog(connections: int) -> None:
    """The kernel's queue, for sockets that are opened after this."""
    _state.backlog = connections


def get_backlog() -> int:
    return _state.backlog


def set_max_content_length(size: int) -> None:
    """Bytes of a request's body; a longer one is answered 413."""
    _state.settings["limit_request_body"] = size


def get_max_content_length() -> int:
    return int(_state.settings.get("limit_request_body", 1 << 30))


def set_client_body_buffer_size(size: int) -> None:
    """Bytes of a request's body that wait unread."""
    _state.settings["body_buffer"] = size


def get_client_body_buffer_size() -> int:
    return int(_state.settings.get("body_buffer", 64 << 10))


def set_picoev_max_fd(connections: int) -> None:
    """Connections at once."""
    _state.settings["worker_connections"] = connections


def get_picoev_max_fd() -> int:
    return int(_state.settings.get("worker_connections", 1000))


def set_access_logger(logger: Any) -> None:
    """An object whose ``access(environ)`` is called after each answer; None: no log.

    The environ then has ``STATUS_CODE``, ``SEND_BYTES``, ``REQUEST_TIME`` (ms) and
    ``LOCAL_TIME``. Without this call lines are written natively to standard output.
    """
    _state.access = logger


def set_error_logger(logger: Any) -> None:
    """An object whose ``error(type, value, traceback)`` hears of exceptions, too."""
    _state.error = logger


def set_watchdog(beat: Callable[[], Any]) -> None:
    """Called each second, while the loop turns."""
    _state.beat = beat


def set_fastwatchdog(descriptor: int, parent: int, seconds: int) -> None:
    """Touches a file each second, and stops where the parent is another one."""

    def beat() -> None:
        os.utime(descriptor)
        if os.getppid() != parent:
            shutdown(seconds)

    _state.beat = beat


def _call_beat(beat: Callable[[], Any]) -> None:
    while True:
        try:
            beat()
        except Exception:
            logging.logger.exception("the watchdog failed")
        _sleep(_BEAT)


# --- greenlets ---


class Timer:
    """A call that is to come."""

    def __init__(self, seconds: float, call: Callable[[], Any]) -> None:
        self.called = False
        self._cancelled = False
        self._call = call
        _core.green.start_hub()
        _spawn(self._run, seconds)

    def cancel(self) -> None:
        """It does not come, unless it has."""
        self._cancelled = True

    def _run(self, seconds: float) -> None:
        _sleep(seconds)
        if not self._cancelled:
            self.called = True
            self._call()


def schedule_call(
    seconds: float, call: Callable[..., Any], *args: Any, **kwargs: Any
) -> Timer:
    """Calls it in a greenlet, after so many seconds."""
    if seconds < 0:
        raise TypeError("seconds value out of range")
    if not callable(call):
        raise TypeError("must be callable")
    return Timer(seconds, lambda: call(*args, **kwargs))


def spawn(
    func: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: dict[str, Any] | None = None,
) -> None:
    """Calls it in a greenlet, soon."""
    _core.green.start_hub()
    _spawn(func, *(args or ()), **(kwargs or {}))


def sleep(seconds: float) -> None:
    """Lets others run."""
    _sleep(seconds)


def trampoline(
    fileno: int, read: Any = None, write: Any = None, timeout: float = 0
) -> None:
    """Waits until a descriptor can be read or written; 0 seconds are for ever.

    Raises `timeout` after so many seconds, `ValueError` for nothing to wait for.
    """
    if fileno < 0 or timeout < 0:
        raise ValueError("fileno or timeout value out of range")
    events = (_READ if read else 0) | (_WRITE if write else 0)
    if events:
        came = _poll_fd(fileno, events, timeout or None)
        if came > 0:
            return
        if came < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    elif timeout:
        _sleep(timeout)
    else:
        raise ValueError("timeout value out of range")
    raise _Timeout("timeout")


_Timeout = timeout


def get_ident() -> Any:
    """The greenlet that runs."""
    return greenlet.getcurrent()


# --- what the application is wrapped in ---


def _dressed(app: Any, settings: config.Config) -> Any:
    worker = lifecycle.Worker(0, settings)
    if _state.access is not None and _state.access is not _DEFAULT:
        settings.hooks["post_request"] = _log_access
        app = _timed(app)
    if _state.error is not None:
        app = _told(app, _state.error)
    app = _answering(app, closes=not _state.keepalive)
    return hooked.with_request_hooks(app, worker, settings)


_BEGAN = "celadon.meinheld.began"


def _timed(app: Any) -> Any:
    def call(environ: dict[str, Any], start_response: Any) -> Any:
        environ[_BEGAN] = time.monotonic()
        return app(environ, start_response)

    return call


def _log_access(worker: Any, req: Any, environ: dict[str, Any], resp: Any) -> None:
    took = time.monotonic() - environ.get(_BEGAN, time.monotonic())
    environ["STATUS_CODE"] = int(resp.status.split()[0]) if resp.status else 500
    environ["SEND_BYTES"] = resp.sent
    environ["REQUEST_TIME"] = int(took * 1000)
    environ["LOCAL_TIME"] = time.strftime("%d/%b/%Y:%H:%M:%S %z")
    _state.access.access(environ)


def _told(app: Any, logger: Any) -> Any:
    def call(environ: dict[str, Any], start_response: Any) -> Any:
        try:
            return app(environ, start_response)
        except Exception:
            logger.error(*sys.exc_info())
            raise

    return call


def _answering(app: Any, closes: bool) -> Any:
    """With bytes where meinheld took them for texts, and a close where it would."""

    def call(environ: dict[str, Any], start_response: Any) -> Any:
        def start(status: Any, headers: Any, *rest: Any) -> Any:
            pairs = [(_text(name), _text(value)) for name, value in headers]
            if closes:
                pairs.append(("Connection", "close"))
            return start_response(_text(status), pairs, *rest)

        return app(environ, start)

    return call


def _text(value: Any) -> Any:
    return value.decode("latin-1") if isinstance(value, bytes) else value


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
