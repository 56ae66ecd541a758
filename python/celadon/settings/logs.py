"""Settings of the logs."""

from __future__ import annotations

from collections.abc import Iterable

from celadon.settings.row import Setting
from celadon.values import (
    parse_bool,
    parse_log_level,
    parse_table,
    parse_text,
)

DEFAULT_ACCESS_FORMAT = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'


def rows() -> Iterable[Setting]:
    s = Setting
    t = "logging"
    yield s(
        "accesslog",
        parse_text,
        "",
        "file, or - for standard output",
        ("--access-logfile",),
        metavar="FILE",
        section=t,
    )
    yield s(
        "access_log_format",
        parse_text,
        DEFAULT_ACCESS_FORMAT,
        "gunicorn's atoms",
        ("--access-logformat",),
        metavar="FORMAT",
        section=t,
    )
    yield s(
        "errorlog",
        parse_text,
        "-",
        "file, or - for standard error",
        ("--error-logfile", "--log-file"),
        metavar="FILE",
        section=t,
    )
    yield s(
        "loglevel",
        parse_log_level,
        "info",
        "debug, info, warning, error or critical",
        ("--log-level",),
        section=t,
    )
    yield s(
        "logconfig",
        parse_text,
        "",
        "file for logging.config.fileConfig",
        ("--log-config",),
        metavar="FILE",
        section=t,
    )
    yield s(
        "logconfig_json",
        parse_text,
        "",
        "file with JSON for logging.config.dictConfig; comes before logconfig",
        ("--log-config-json",),
        metavar="FILE",
        section=t,
    )
    yield s(
        "logconfig_dict",
        parse_table,
        {},
        "what logging.config.dictConfig takes; comes before both",
        section=t,
        file_only=True,
    )
    yield s(
        "capture_output",
        parse_bool,
        False,
        "what the application prints goes to the error log's file",
        section=t,
    )
