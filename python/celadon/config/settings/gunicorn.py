"""Settings of gunicorn that are no settings here: what becomes of each, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

# Settings that both have. Its root_path is one of its ASGI worker alone.
SHARED = frozenset(
    {
        "access_log_format",
        "accesslog",
        "backlog",
        "bind",
        "ca_certs",
        "capture_output",
        "cert_reqs",
        "certfile",
        "chdir",
        "ciphers",
        "control_socket",
        "control_socket_disable",
        "control_socket_mode",
        "dogstatsd_tags",
        "errorlog",
        "forwarded_allow_ips",
        "forwarder_headers",
        "graceful_timeout",
        "group",
        "header_map",
        "initgroups",
        "keepalive",
        "keyfile",
        "limit_request_field_size",
        "limit_request_fields",
        "limit_request_line",
        "logconfig",
        "logconfig_dict",
        "logconfig_json",
        "loglevel",
        "max_requests",
        "max_requests_jitter",
        "paste",
        "pidfile",
        "preload_app",
        "proc_name",
        "proxy_allow_ips",
        "proxy_protocol",
        "pythonpath",
        "raw_env",
        "raw_paste_global_conf",
        "reload",
        "reload_engine",
        "reload_extra_files",
        "reuse_port",
        "secure_scheme_headers",
        "statsd_host",
        "statsd_prefix",
        "threads",
        "timeout",
        "tmp_upload_dir",
        "umask",
        "user",
        "worker_class",
        "worker_connections",
        "workers",
        "wsgi_app",
        "websocket_max_message_size",
    }
)

_LATER_H2 = "HTTP/2 is not served yet: put a proxy in front"
_NO_ARBITER = "there is no second arbiter: use celadon.green.offload or a task queue"
_LOOSE = "the parser is strict: repair the client, or let a proxy in front do so"


@dataclass(frozen=True)
class Verdict:
    """`refused` at any value but `harmless` ones; else accepted without effect.

    `flags` are gunicorn's spellings where they are not ``--name-with-dashes``. What has
    a `setting` is that one, by another name.
    """

    reason: str
    refused: bool = True
    harmless: tuple[Any, ...] = (None, False, 0, "", "off", "0", "false", "no")
    is_switch: bool = False
    flags: tuple[str, ...] = ()
    setting: str = ""

    def applies(self, value: Any) -> bool:
        """Whether there is anything to say about `value`."""
        if isinstance(value, str):
            value = value.strip().lower()
        return not any(value == each and _alike(value, each) for each in self.harmless)


def _alike(value: Any, other: Any) -> bool:
    return isinstance(value, str) == isinstance(other, str)


def _refused(reason: str, *harmless: Any) -> Verdict:
    return Verdict(reason, True, (*Verdict.harmless, *harmless))


def _no_effect(reason: str) -> Verdict:
    return Verdict(reason, False, ())


_SPELLINGS = {
    "daemon": ("--daemon", "-D"),
    "enable_stdio_inheritance": ("-R", "--enable-stdio-inheritance"),
    "dirty_apps": ("--dirty-app",),
    "sendfile": ("--no-sendfile",),
    "uwsgi_allow_ips": ("--uwsgi-allow-from",),
    "syslog": ("--log-syslog",),
    "syslog_addr": ("--log-syslog-to",),
    "syslog_prefix": ("--log-syslog-prefix",),
    "syslog_facility": ("--log-syslog-facility",),
}
_SWITCHES = {
    "casefold_http_method",
    "daemon",
    "disable_redirect_access_to_syslog",
    "do_handshake_on_connect",
    "enable_backlog_metric",
    "enable_stdio_inheritance",
    "permit_obsolete_folding",
    "permit_unconventional_http_method",
    "permit_unconventional_http_version",
    "sendfile",
    "spew",
    "strip_header_spaces",
    "suppress_ragged_eofs",
    "syslog",
}

_TABLE: Mapping[str, Verdict] = {
    "worker_tmp_dir": _no_effect("heartbeats live in shared memory, not in files"),
    "http_parser": _no_effect("there is one parser, and it is native"),
    "ssl_version": _no_effect("use tls_min_version"),
    "suppress_ragged_eofs": _no_effect("it tunes Python's ssl module"),
    "do_handshake_on_connect": _no_effect("it tunes Python's ssl module"),
    "default_proc_name": _no_effect("use proc_name"),
    "sendfile": _no_effect("file answers always leave by sendfile(2) where they can"),
    "enable_stdio_inheritance": _no_effect("workers always inherit stdio"),
    "spew": _refused("tracing every line stalls every greenlet: use a profiler"),
    "protocol": _refused("HTTP only: proxy over a unix socket instead", "http"),
    "uwsgi_allow_ips": _no_effect("HTTP only"),
    "daemon": _refused("use systemd or a container"),
    "logger_class": _refused(
        "the error log goes through Python's logging: use logconfig_dict",
        "gunicorn.glogging.logger",
    ),
    "syslog": _refused("syslog is not written yet: use logconfig_dict"),
    "syslog_addr": _no_effect("syslog is not written yet"),
    "syslog_prefix": _no_effect("syslog is not written yet"),
    "syslog_facility": _no_effect("syslog is not written yet"),
    "disable_redirect_access_to_syslog": _no_effect("syslog is not written yet"),
    "enable_backlog_metric": _no_effect("/metrics has the queues (admin_bind)"),
    "http_protocols": _refused(_LATER_H2, "h1", "h2,h1"),
    "http2_cleartext": _refused(_LATER_H2),
    "http2_max_concurrent_streams": _no_effect(_LATER_H2),
    "http2_initial_window_size": _no_effect(_LATER_H2),
    "http2_max_frame_size": _no_effect(_LATER_H2),
    "http2_max_header_list_size": _no_effect(_LATER_H2),
    "asgi_loop": Verdict(
        "tasks run on celadon's own loop, which is one of asyncio's; any other stands still "
        "where a coroutine blocks",
        False,
        (None, "", "auto", "asyncio", "celadon", "none"),
    ),
    "asgi_lifespan": Verdict("", setting="lifespan"),
    "asgi_disconnect_grace_period": _no_effect(
        "an application is told of the end of its client, and not cancelled"
    ),
    "dirty_apps": _refused(_NO_ARBITER, []),
    "dirty_workers": _refused(_NO_ARBITER),
    "dirty_timeout": _no_effect(_NO_ARBITER),
    "dirty_threads": _no_effect(_NO_ARBITER),
    "dirty_graceful_timeout": _no_effect(_NO_ARBITER),
    "on_dirty_starting": _refused(_NO_ARBITER),
    "dirty_post_fork": _refused(_NO_ARBITER),
    "dirty_worker_init": _refused(_NO_ARBITER),
    "dirty_worker_exit": _refused(_NO_ARBITER),
    "permit_obsolete_folding": _refused(_LOOSE),
    "strip_header_spaces": _refused(_LOOSE),
    "permit_unconventional_http_method": _refused(_LOOSE),
    "permit_unconventional_http_version": _refused(_LOOSE),
    "casefold_http_method": _refused(_LOOSE),
}

VERDICTS: Mapping[str, Verdict] = {
    name: replace(verdict, is_switch=name in _SWITCHES, flags=_SPELLINGS.get(name, ()))
    for name, verdict in _TABLE.items()
}
