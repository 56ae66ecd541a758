"""Where the values of the settings come from, and what the core is told of them.

Sources, highest first: command line or keywords of `celadon.run`, ``CELADON_<SETTING>``
in the environment, defaults (some of which the environment feeds as gunicorn reads it:
``PORT``, ``WEB_CONCURRENCY``, ``FORWARDED_ALLOW_IPS``).
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from celadon import cgroup
from celadon.errors import UsageError
from celadon.settings import SETTINGS

_RESERVED = {
    "CELADON_CMD_ARGS",
    "CELADON_PATCH",
    "CELADON_INHERIT",
    "CELADON_POISON_STACK",
}
# Slots of the shared memory beyond three for each worker: for SIGTTIN.
_SPARE_SLOTS = 8
# Names that Kubernetes makes up for Services.
_KUBERNETES = re.compile(r"CELADON_(.*_)?(SERVICE_HOST|SERVICE_PORT.*|PORT(_.*)?)$")


# What gunicorn has and this version has not. Set, they are refused with the reason.
_LATER = {
    "preload": "workers import the application themselves",
    "preload_app": "workers import the application themselves",
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

    @property
    def mode(self) -> str:
        """How requests run, in words."""
        return "greenlets" if self.green else "one request at a time (--no-green)"

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
    if config.worker_class == "sync" and config.sources["green"] == "default":
        config.values["green"] = False
        config.sources["green"] = "worker_class = sync"
    if config.chdir and not os.path.isdir(config.chdir):
        raise UsageError(f"chdir: no directory {config.chdir!r}")
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
        "max_requests",
        "max_requests_jitter",
        "backlog",
        "umask",
        "reuse_port",
        "timeout",
        "watchdog_threshold",
    ]
    options = {name: v[name] for name in same}
    options["preempt"] = v["preempt"] if v["green"] else 0.0
    options["stack_signal"] = options["stacks_signal"] = options["preempt_signal"] = 0
    options["stack_pipe"] = -1
    options["log_fd"] = 2
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


def master_options(config: Config) -> dict[str, Any]:
    """The dict that the core's master reads; every key of it is required there."""
    same = [
        "workers",
        "startup_timeout",
        "graceful_timeout",
        "respawn_backoff",
        "respawn_backoff_max",
        "reload_surge",
        "worker_max_lifetime",
        "worker_max_lifetime_jitter",
        "timeout",
        "backlog",
        "umask",
        "reuse_port",
    ]
    options = {name: config.values[name] for name in same}
    for name in ("worker_max_rss", "worker_kill_rss"):
        value = config.values[name]
        options[name] = cgroup.memory_share(config.workers) if value < 0 else value
    options["slots"] = 3 * config.workers + _SPARE_SLOTS
    return options


def _system_temp() -> str:
    import tempfile

    return tempfile.gettempdir()
