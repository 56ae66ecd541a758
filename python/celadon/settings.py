"""The settings: one table that feeds flags, environment variables and ``--help``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from celadon.values import (
    one_of,
    parse_bool,
    parse_count,
    parse_duration,
    parse_list,
    parse_log_level,
    parse_mapping,
    parse_memory,
    parse_milliseconds,
    parse_positive,
    parse_proxy_protocol,
    parse_size,
    parse_text,
    parse_umask,
    parse_workers,
)

DEFAULT_ACCESS_FORMAT = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
_LOOPBACK = "127.0.0.1,::1"


@dataclass(frozen=True)
class Setting:
    """One row of the table.

    `flags` are the command-line spellings; empty means ``--name-with-dashes``.
    """

    name: str
    parse: Callable[[Any], Any]
    default: Any
    help: str
    flags: tuple[str, ...] = ()
    repeat: bool = False
    metavar: str | None = None
    section: str = "server"

    @property
    def is_bool(self) -> bool:
        return self.parse is parse_bool

    @property
    def all_flags(self) -> tuple[str, ...]:
        return self.flags or ("--" + self.name.replace("_", "-"),)


def _rows() -> Iterable[Setting]:
    s = Setting
    d = parse_duration
    yield s(
        "bind",
        parse_list,
        ["127.0.0.1:8000"],
        "HOST, HOST:PORT, [V6]:PORT, unix:PATH, unix:@NAME or fd://N; repeatable; "
        "0.0.0.0:$PORT where PORT is set",
        ("--bind", "-b"),
        True,
        "ADDRESS",
    )
    yield s("backlog", parse_count, 2048, "listen queue of the kernel, in connections")
    yield s("reuse_port", parse_bool, False, "set SO_REUSEPORT on TCP listeners")
    yield s("umask", parse_umask, 0, "mode bits taken off a unix socket's file")
    yield s(
        "workers",
        parse_workers,
        1,
        "worker processes; auto: as many as there are CPUs for this process",
        ("--workers", "-w"),
    )
    yield s(
        "startup_timeout",
        d,
        60.0,
        "from the fork of a worker until it serves; after that it is killed",
    )
    yield s(
        "reload_surge",
        parse_positive,
        1,
        "how many workers more than `workers` a reload starts at a time",
    )
    yield s(
        "respawn_backoff",
        d,
        0.5,
        "pause before the next worker where one did not start, doubled each time",
    )
    yield s("respawn_backoff_max", d, 30.0, "the longest such pause")
    yield s(
        "max_requests",
        parse_count,
        0,
        "requests after which another worker takes a worker's place; 0: never",
    )
    yield s(
        "max_requests_jitter",
        parse_count,
        0,
        "so many more at the most, drawn for each worker",
    )
    yield s(
        "worker_max_lifetime",
        d,
        0.0,
        "age at which another worker takes a worker's place; 0: never",
    )
    yield s(
        "worker_max_lifetime_jitter",
        d,
        0.0,
        "so much more at the most, drawn for each worker",
    )
    yield s(
        "worker_max_rss",
        parse_memory,
        0,
        "resident memory above which, at three looks 5 s apart, another worker takes a "
        "worker's place; auto: its share of the cgroup's limit; 0: no matter",
    )
    yield s(
        "worker_kill_rss",
        parse_memory,
        0,
        "likewise, but it ends at once: 5 s for its requests, then it is killed",
    )
    yield s(
        "worker_class",
        one_of("auto", "green", "sync", "gevent", "gevent_pywsgi", "eventlet"),
        "auto",
        "auto and green names run one greenlet per request; sync is --no-green",
        ("--worker-class", "-k"),
    )
    yield s(
        "green",
        parse_bool,
        True,
        "one greenlet per request and a cooperative standard library; off: unpatched, "
        "one request at a time",
    )
    yield s(
        "worker_connections",
        parse_count,
        1000,
        "open connections; when full the oldest idle one goes, then accepting pauses",
    )
    yield s(
        "factory", parse_bool, False, "the target is a function that returns the app"
    )
    yield s("chdir", parse_text, "", "directory to change to before the import")
    yield s("pythonpath", parse_list, [], "directories put first on sys.path", (), True)
    yield s("root_path", parse_text, "", "SCRIPT_NAME of the application")
    yield s(
        "preempt",
        parse_milliseconds,
        0.0,
        "milliseconds after which a request that computes takes its turn with the "
        "others; 0: it runs on; 5 is a good value",
        metavar="MS",
    )
    yield s(
        "offload_threads",
        parse_positive,
        8,
        "native threads for celadon.green.offload and for drivers that block in C",
    )
    yield s(
        "db_connections",
        parse_count,
        32,
        "connections to each database server at the most; who wants one more waits for "
        "30 s and gets an error; 0: without limit",
    )
    yield s(
        "dns_ttl",
        d,
        0.0,
        "seconds for which an address found by name is kept, at most 30; 0: not at all",
    )
    yield s(
        "gc_freeze", parse_bool, True, "keep what the import made out of the collector"
    )
    yield s(
        "tmp_upload_dir",
        parse_text,
        "",
        "where bodies are spooled; the system's temporary directory by default",
    )

    t = "timeouts"
    yield s(
        "timeout",
        d,
        30.0,
        "how long the loop may be held: at half of it all stacks are logged, then the "
        "worker is aborted; no limit of a request; 0: for ever",
        ("--timeout", "-t"),
        section=t,
    )
    yield s(
        "watchdog_threshold",
        d,
        0.1,
        "how long the loop may be held before the stack that holds it is logged, at most "
        "once a second; 0: off",
        section=t,
    )
    yield s(
        "graceful_timeout", d, 30.0, "longest drain after SIGTERM or SIGINT", section=t
    )
    yield s(
        "keepalive",
        d,
        75.0,
        "idle time between requests",
        ("--keep-alive", "--keepalive"),
        section=t,
    )
    yield s(
        "header_timeout",
        d,
        10.0,
        "first byte of a request to the end of its head",
        section=t,
    )
    yield s(
        "body_timeout", d, 10.0, "period over which body_min_rate must hold", section=t
    )
    yield s("body_min_rate", parse_count, 500, "bytes a second; 0: off", section=t)
    yield s("body_total_timeout", d, 0.0, "for a whole body; 0: off", section=t)
    yield s(
        "write_timeout",
        d,
        30.0,
        "period over which write_min_rate must hold",
        section=t,
    )
    yield s("write_min_rate", parse_count, 500, "bytes a second; 0: off", section=t)
    yield s("linger_timeout", d, 2.0, "reading on after an early close", section=t)
    yield s("linger_bytes", parse_size, 256 << 10, "likewise, in bytes", section=t)
    yield s(
        "request_timeout",
        d,
        120.0,
        "dispatch to the head of the answer; 0: off",
        section=t,
    )

    t = "limits"
    yield s(
        "limit_request_line", parse_count, 8190, "bytes; longer gets 414", section=t
    )
    yield s(
        "limit_request_fields",
        parse_count,
        100,
        "header fields; more gets 431",
        section=t,
    )
    yield s(
        "limit_request_field_size",
        parse_count,
        8190,
        "bytes of one; longer gets 431",
        ("--limit-request-field-size", "--limit-request-field_size"),
        section=t,
    )
    yield s(
        "limit_request_head",
        parse_size,
        64 << 10,
        "names, values and 4 bytes each",
        section=t,
    )
    yield s(
        "limit_request_body", parse_size, 1 << 30, "larger gets 413; 0: none", section=t
    )
    yield s(
        "chunk_extension_limit",
        parse_size,
        256,
        "bytes of a chunk extension",
        section=t,
    )
    yield s(
        "body_buffer", parse_size, 64 << 10, "bytes of a body held unread", section=t
    )
    yield s(
        "response_buffer",
        parse_size,
        256 << 10,
        "bytes queued before a writer waits",
        section=t,
    )
    yield s(
        "request_buffering",
        parse_bool,
        False,
        "take the whole body before the application starts",
        section=t,
    )
    yield s(
        "max_concurrent_requests",
        parse_count,
        0,
        "requests in the application; 0: as many as connections",
        section=t,
    )
    yield s(
        "queue_depth", parse_count, 1000, "requests that wait behind them", section=t
    )
    yield s("queue_timeout", d, 0.0, "longest wait there, then 503; 0: off", section=t)
    yield s("retry_after", parse_count, 1, "seconds, in a 503", section=t)

    t = "proxies and policy"
    yield s(
        "forwarded_allow_ips",
        parse_text,
        _LOOPBACK,
        "peers whose forwarded headers count: IPs, networks or *",
        section=t,
    )
    yield s(
        "proxy_headers",
        parse_bool,
        False,
        "client address from X-Forwarded-For or Forwarded of those peers",
        section=t,
    )
    yield s(
        "secure_scheme_headers",
        parse_mapping,
        {
            "X-FORWARDED-PROTOCOL": "ssl",
            "X-FORWARDED-PROTO": "https",
            "X-FORWARDED-SSL": "on",
        },
        "headers of those peers that mean https, as JSON",
        section=t,
    )
    yield s(
        "forwarder_headers",
        parse_list,
        ["SCRIPT_NAME", "PATH_INFO"],
        "names with underscores those peers may send",
        section=t,
    )
    yield s(
        "clear_untrusted_proxy_headers",
        parse_bool,
        False,
        "drop forwarded headers of all others",
        section=t,
    )
    yield s(
        "proxy_protocol", parse_proxy_protocol, "off", "off, v1, v2 or auto", section=t
    )
    yield s(
        "proxy_allow_ips",
        parse_text,
        _LOOPBACK,
        "peers that may use it",
        ("--proxy-allow-from", "--proxy-allow-ips"),
        section=t,
    )
    yield s(
        "header_map",
        one_of("drop", "refuse"),
        "drop",
        "header names with underscores",
        section=t,
    )
    yield s(
        "absolute_form",
        one_of("accept", "reject"),
        "accept",
        "absolute targets",
        section=t,
    )
    yield s(
        "allowed_hosts",
        parse_list,
        [],
        "hosts served; others get 421; .suffix and * are understood",
        section=t,
    )
    yield s(
        "cancel_on_disconnect",
        parse_list,
        [],
        "methods whose request is cancelled when its client leaves",
        section=t,
    )
    yield s("server_header", parse_bool, True, "send a Server header", section=t)
    yield s("date_header", parse_bool, True, "send a Date header", section=t)

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


SETTINGS: dict[str, Setting] = {row.name: row for row in _rows()}
