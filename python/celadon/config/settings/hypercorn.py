"""Options of Hypercorn: the setting that each is, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """By its `flags`; `setting` is empty where there is none."""

    flags: tuple[str, ...]
    setting: str = ""
    note: str = ""
    is_switch: bool = False


_PROCESS = "use systemd or a container"

# By the names that its configuration files have for them.
OPTIONS: Mapping[str, Option] = {
    "accesslog": Option(("--access-logfile", "--access-log"), "accesslog"),
    "access_log_format": Option(("--access-logformat",), "access_log_format"),
    "alpn_protocols": Option((), note="http/1.1 is what is spoken"),
    "backlog": Option(("--backlog",), "backlog"),
    "bind": Option(("-b", "--bind"), "bind"),
    "ca_certs": Option(("--ca-certs",), "ca_certs"),
    "cert_reqs": Option(("--cert-reqs",), "cert_reqs"),
    "certfile": Option(("--certfile",), "certfile"),
    "ciphers": Option(("--ciphers",), "ciphers"),
    "daemon": Option(("-D", "--daemon"), note=_PROCESS, is_switch=True),
    "debug": Option(("--debug",), note="use loglevel = debug", is_switch=True),
    "errorlog": Option(("--error-logfile", "--log-file", "--error-log"), "errorlog"),
    "graceful_timeout": Option(("--graceful-timeout",), "graceful_timeout"),
    "group": Option(("-g", "--group"), "group"),
    "h11_max_incomplete_size": Option((), "limit_request_head", "of the whole head"),
    "include_date_header": Option((), "date_header"),
    "include_server_header": Option((), "server_header"),
    "insecure_bind": Option(
        ("--insecure-bind",), "bind", "with certfile it speaks TLS too"
    ),
    "keep_alive_timeout": Option(("--keep-alive",), "keepalive"),
    "keyfile": Option(("--keyfile",), "keyfile"),
    "keyfile_password": Option(("--keyfile-password",), "keyfile_password"),
    "logconfig": Option(("--log-config",), "logconfig"),
    "loglevel": Option(("--log-level",), "loglevel"),
    "max_requests": Option(("--max-requests",), "max_requests"),
    "max_requests_jitter": Option(("--max-requests-jitter",), "max_requests_jitter"),
    "pid_path": Option(("-p", "--pid"), "pidfile"),
    "proxy_mode": Option((), note="use proxy_headers and forwarded_allow_ips"),
    "quic_bind": Option(("--quic-bind",), note="HTTP/3 is not served yet"),
    "read_timeout": Option(
        ("--read-timeout",), note="header_timeout and body_min_rate are there for that"
    ),
    "root_path": Option(("--root-path",), "root_path"),
    "server_names": Option(("--server-name",), "allowed_hosts", "others get 421"),
    "shutdown_timeout": Option((), note="the end has what graceful_timeout leaves"),
    "startup_timeout": Option((), "startup_timeout"),
    "statsd_host": Option(("--statsd-host",), "statsd_host"),
    "statsd_prefix": Option(("--statsd-prefix",), "statsd_prefix"),
    "umask": Option(("-m", "--umask"), "umask"),
    "use_reloader": Option(("--reload",), "reload", is_switch=True),
    "user": Option(("-u", "--user"), "user"),
    "verify_mode": Option(("--verify-mode",), "cert_reqs"),
    "websocket_max_message_size": Option((), "websocket_max_message_size"),
    "websocket_ping_interval": Option(
        ("--websocket-ping-interval",), "websocket_ping_interval"
    ),
    "worker_class": Option(
        ("-k", "--worker-class"), note="tasks run on celadon's own loop"
    ),
    "workers": Option(("-w", "--workers"), "workers"),
    "wsgi_max_body_size": Option((), "limit_request_body"),
}
