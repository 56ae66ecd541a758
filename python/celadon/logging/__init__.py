"""The error log: Python's `logging`, logger ``celadon.error``."""

from celadon.logging.before import Before
from celadon.logging.exceptions import log_exception, log_later, tell_repeats
from celadon.logging.files import give_away, reopen
from celadon.logging.lines import RequestFilter, escape
from celadon.logging.loggers import access_writer, log_line, logger, set_level
from celadon.logging.outlets import (
    ErrorStream,
    descriptor,
    is_on_standard_error,
    is_plain,
    last_words,
    stream,
)
from celadon.logging.setting import note, setup

__all__ = [
    "Before",
    "ErrorStream",
    "RequestFilter",
    "access_writer",
    "descriptor",
    "escape",
    "give_away",
    "is_on_standard_error",
    "is_plain",
    "last_words",
    "log_exception",
    "log_later",
    "log_line",
    "logger",
    "note",
    "reopen",
    "set_level",
    "setup",
    "stream",
    "tell_repeats",
]
