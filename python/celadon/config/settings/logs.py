"""Settings of the logs."""

from __future__ import annotations

from collections.abc import Iterable

from celadon.config.settings.row import Setting
from celadon.config.values.addresses import parse_paths
from celadon.config.values.names import parse_header_name, parse_log_level
from celadon.config.values.plain import (
    one_of,
    parse_bool,
    parse_count,
    parse_duration,
    parse_ring,
    parse_share,
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
        in_chdir=True,
        none_if_empty=True,
    )
    yield s(
        "access_log_format",
        parse_text,
        DEFAULT_ACCESS_FORMAT,
        "gunicorn's atoms",
        ("--access-logformat",),
        metavar="FORMAT",
        section=t,
        under_gunicorn=True,
    )
    yield s(
        "access_log_style",
        one_of("apache", "json", "logfmt"),
        "apache",
        "apache: lines by access_log_format; json and logfmt: all that is known, by "
        "the names of the Elastic Common Schema",
        section=t,
    )
    yield s(
        "access_log_sample",
        parse_share,
        1.0,
        "share of requests that get a line; errors always get one",
        section=t,
        for_server=True,
    )
    yield s(
        "access_log_slow",
        parse_duration,
        0.0,
        "only requests that took at least as long, and errors; 0: all",
        section=t,
        for_server=True,
    )
    yield s(
        "access_log_min_status",
        parse_count,
        0,
        "only answers with at least that status; 0: all",
        section=t,
        for_server=True,
    )
    yield s(
        "access_log_skip",
        parse_paths,
        [],
        "paths without a line, unless the answer is an error",
        section=t,
        for_server=True,
    )
    yield s(
        "log_ring",
        parse_ring,
        4 << 20,
        "bytes of access lines that a worker may have waiting to be written",
        section=t,
        for_life=True,
    )
    yield s(
        "log_overflow",
        one_of("drop", "block"),
        "drop",
        "when they are too many: lose lines and count them, or hold the loop",
        section=t,
    )
    yield s(
        "request_id_header",
        parse_header_name,
        "X-Request-ID",
        "header with the id of a request: read from trusted peers, else made, and sent "
        "with the answer; empty: none",
        section=t,
        for_server=True,
    )
    yield s(
        "trace_context",
        parse_bool,
        True,
        "take trace ids from traceparent, or make them, for the logs",
        section=t,
        for_server=True,
    )
    yield s(
        "errorlog",
        parse_text,
        "-",
        "file, or - for standard error",
        ("--error-logfile", "--log-file"),
        metavar="FILE",
        section=t,
        in_chdir=True,
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
        "file for logging.config.fileConfig; one that is called .json, or .yaml where PyYAML "
        "is installed, is for dictConfig",
        ("--log-config",),
        metavar="FILE",
        section=t,
        in_chdir=True,
        none_if_empty=True,
    )
    yield s(
        "logconfig_json",
        parse_text,
        "",
        "file with JSON for logging.config.dictConfig; comes before logconfig",
        ("--log-config-json",),
        metavar="FILE",
        section=t,
        in_chdir=True,
        none_if_empty=True,
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
