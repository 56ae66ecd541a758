"""The settings: one table that feeds flags, environment variables and ``--help``.

Sources, highest first: command line or keywords of `celadon.run`, ``CELADON_<SETTING>``
in the environment, defaults (some of which the environment feeds as gunicorn reads it:
``PORT``, ``WEB_CONCURRENCY``, ``FORWARDED_ALLOW_IPS``).
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from celadon.errors import UsageError

DEFAULT_ACCESS_FORMAT = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
_LOOPBACK = "127.0.0.1,::1"
_RESERVED = {"CELADON_CMD_ARGS", "CELADON_PATCH", "CELADON_INHERIT"}
# Names that Kubernetes makes up for Services.
_KUBERNETES = re.compile(r"CELADON_(.*_)?(SERVICE_HOST|SERVICE_PORT.*|PORT(_.*)?)$")

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ms|s|m|h)?$")
_SIZE = re.compile(r"(\d+)([KMG])?i?B?$", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_BYTES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def parse_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("expected on or off")


def parse_duration(value: Any) -> float:
    """Seconds: ``250ms``, ``30s``, ``5m``, ``1h`` or a bare number."""
    if isinstance(value, bool):
        raise ValueError("expected a duration such as 30, 250ms or 5m")
    match = _DURATION.match(str(value).strip())
    if not match:
        raise ValueError("expected a duration such as 30, 250ms or 5m")
    return float(match[1]) * _SECONDS[match[2]]


def parse_size(value: Any) -> int:
    """Bytes: ``64K``, ``16M``, ``1G`` or a bare number."""
    match = None if isinstance(value, bool) else _SIZE.match(str(value).strip())
    if not match:
        raise ValueError("expected a size such as 65536, 64K or 16M")
    return int(match[1]) * (_BYTES[match[2].upper()] if match[2] else 1)


def parse_count(value: Any) -> int:
    try:
        number = int(str(value).strip())
    except ValueError:
        number = -1
    if number < 0 or isinstance(value, bool):
        raise ValueError("expected a whole number that is not negative")
    return number


def parse_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected text")
    return value


def parse_list(value: Any) -> list[str]:
    items: Iterable[Any] = value.split(",") if isinstance(value, str) else value
    result = [str(item).strip() for item in items]
    return [item for item in result if item]


def parse_mapping(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        import json

        value = json.loads(value)
    if not isinstance(value, Mapping):
        raise ValueError("expected a mapping")
    return {str(k): str(v) for k, v in value.items()}


def parse_umask(value: Any) -> int:
    number = value if isinstance(value, int) else int(str(value), 0)
    if not 0 <= number <= 0o777:
        raise ValueError("expected an octal mode such as 0o022")
    return number


def one_of(*choices: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        text = str(value).strip().lower()
        if text not in choices:
            raise ValueError("expected one of " + ", ".join(choices))
        return text

    return parse


def parse_proxy_protocol(value: Any) -> str:
    text = str(value).strip().lower()
    if text in _TRUE:
        return "auto"
    if text in _FALSE:
        return "off"
    return one_of("off", "v1", "v2", "auto")(value)


def parse_log_level(value: Any) -> str:
    return one_of("debug", "info", "warning", "error", "critical")(value)


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
        parse_count,
        1,
        "worker processes; this version serves from one",
        ("--workers", "-w"),
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
        "gc_freeze", parse_bool, True, "keep what the import made out of the collector"
    )
    yield s(
        "tmp_upload_dir",
        parse_text,
        "",
        "where bodies are spooled; the system's temporary directory by default",
    )

    t = "timeouts"
    d = parse_duration
    yield s(
        "timeout",
        d,
        30.0,
        "seconds the loop may be held before its stack is logged",
        ("--timeout", "-t"),
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

# What gunicorn has and this version has not. Set, they are refused with the reason.
_LATER = {
    "preload_app": "there is no master process yet",
    "max_requests": "recycling needs the master process",
    "certfile": "TLS is not served yet; put a proxy in front",
    "keyfile": "TLS is not served yet; put a proxy in front",
    "reload": "development reload is not there yet",
    "daemon": "use systemd or a container",
    "config": "configuration files are not read yet; use flags or CELADON_* variables",
    "threads": "requests run on greenlets; threads are not used for them",
}


@dataclass
class Config:
    """Effective values, and where each came from."""

    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(name) from None

    def set(self, name: str, raw: Any, source: str) -> None:
        """Parses and stores one value; raises `UsageError` with the setting's name."""
        row = SETTINGS.get(name)
        if row is None:
            raise unknown_setting(name)
        try:
            value = row.parse(raw)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{name}: {error}, not {raw!r} ({source})") from None
        self.values[name] = value
        self.sources[name] = source


def unknown_setting(name: str) -> UsageError:
    if name in _LATER:
        return UsageError(f"{name} is not in this version: {_LATER[name]}")
    near = difflib.get_close_matches(name, list(SETTINGS), n=2)
    hint = " (did you mean " + " or ".join(repr(n) for n in near) + "?)" if near else ""
    return UsageError(f"unknown setting {name!r}{hint}")


def load(
    explicit: Mapping[str, Any], environ: Mapping[str, str] | None = None
) -> Config:
    """Merges all sources into one checked `Config`.

    `explicit` are flags or keywords. Raises `UsageError`.
    """
    env = os.environ if environ is None else environ
    config = Config()
    for row in SETTINGS.values():
        config.values[row.name] = row.default
        config.sources[row.name] = "default"
    _apply_platform(config, env)
    for key, raw in env.items():
        if not key.startswith("CELADON_") or key in _RESERVED:
            continue
        name = key.removeprefix("CELADON_").lower()
        if name not in SETTINGS and _KUBERNETES.match(key):
            continue
        config.set(name, raw, "environment " + key)
    for name, raw in explicit.items():
        config.set(name, raw, "given")
    _check(config)
    return config


def _apply_platform(config: Config, env: Mapping[str, str]) -> None:
    if env.get("PORT"):
        config.set("bind", "0.0.0.0:" + env["PORT"], "environment PORT")
    if env.get("WEB_CONCURRENCY"):
        config.set("workers", env["WEB_CONCURRENCY"], "environment WEB_CONCURRENCY")
    if env.get("FORWARDED_ALLOW_IPS"):
        config.set(
            "forwarded_allow_ips",
            env["FORWARDED_ALLOW_IPS"],
            "environment FORWARDED_ALLOW_IPS",
        )


def _check(config: Config) -> None:
    if config.workers != 1:
        raise UsageError(
            f"workers: this version serves from one worker, not {config.workers} "
            f"({config.sources['workers']})"
        )
    if config.worker_class == "sync" and config.sources["green"] == "default":
        config.values["green"] = False
        config.sources["green"] = "worker_class = sync"
    if not config.bind:
        raise UsageError("bind: no address given")
    # 0 means the ceiling, never unlimited.
    ceilings = {
        "limit_request_line": 64 << 10,
        "limit_request_fields": 1000,
        "limit_request_field_size": 64 << 10,
    }
    for name, ceiling in ceilings.items():
        if not 0 < config.values[name] <= ceiling:
            config.values[name] = ceiling
    if config.worker_connections < 1:
        raise UsageError("worker_connections: at least one is needed")


_PROXY_MODES = {"off": 0, "v1": 1, "v2": 2, "auto": 3}


def core_options(config: Config, version: str) -> dict[str, Any]:
    """The dict that the core reads; every key of it is required there."""
    v = dict(config.values)
    same = [
        "limit_request_line",
        "limit_request_fields",
        "limit_request_field_size",
        "limit_request_head",
        "limit_request_body",
        "chunk_extension_limit",
        "header_timeout",
        "body_timeout",
        "body_total_timeout",
        "keepalive",
        "write_timeout",
        "linger_timeout",
        "queue_timeout",
        "body_min_rate",
        "write_min_rate",
        "body_buffer",
        "response_buffer",
        "linger_bytes",
        "worker_connections",
        "max_concurrent_requests",
        "queue_depth",
        "retry_after",
        "request_buffering",
        "date_header",
        "proxy_allow_ips",
        "forwarded_allow_ips",
        "allowed_hosts",
        "cancel_on_disconnect",
        "request_timeout",
        "root_path",
        "proxy_headers",
        "clear_untrusted_proxy_headers",
        "secure_scheme_headers",
        "forwarder_headers",
        "graceful_timeout",
        "backlog",
        "umask",
        "reuse_port",
    ]
    options = {name: v[name] for name in same}
    options["timeout"] = v["timeout"]
    options["stack_signal"] = 0
    if not v["green"]:
        options["max_concurrent_requests"] = 1
    options.update(
        refuse_underscores=v["header_map"] == "refuse",
        refuse_absolute_form=v["absolute_form"] == "reject",
        tmp_upload_dir=v["tmp_upload_dir"] or _system_temp(),
        server_header="celadon" if v["server_header"] else "",
        server_software="celadon/" + version,
        proxy_protocol=_PROXY_MODES[v["proxy_protocol"]],
        multiprocess=v["workers"] > 1,
        access_log=v["accesslog"] if v["accesslog"] not in ("", "None") else "",
        access_log_format=v["access_log_format"],
    )
    return options


def _system_temp() -> str:
    import tempfile

    return tempfile.gettempdir()
