"""Settings of time and size."""

from __future__ import annotations

from collections.abc import Iterable

from celadon.config.settings.row import Setting
from celadon.config.values.addresses import parse_paths
from celadon.config.values.names import parse_header_name
from celadon.config.values.plain import (
    parse_auto_duration,
    parse_bool,
    parse_count,
    parse_duration,
    parse_room,
    parse_size,
)


def rows() -> Iterable[Setting]:
    s = Setting
    d = parse_duration
    t = "timeouts"
    yield s(
        "timeout",
        d,
        30.0,
        "how long the loop may be held: at half of it all stacks are logged, then the "
        "worker is aborted; no limit of a request; 0: for ever",
        ("--timeout", "-t"),
        section=t,
        for_server=True,
        for_master=True,
        for_admin=True,
        under_gunicorn=True,
    )
    yield s(
        "watchdog",
        parse_bool,
        True,
        "look at what holds the loop; off: as watchdog_threshold = 0",
        section=t,
    )
    yield s(
        "watchdog_threshold",
        d,
        0.1,
        "how long the loop may be held before the stack that holds it is logged, where "
        "that is new or much longer than before; the rest is counted; 0: off",
        section=t,
        for_server=True,
    )
    yield s(
        "watchdog_raise",
        parse_bool,
        False,
        "raise celadon.LoopBlocked in Python code that has held the loop for half of "
        "timeout, so that its request fails and not the worker with all of its requests",
        section=t,
        for_server=True,
    )
    yield s(
        "hand_over_after",
        parse_auto_duration,
        "auto",
        "how long the loop may be held before connections that wait there for their next "
        "request go to other workers; auto: five times watchdog_threshold; 0: never",
        section=t,
        for_server=True,
    )
    yield s(
        "graceful_timeout",
        d,
        30.0,
        "longest drain after SIGTERM; 0: as long as it takes; SIGINT and SIGQUIT wait for no "
        "request",
        section=t,
        for_server=True,
        for_master=True,
        under_gunicorn=True,
    )
    yield s(
        "keepalive",
        d,
        75.0,
        "idle time between requests; 0: a connection ends with its answer",
        ("--keep-alive", "--keepalive"),
        section=t,
        for_server=True,
        under_gunicorn=True,
    )
    yield s(
        "header_timeout",
        d,
        10.0,
        "first byte of a request to the end of its head",
        section=t,
        for_server=True,
    )
    yield s(
        "body_timeout",
        d,
        10.0,
        "period over which body_min_rate must hold",
        section=t,
        for_server=True,
    )
    yield s(
        "body_min_rate",
        parse_count,
        500,
        "bytes a second; 0: off",
        section=t,
        for_server=True,
    )
    yield s(
        "body_total_timeout",
        d,
        0.0,
        "for a whole body; 0: off",
        section=t,
        for_server=True,
    )
    yield s(
        "write_timeout",
        d,
        30.0,
        "period over which write_min_rate must hold",
        section=t,
        for_server=True,
    )
    yield s(
        "write_min_rate",
        parse_count,
        500,
        "bytes a second; 0: off",
        section=t,
        for_server=True,
    )
    yield s(
        "linger_timeout",
        d,
        2.0,
        "reading on behind the last answer, without a byte",
        section=t,
        for_server=True,
    )
    yield s(
        "linger_total_timeout",
        d,
        30.0,
        "likewise, in all",
        section=t,
        for_server=True,
    )
    yield s(
        "linger_bytes",
        parse_size,
        64 << 20,
        "likewise, in bytes",
        section=t,
        for_server=True,
    )
    yield s(
        "request_timeout",
        d,
        120.0,
        "dispatch to the head of the answer; 0: off; where it is not set, timeout if that is "
        "set and longer",
        section=t,
        for_server=True,
    )
    yield s(
        "request_deadline_header",
        parse_header_name,
        "",
        "header by which a trusted peer says for how many seconds it waits (or "
        "milliseconds, where its name ends in -ms), for less than request_timeout",
        section=t,
        for_server=True,
    )

    t = "limits"
    yield s(
        "limit_request_line",
        parse_count,
        8190,
        "bytes; longer gets 414",
        section=t,
        for_server=True,
        ceiling=64 << 10,
        under_gunicorn=True,
    )
    yield s(
        "limit_request_fields",
        parse_count,
        100,
        "header fields; more gets 431",
        section=t,
        for_server=True,
        ceiling=1000,
        under_gunicorn=True,
    )
    yield s(
        "limit_request_field_size",
        parse_count,
        8190,
        "bytes of one; longer gets 431",
        ("--limit-request-field-size", "--limit-request-field_size"),
        section=t,
        for_server=True,
        ceiling=64 << 10,
        under_gunicorn=True,
    )
    yield s(
        "limit_request_head",
        parse_size,
        64 << 10,
        "names, values and 4 bytes each",
        section=t,
        for_server=True,
    )
    yield s(
        "limit_request_body",
        parse_size,
        1 << 30,
        "larger gets 413; 0: none",
        section=t,
        for_server=True,
    )
    yield s(
        "chunk_extension_limit",
        parse_size,
        256,
        "bytes of a chunk extension",
        section=t,
        for_server=True,
    )
    yield s(
        "body_buffer",
        parse_room,
        64 << 10,
        "bytes of a body held unread",
        section=t,
        for_server=True,
    )
    yield s(
        "response_buffer",
        parse_size,
        256 << 10,
        "bytes queued before a writer waits",
        section=t,
        for_server=True,
    )
    yield s(
        "request_buffering",
        parse_bool,
        False,
        "take the whole body before the application starts",
        section=t,
        for_server=True,
    )
    yield s(
        "max_concurrent_requests",
        parse_count,
        0,
        "requests in the application; 0: as many as connections",
        section=t,
        for_server=True,
    )
    yield s(
        "queue_depth",
        parse_count,
        1000,
        "requests that wait behind them",
        section=t,
        for_server=True,
        for_master=True,
        for_admin=True,
    )
    yield s(
        "queue_timeout",
        d,
        0.0,
        "longest wait there, then 503; 0: off",
        section=t,
        for_server=True,
    )
    yield s(
        "priority_paths",
        parse_paths,
        [],
        "paths that pass those that wait and may use a reserve of a tenth more places; "
        "* at the end: all that begin so",
        section=t,
        for_server=True,
    )
    yield s(
        "retry_after",
        parse_count,
        1,
        "seconds, in a 503",
        section=t,
        for_server=True,
    )
