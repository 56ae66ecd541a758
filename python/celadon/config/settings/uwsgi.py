"""Options of uWSGI: the setting that each becomes, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """`setting` is empty where there is none; `unit` follows a number of it."""

    setting: str = ""
    note: str = ""
    unit: str = ""


_ALWAYS = Option(note="it is always so")
_NOTHING = Option(note="it tunes uWSGI's own machinery")
_GREEN = Option(
    note="one greenlet per request, up to worker_connections in each worker"
)
_HOME = Option(note="run the `celadon` of that environment")
_ELSEWHERE = Option(note="belongs to Redis, Celery, systemd or cron")
_TLS = Option(note="write bind, certfile and keyfile")
_STATIC = Option(note="let the proxy in front serve files")
_ROUTES = Option(note="belongs to the proxy in front, or to the application")
_FIXED = Option(
    note="the number of workers stays: `celadon ctl workers add` and `remove`"
)

_TABLE: Mapping[Option, str] = {
    Option("wsgi_app", "a file is named as a module"): "module wsgi wsgi-file file "
    "callable",
    Option("bind"): "http http-socket http11-socket",
    Option(
        "bind", "by HTTP, not by the uwsgi protocol: proxy_pass in place of uwsgi_pass"
    ): ("socket uwsgi-socket"),
    Option("workers"): "processes workers",
    Option("request_timeout", "that request gets 504, its worker serves on", "s"): (
        "harakiri http-harakiri"
    ),
    Option("max_requests"): "max-requests",
    Option("max_requests_jitter"): "max-requests-delta",
    Option("worker_max_lifetime", unit="s"): "max-worker-lifetime",
    Option("worker_max_rss", unit="M"): "reload-on-rss",
    Option("worker_kill_rss", unit="M"): "evil-reload-on-rss",
    Option("backlog"): "listen",
    Option("limit_request_head", "the whole head"): "buffer-size",
    Option("limit_request_body"): "limit-post",
    Option("request_buffering", "a size in uWSGI, on or off here"): "post-buffering",
    Option("body_timeout", unit="s"): "http-timeout",
    Option("write_timeout", unit="s"): "socket-timeout",
    Option("keepalive", "on, 75 s"): "http-keepalive add-http-keepalive",
    Option("tcp_keepalive", "on, 60 s"): "so-keepalive",
    Option("graceful_timeout", unit="s"): "worker-reload-mercy reload-mercy",
    Option("chdir"): "chdir",
    Option("pythonpath"): "pythonpath python-path pp",
    Option("raw_env"): "env",
    Option("user"): "uid",
    Option("group"): "gid",
    Option("pidfile"): "pidfile pidfile2 safe-pidfile safe-pidfile2",
    Option("worker_affinity"): "cpu-affinity",
    Option("reuse_port"): "reuse-port so-reuseport",
    Option("statsd_host"): "stats-push",
    Option("proc_name"): "procname procname-prefix procname-prefix-spaced",
    Option(
        "mount", "beside the application of the root; for the only one it is root_path"
    ): "mount",
    Option("errorlog"): "logto logto2 logger",
    Option("accesslog"): "req-logger log-req-logger",
    Option("access_log_format", "the atoms are gunicorn's"): "log-format logformat",
    Option("websocket_ping_interval", unit="s"): (
        "websockets-ping-freq websocket-ping-freq"
    ),
    Option("websocket_ping_timeout", unit="s"): (
        "websockets-pong-tolerance websocket-pong-tolerance"
    ),
    Option("websocket_max_message_size", unit="K"): (
        "websockets-max-size websocket-max-size"
    ),
    Option(
        "proxy_headers", "of the peers in forwarded_allow_ips"
    ): "log-x-forwarded-for",
    Option("umask", "the bits that are taken off: 660 is 0o117, 666 is 0o111"): (
        "chmod-socket chmod umask"
    ),
    Option("reload"): "py-autoreload python-autoreload py-auto-reload",
    Option("admin_bind", "pages, JSON and Prometheus; `celadon top` for uwsgitop"): (
        "stats stats-server"
    ),
    Option("preload_app", "the other way round: workers import unless it is on"): (
        "lazy-apps lazy"
    ),
    Option("watchdog_threshold", "what holds a worker is logged, with file and line"): (
        "harakiri-verbose harakiri-no-arh"
    ),
    _ALWAYS: "master die-on-term need-app vacuum single-interpreter strict thunder-lock "
    "no-orphans auto-procname enable-threads py-call-osafterfork exit-on-reload http-raw-body "
    "http-auto-chunked http-chunked-input ignore-sigpipe ignore-write-errors "
    "manage-script-name "
    "disable-write-exception add-header-server wsgi-disable-file-wrapper close-on-exec "
    "close-on-exec2 log-master threaded-logger",
    _NOTHING: "plugin plugins plugins-dir plugin-dir no-default-app log-date "
    "offload-threads master-fifo http-modifier1 post-buffering-bufsize log-maxsize "
    "log-backupname show-config print auto-snapshot worker-exec log-prefix memory-report "
    "wsgi-accept-buffer wsgi-accept-buffers stats-no-cores stats-no-metrics "
    "stats-minified",
    Option(
        note='it is always so: environ["wsgi.websocket"] in place of '
        "uwsgi.websocket_handshake, _recv and _send"
    ): "http-websockets",
    Option(note="LimitNOFILE of the unit, or `ulimit -n`"): "max-fd",
    Option(note="it belongs to user and group; umask says who may connect"): (
        "chown-socket"
    ),
    Option(note="admin_bind speaks HTTP"): "stats-http",
    Option(note="admin_bind has metrics for Prometheus, statsd_host tells a daemon"): (
        "carbon"
    ),
    Option(note="`celadon migrate` reads one file: ask it of that one, too"): (
        "ini include inherit yaml json xml"
    ),
    Option(note="a condition: what stands below it is for a person to look at"): (
        "if-env if-not-env if-exists if-not-exists if-file if-not-file if-dir if-not-dir "
        "if-opt if-not-opt if-reload if-not-reload if-plugin if-not-plugin if-hostname "
        "if-not-hostname else endif end-if end for-glob for-readline"
    ),
    Option(note="a loop: what stands below it is written out"): (
        "for for-times endfor end-for"
    ),
    Option(note="`celadon ctl reopen`, or USR1"): (
        "log-reopen touch-logreopen touch-logrotate"
    ),
    Option(note="a traceback goes to the log, and to nobody's browser"): (
        "catch-exceptions"
    ),
    _GREEN: "threads gevent async ugreen asyncio gevent-monkey-patch threads-stacksize",
    _HOME: "virtualenv venv home pyhome",
    Option(note="use systemd or a container"): "daemonize daemonize2",
    Option(note="a unit of systemd for each application"): (
        "emperor vassals vassals-include emperor-stats"
    ),
    Option(note="`celadon ctl reload`, or HUP"): (
        "touch-reload touch-workers-reload touch-chain-reload fs-reload"
    ),
    Option(note="there is no access log unless accesslog is set"): (
        "disable-logging log-4xx log-5xx log-slow log-zero log-big log-ioerror"
    ),
    Option(note="hooks in a Python file: post_fork, when_ready and others"): (
        "import shared-import hook-post-app hook-pre-app exec-asap exec-pre-app exec-as-user "
        "hook-as-user hook-as-root hook-post-fork hook-master-start exec-post-app"
    ),
    _FIXED: "cheaper cheaper-initial cheaper-step cheaper-algo cheaper-overload "
    "cheaper-idle idle cheap",
    _STATIC: "static-map static-map2 check-static static-index static-expires static-gzip "
    "static-safe static-cache-paths",
    _TLS: "https https2 https-socket ssl-socket http-to-https",
    _ROUTES: "route route-uri route-host route-if add-header response-header rewrite",
    _ELSEWHERE: "spooler spooler-processes spooler-frequency cron cron2 legion-cron mule "
    "mules farm cache cache2 queue sharedarea locks attach-daemon attach-daemon2 "
    "smart-attach-daemon",
}

OPTIONS: Mapping[str, Option] = {
    name: option for option, names in _TABLE.items() for name in names.split()
}
