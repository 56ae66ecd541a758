"""The error log: Python's `logging`, logger ``celadon.error``."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from celadon import repeats
from celadon._core import wsgi
from celadon.errors import UsageError

FORMAT = "[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s"
DATE_FORMAT = "%Y-%m-%d %H:%M:%S %z"

# Who takes lines of the access log, if it has a handler.
_ACCESS = ("celadon.access", "gunicorn.access")
# As they are called in configurations that were written for gunicorn.
_GUNICORN = "gunicorn.error"


class _ServersLogger(logging.Logger):
    """One that an application does not silence, which means its own: `dictConfig` and
    `fileConfig` disable all loggers that are there, `logging.disable` all there are."""

    def isEnabledFor(self, level: int) -> bool:
        return level >= self.getEffectiveLevel()

    def handle(self, record: logging.LogRecord) -> None:
        if self.filter(record):
            self.callHandlers(record)


class _ErrorLogger(_ServersLogger):
    """Handlers that somebody adds to gunicorn's have its lines too."""

    def callHandlers(self, record: logging.LogRecord) -> None:
        super().callHandlers(record)
        for handler in _theirs.handlers:
            if handler not in self.handlers and record.levelno >= handler.level:
                handler.handle(record)

    # What gunicorn's logger has beside, for hooks.

    @property
    def error_log(self) -> logging.Logger:
        return self

    @property
    def access_log(self) -> logging.Logger:
        return logging.getLogger(_ACCESS[1])

    @property
    def loglevel(self) -> int:
        return self.getEffectiveLevel()

    def reopen_files(self) -> None:
        reopen()


class _File(logging.FileHandler):
    """Not closed by `dictConfig` either: others write to its descriptor."""

    def close(self) -> None:
        self.flush()


def _servers(name: str, kind: type[_ServersLogger]) -> logging.Logger:
    found = logging.getLogger(name)
    found.__class__ = kind  # whoever has asked for it before
    return found


logger = _servers("celadon.error", _ErrorLogger)
_theirs = logging.getLogger(_GUNICORN)


class RequestFilter(logging.Filter):
    """Adds ``request_id``, ``trace_id`` and ``span_id`` to records, for formats of yours.

    Empty outside of a request. For `logging.config.dictConfig`::

        "filters": {"request": {"()": "celadon.logging.RequestFilter"}}
    """

    def filter(self, record: logging.LogRecord) -> bool:
        request = wsgi.current_request()
        record.request_id = request.id if request else ""
        record.trace_id = request.trace_id if request else ""
        record.span_id = request.span_id if request else ""
        return True


class _Formatter(logging.Formatter):
    """Lines of a request end with its ids."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        request = wsgi.current_request()
        if request is None:
            return line
        names = f"request_id={request.id} trace_id={request.trace_id}"
        return f"{line} [{names.removesuffix(' trace_id=')}]"


class LogSettings(Protocol):
    """The settings that `setup` reads."""

    errorlog: str
    loglevel: str
    logconfig: str
    logconfig_json: str
    logconfig_dict: dict[str, Any]
    capture_output: bool


def setup(settings: LogSettings) -> None:
    """Sends the error log to a file or, for ``-``, to standard error.

    Then applies ``logconfig_dict``, ``logconfig_json`` or ``logconfig``, the first that
    is set. Raises `UsageError` where that is bad or a file cannot be opened; what was
    there before then stays.
    """
    before = Before()
    try:
        _set_up(settings)
    except Exception as error:  # also of classes that a configuration names
        before.restore()
        raise UsageError(f"errorlog or logconfig: {error}") from None
    before.forget()
    while _noted:
        logger.info("%s", _noted.pop(0))


_noted: list[str] = []
_internals: Any = logging  # what a configuration closes stands in names of its own


def note(line: str) -> None:
    """Says it, once there is a log: what runs in a configuration file comes before it."""
    if logger.handlers:
        logger.info("%s", line)
    else:
        _noted.append(line)


class Before:
    """All loggers as they are now, and standard output and error, to go back to.

    A configuration closes all handlers that `logging` has listed. Those of now are not
    among them, until `forget` or `restore` is called.
    """

    def __init__(self) -> None:
        self._loggers = [(each, _State.of(each)) for each in _loggers()]
        self._captured = _captured
        self._standard = [_duplicate(number) for number in (1, 2)]
        self._listed = _internals._handlerList[:]
        self._named = {**_internals._handlers}
        _list_handlers([], {})

    def restore(self) -> None:
        """What came since is closed, and all is as it was."""
        global _captured
        since = _internals._handlerList[:]
        for each in _loggers():
            _State().give(each)
        for each, state in self._loggers:
            state.give(each)
        _list_handlers(self._listed, self._named)
        logging.shutdown(since)
        if _captured is not self._captured:
            _captured = self._captured
            for number, descriptor in enumerate(self._standard, 1):
                if descriptor >= 0:
                    os.dup2(descriptor, number)
        self.abandon()

    def forget(self) -> None:
        """There is no way back: handlers that no logger has any more are closed."""
        used = {handler for each in _loggers() for handler in each.handlers}
        kept: list[Any] = []
        left: list[Any] = []
        for reference in self._listed:
            (kept if reference() in used else left).append(reference)
        named = {name: each for name, each in self._named.items() if each in used}
        _list_handlers(
            [*kept, *_internals._handlerList],
            {**named, **_internals._handlers},
        )
        logging.shutdown(left)
        self.abandon()

    def abandon(self) -> None:
        """There is no way back, and nothing is closed: in a forked child."""
        for descriptor in self._standard:
            if descriptor >= 0:
                os.close(descriptor)
        self._standard = []
        self._loggers, self._listed, self._named = [], [], {}


def _list_handlers(listed: list[Any], named: dict[str, logging.Handler]) -> None:
    _internals._handlerList[:] = listed
    _internals._handlers.clear()
    _internals._handlers.update(named)


def _duplicate(descriptor: int) -> int:
    try:
        return os.dup(descriptor)
    except OSError:
        return -1


def _loggers() -> list[logging.Logger]:
    known = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    return [each for each in known if isinstance(each, logging.Logger)]


@dataclass(frozen=True)
class _State:
    """Of a logger; that of a new one, by default."""

    handlers: Sequence[logging.Handler] = ()
    levels: Sequence[int] = ()
    filters: Sequence[Any] = ()
    level: int = logging.NOTSET
    propagate: bool = True
    disabled: bool = False

    @classmethod
    def of(cls, each: logging.Logger) -> _State:
        return cls(
            each.handlers[:],
            [handler.level for handler in each.handlers],
            each.filters[:],
            each.level,
            each.propagate,
            each.disabled,
        )

    def give(self, each: logging.Logger) -> None:
        each.handlers[:] = self.handlers
        for handler, level in zip(self.handlers, self.levels, strict=True):
            handler.level = level  # of a configuration that is incremental
        each.filters[:] = self.filters
        each.propagate, each.disabled = self.propagate, self.disabled
        each.setLevel(self.level)


def _set_up(settings: LogSettings) -> None:
    handler: logging.Handler
    if settings.errorlog == "-":
        handler = logging.StreamHandler(sys.stderr)
    else:
        handler = _File(settings.errorlog, errors="backslashreplace")
        if settings.capture_output:
            _capture_output(handler)
    handler.setFormatter(_Formatter(FORMAT, DATE_FORMAT))
    logger.handlers[:] = [handler]
    logger.setLevel(settings.loglevel.upper())
    logger.propagate = False
    _configure(settings)


def _configure(settings: LogSettings) -> None:
    """Applies what the user says of all loggers; gunicorn's names are ours as well."""
    _theirs.handlers[:] = []
    kept = logger.handlers[:]
    if settings.logconfig_dict or settings.logconfig_json or settings.logconfig:
        described = _apply_config(settings)
    else:
        _theirs.handlers[:] = kept
        _theirs.setLevel(logger.level)
        _theirs.propagate = False
        return
    if _theirs.handlers:
        logger.handlers[:] = _theirs.handlers
        logger.propagate = _theirs.propagate
        if _theirs.level:
            logger.setLevel(_theirs.level)
    elif _is_of_all(described):
        logger.handlers[:] = []
        logger.propagate = True
        logger.setLevel(settings.loglevel.upper())  # dictConfig takes that of a child
    elif not logger.handlers and not logger.propagate:
        logger.handlers[:] = kept  # nothing was said of us: do not fall silent


def _is_of_all(described: Mapping[str, Any]) -> bool:
    """Whether it says where all lines go, and nothing of the server's own."""
    loggers = described.get("loggers", {})
    above = (described.get("root", {}), loggers.get(logger.name.partition(".")[0], {}))
    is_said = any(each.get("handlers") for each in above)
    return is_said and loggers.keys().isdisjoint((logger.name, _GUNICORN))


def _apply_config(settings: LogSettings) -> Mapping[str, Any]:
    """What `dictConfig` was given; nothing of `fileConfig`, which is of those it names."""
    # Imported only where they are needed: a start must be short.
    import json
    import logging.config

    if settings.logconfig_dict:
        described = _complete(settings.logconfig_dict)
    elif settings.logconfig_json:
        with open(settings.logconfig_json) as file:
            described = _complete(json.load(file))
    else:
        _apply_file(settings.logconfig)
        return {}
    logging.config.dictConfig(described)
    return described


def _apply_file(path: str) -> None:
    import logging.config

    with open(path):  # else a file that is not there lacks a section
        pass
    logging.config.fileConfig(path, disable_existing_loggers=False)


def _complete(described: dict[str, Any]) -> dict[str, Any]:
    """With what a configuration for gunicorn may name without saying what it is."""
    if described.get("incremental"):
        return {"version": 1, **described}
    everybody = (described.get("root", {}), *described.get("loggers", {}).values())
    named = {name for each in everybody for name in each.get("handlers") or ()}
    ours = {name: each for name, each in _GUNICORNS.items() if name in named}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        **described,
        "formatters": {"generic": _GENERIC, **described.get("formatters", {})},
        "handlers": {**ours, **described.get("handlers", {})},
    }


_GENERIC = {
    "format": "%(asctime)s [%(process)d] [%(levelname)s] %(message)s",
    "datefmt": "[%Y-%m-%d %H:%M:%S %z]",
}
_GUNICORNS = {
    name: {
        "class": "logging.StreamHandler",
        "formatter": "generic",
        "stream": f"ext://sys.{stream}",
    }
    for name, stream in (("console", "stdout"), ("error_console", "stderr"))
}


# The handler whose file standard output and error are, if they are one's.
_captured: logging.FileHandler | None = None


def _capture_output(handler: logging.FileHandler) -> None:
    global _captured
    _captured = handler
    assert handler.stream is not None  # it was not opened late
    descriptor = handler.stream.fileno()
    for standard in (sys.stdout, sys.stderr):
        standard.flush()
        os.dup2(descriptor, standard.fileno())


def set_level(level: int) -> None:
    """The least level that the error log has, until `setup` is called again."""
    for each in (logger, _theirs):
        each.setLevel(level)


def reopen() -> None:
    """Opens the files of all handlers of all loggers again, after a rotation (SIGUSR1)."""
    for handler in _file_handlers():
        try:
            _reopen(handler)
        except OSError as error:
            logger.warning("%s is not opened again: %s", handler.baseFilename, error)


def _file_handlers() -> Iterator[logging.FileHandler]:
    """Those that have a file open, each once."""
    handlers = [handler for each in _loggers() for handler in each.handlers]
    for handler in dict.fromkeys(handlers):
        if isinstance(handler, logging.FileHandler) and handler.stream is not None:
            yield handler


def _reopen(handler: logging.FileHandler) -> None:
    # The descriptor stays the same: the core's watchdog writes to it too.
    with handler.lock or contextlib.nullcontext():
        assert handler.stream is not None  # it was asked for
        handler.flush()
        fresh = os.open(
            handler.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666
        )
        os.dup2(fresh, handler.stream.fileno(), inheritable=False)
        os.close(fresh)
    if handler is _captured:
        _capture_output(handler)


def give_away(uid: int, gid: int, access_log: str) -> None:
    """Log files belong to who writes them, and opens them again after a rotation.

    They are made here where they are not there yet, since the folder may be root's.
    """
    paths = [handler.baseFilename for handler in _file_handlers()]
    for path in [*paths, access_log]:
        if path and path != "-":
            with contextlib.suppress(OSError):  # a link, or what takes no opening
                _give_away(path, uid, gid)


def _give_away(path: str, uid: int, gid: int) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    file = os.open(path, flags | os.O_NOCTTY, 0o666)
    try:
        status = os.fstat(file)
        # Another name of it could be that of a file which is none of ours.
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
            os.fchown(file, uid, gid)
    finally:
        os.close(file)


def stream() -> Any:
    """What the error log is written to."""
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is not None:
            return handler.stream
    return sys.stderr


def descriptor() -> int:
    """Likewise as a descriptor, for what must not wait for `logging`."""
    try:
        return int(stream().fileno())
    except (OSError, AttributeError, ValueError):
        return 2


def is_plain() -> bool:
    """Whether a line goes to one place, as we write it: the core may do that itself."""
    outlets = _outlets()
    return len(outlets) == 1 and type(outlets[0].formatter) is _Formatter


def last_words(text: str) -> None:
    """Of a process that ends at once, and waits for no lock of `logging`'s."""
    if is_plain():
        stream().write(text)
        stream().flush()
        return
    record = logger.makeRecord(
        logger.name, logging.CRITICAL, __file__, 0, "%s", (text.rstrip(),), None
    )
    for handler in _outlets():
        if record.levelno < handler.level or not handler.filter(record):
            continue
        if handler.lock is None or handler.lock.acquire(blocking=False):
            handler.emit(record)


def _outlets() -> Sequence[logging.Handler]:
    """Where lines of the error log end."""
    found = [*logger.handlers, *_theirs.handlers]
    each: logging.Logger | None = logger
    while each and each.propagate and (each := each.parent):
        found += each.handlers
    return list(dict.fromkeys(found))


def log_line(level: int, text: str) -> None:
    """A line of the core."""
    logger.log(level, "%s", text)


def access_writer() -> Callable[[int, str], None] | None:
    """What takes lines of the access log, where a handler is attached to its logger."""
    for name in _ACCESS:
        target = _servers(name, _ServersLogger)
        if target.handlers:
            if not target.level:
                target.setLevel(logging.INFO)
            return lambda level, text: target.log(level, "%s", text)
    return None


def escape(text: str) -> str:
    """What a peer sent, safe for one log line."""
    return "".join(
        c if " " <= c <= "~" and c not in '"\\' else f"\\x{ord(c) & 0xFF:02x}"
        for c in text
    )


def log_exception(error: BaseException, environ: dict[str, Any] | None) -> None:
    """An exception that an application let out."""
    what = _request_of(environ)
    if (reason := _by_the_client(error)) is not None:
        logger.info("%s: %s (%s)", what, reason, type(error).__name__)
        return
    what = (
        "error while closing a response"
        if environ is None
        else f"error handling {what}"
    )
    is_written, is_first_that_is_not = _repeats.admit(error)
    if is_written:
        logger.error("%s", what, exc_info=error)
    elif is_first_that_is_not and call_later is not None:
        call_later(repeats.PERIOD, tell_repeats)


def _request_of(environ: dict[str, Any] | None) -> str:
    if environ is None:
        return "a response"
    method = escape(str(environ.get("REQUEST_METHOD", "-")))
    uri = escape(str(environ.get("RAW_URI", "-")))
    return f"request {method} {uri}"


def _by_the_client(error: BaseException) -> BaseException | None:
    """What a client did that an application answered by `error`: nothing in it is wrong."""
    link: BaseException | None = error
    for _ in range(_LINKS):
        if link is None or isinstance(link, wsgi.ClientDisconnected | wsgi.BodyError):
            return link
        link = link.__cause__ or (
            None if link.__suppress_context__ else link.__context__
        )
    return None


_LINKS = 20  # of a chain of causes that are looked at


def tell_repeats() -> None:
    """Logs how many errors were not written since the last time."""
    _repeats.end()


def _tell(place: repeats.Place, count: int) -> None:
    kind, file, line = place
    logger.error("%s at %s:%d: %d more, not written", kind, file, line, count)


_repeats = repeats.Repeats(_tell)
# Calls a function in so many seconds; where requests run on a loop.
call_later: Callable[[float, Callable[[], None]], object] | None = None


class ErrorStream:
    """``wsgi.errors``: text on its way to the error log's destination."""

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"wsgi.errors takes str, not {type(text).__name__}")
        with contextlib.suppress(OSError):  # a full disk costs lines, not requests
            stream().write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            stream().flush()
