"""The server's own loggers, which an application cannot silence by accident."""

from __future__ import annotations

import logging
from collections.abc import Callable

from celadon.logging import files
from celadon.logging.known import ACCESS, ERROR, GUNICORN


class ServersLogger(logging.Logger):
    """One that an application does not silence, which means its own: `dictConfig` and
    `fileConfig` disable all loggers that are there, `logging.disable` all there are."""

    def isEnabledFor(self, level: int) -> bool:
        return level >= self.getEffectiveLevel()

    def handle(self, record: logging.LogRecord) -> None:
        if self.filter(record):
            self.callHandlers(record)


class ErrorLogger(ServersLogger):
    """Handlers that somebody adds to gunicorn's have its lines too."""

    def callHandlers(self, record: logging.LogRecord) -> None:
        super().callHandlers(record)
        for handler in theirs.handlers:
            if handler not in self.handlers and record.levelno >= handler.level:
                handler.handle(record)

    # What gunicorn's logger has beside, for hooks.

    @property
    def error_log(self) -> logging.Logger:
        return self

    @property
    def access_log(self) -> logging.Logger:
        return logging.getLogger(ACCESS[1])

    @property
    def loglevel(self) -> int:
        return self.getEffectiveLevel()

    def reopen_files(self) -> None:
        files.reopen()


def servers_logger(name: str, kind: type[ServersLogger]) -> logging.Logger:
    found = logging.getLogger(name)
    found.__class__ = kind  # whoever has asked for it before
    return found


logger = servers_logger(ERROR, ErrorLogger)
theirs = logging.getLogger(GUNICORN)


def set_level(level: int) -> None:
    """The least level that the error log has, until `setup` is called again."""
    for each in (logger, theirs):
        each.setLevel(level)


def log_line(level: int, text: str) -> None:
    """A line of the core."""
    logger.log(level, "%s", text)


def access_writer() -> Callable[[int, str], None] | None:
    """What takes lines of the access log, where a handler is attached to its logger."""
    for name in ACCESS:
        target = servers_logger(name, ServersLogger)
        if target.handlers:
            if not target.level:
                target.setLevel(logging.INFO)
            return lambda level, text: target.log(level, "%s", text)
    return None
