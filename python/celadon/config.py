"""Where the values of the settings come from, and what the core is told of them.

Sources, highest first: command line or keywords of `celadon.run`, ``CELADON_<SETTING>``
in the environment, ``CELADON_CMD_ARGS``, ``GUNICORN_CMD_ARGS``, one configuration file,
defaults (some of which the environment feeds as gunicorn reads it: ``PORT``,
``WEB_CONCURRENCY``, ``FORWARDED_ALLOW_IPS``, ``SCRIPT_NAME``).
"""

from __future__ import annotations

import difflib
import os
import re
import resource
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from celadon import cgroup, paths
from celadon.errors import UsageError, brief
from celadon.hooks import Hook
from celadon.settings import SETTINGS, gunicorn
from celadon.sources import Layer
from celadon.values import strange_atoms

_RESERVED = {
    "CELADON_CMD_ARGS",
    "CELADON_PATCH",
    "CELADON_INHERIT",
    "CELADON_POISON_STACK",
}
# Slots of the shared memory: three for each worker, and some for those that a SIGTTIN or a
# reload asks for. One that nobody uses costs a pair of descriptors, of which there may be
# few.
_SPARE_SLOTS = 8
_USUAL_SLOTS = 64
_SHARE_OF_DESCRIPTORS = 8
# Names that Kubernetes makes up for Services.
_KUBERNETES = re.compile(r"CELADON_(.*_)?(SERVICE_HOST|SERVICE_PORT.*|PORT(_.*)?)$")


@dataclass
class Config:
    """Effective values, and where each came from.

    `hooks` are functions of the configuration file; `notes` are lines for the log about
    settings that have no effect, or another one than under gunicorn; `environment` is
    what `env_file` has, which a worker without privileges may be unable to read.
    """

    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    hooks: dict[str, Hook] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        for where in ("values", "hooks"):
            if name in self.__dict__.get(where, ()):
                return self.__dict__[where][name]
        raise AttributeError(name)

    @property
    def mode(self) -> str:
        """How requests run, in words."""
        return "greenlets" if self.green else "one request at a time (--no-green)"

    def is_default(self, name: str) -> bool:
        return self.sources[name] == "default"

    def chosen(self, column: str) -> list[str]:
        """Settings with that column of the table which have another value than by
        default."""
        return [
            name
            for name, row in SETTINGS.items()
            if getattr(row, column) and self.values[name] != row.default
        ]

    def keep(self, running: Config, *names: str) -> None:
        """What cannot change while the server runs stays as it is, and is noted."""
        for name in names:
            if self.values[name] != running.values[name]:
                self.notes.append(f"{name} changes with a restart, not with a reload")
            self.values[name] = running.values[name]
            self.sources[name] = running.sources[name]

    def set(self, name: str, raw: Any, source: str) -> None:
        """Parses and stores one value; raises `UsageError` with the setting's name."""
        row = SETTINGS.get(name)
        if row is None:
            self._judge(name, raw, source)
            return
        try:
            value = row.parse(raw)
        except (ValueError, TypeError) as error:
            given = "" if row.is_secret else f", not {brief(raw)}"
            raise UsageError(f"{name}: {error}{given} ({source})") from None
        self.values[name] = value
        self.sources[name] = source

    def _judge(self, name: str, raw: Any, source: str) -> None:
        verdict = gunicorn.VERDICTS.get(name)
        if verdict is None:
            raise unknown_setting(name, source)
        if not verdict.applies(raw):
            return
        if verdict.refused:
            raise UsageError(f"{name} is refused: {verdict.reason} ({source})")
        self.notes.append(f"{name} has no effect: {verdict.reason} ({source})")


def unknown_setting(name: str, source: str = "") -> UsageError:
    near = difflib.get_close_matches(name, [*SETTINGS, *gunicorn.VERDICTS], n=2)
    hint = " (did you mean " + " or ".join(repr(n) for n in near) + "?)" if near else ""
    where = f" ({source})" if source and source != _GIVEN else ""
    if source.startswith("environment CELADON_") and not near:
        where += (
            "; all variables that begin with CELADON_ are settings: name it otherwise"
        )
    return UsageError(f"unknown setting {name!r}{hint}{where}")


_GIVEN = "given"


def load(
    explicit: Mapping[str, Any],
    environ: Mapping[str, str] | None = None,
    layers: Iterable[Layer] = (),
) -> Config:
    """Merges all sources into one checked `Config`.

    `explicit` are flags or keywords; `layers` come below the environment, the lowest
    first. Raises `UsageError` with all that is wrong, a line each.
    """
    env = os.environ if environ is None else environ
    config = Config()
    for row in SETTINGS.values():
        config.values[row.name] = row.default
        config.sources[row.name] = "default"
    problems: list[str] = []

    def apply(name: str, raw: Any, source: str) -> None:
        try:
            config.set(name, raw, source)
        except UsageError as error:
            variable = source.removeprefix("environment ")
            is_empty = raw == "" and variable != source
            hint = f"; {variable} is set, but empty: unset it" if is_empty else ""
            problems.append(f"{error}{hint}")

    for name, raw, source in _platform(env):
        apply(name, raw, source)
    for layer in layers:
        problems += layer.problems
        config.notes += layer.warnings
        config.hooks.update(layer.hooks)
        for name, raw in layer.values.items():
            apply(name, raw, layer.source)
    for name, raw, source in _environment(env):
        apply(name, raw, source)
    for name, raw in explicit.items():
        apply(name, raw, _GIVEN)
    problems += _contradictions(config)
    if problems:
        raise UsageError(*problems)
    return config


def _environment(env: Mapping[str, str]) -> Iterable[tuple[str, str, str]]:
    for key, raw in env.items():
        if not key.startswith("CELADON_") or key in _RESERVED:
            continue
        name = key.removeprefix("CELADON_").lower()
        if name == "config" or (name not in SETTINGS and _KUBERNETES.match(key)):
            continue
        yield name, raw, "environment " + key


def _platform(env: Mapping[str, str]) -> Iterable[tuple[str, str, str]]:
    if env.get("PORT"):
        yield "bind", "0.0.0.0:" + env["PORT"], "environment PORT"
    keys = {"workers": "WEB_CONCURRENCY", "root_path": "SCRIPT_NAME"}
    for name in ("workers", "forwarded_allow_ips", "root_path"):
        key = keys.get(name, name.upper())
        if env.get(key):
            yield name, env[key], "environment " + key


def _contradictions(config: Config) -> list[str]:
    """Settles what settings say of each other; what cannot be settled is returned."""
    _settle_worker_class(config)
    problems = [
        f"{name}: {text!a} is no text in UTF-8"
        for name, value in config.values.items()
        for text in (value if isinstance(value, list | tuple) else [value])
        if isinstance(text, str) and not _is_utf8(text)
    ]
    if config.chdir and not os.path.isdir(config.chdir):
        problems.append(f"chdir: no directory {config.chdir!r}")
    problems += _problems_of_environment(config)
    if not config.bind:
        problems.append("bind: no address given")
    if config.reuse_port and any(a.startswith("unix:") for a in config.bind):
        problems.append("reuse_port: a unix socket cannot be shared by address")
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
        problems.append("worker_connections: at least one is needed")
    if not config.green and (config.threads > 1 or config.worker_class == "gthread"):
        problems.append(
            "threads: without greenlets one request runs at a time; native threads for "
            "requests are not there yet"
        )
    if config.reload and config.preload_app:
        problems.append("reload: what preload_app has imported cannot be renewed")
    settle_request_timeout(config)
    paths.settle(config.values)
    config.notes += [
        f"access_log_format: {each} is no atom: it prints -, or what it is"
        for each in strange_atoms(config.access_log_format)
    ]
    return problems


_LEADERS = ("reload", "timeout")  # that request_timeout follows


def settle_request_timeout(config: Config) -> None:
    """Where it is not set: what was said of other settings says how long one may take."""
    if config.sources["request_timeout"] not in ("default", *_LEADERS):
        return
    config.values["request_timeout"] = SETTINGS["request_timeout"].default
    config.sources["request_timeout"] = "default"
    is_longer = not 0 < config.timeout <= config.request_timeout
    if config.reload:
        # Who stands in a debugger, or thinks, is not to be hurried.
        config.values["request_timeout"] = 0.0
        config.sources["request_timeout"] = "reload"
    elif is_longer and not config.is_default("timeout"):
        # A request that takes that long was served by gunicorn, whatever its worker.
        config.values["request_timeout"] = config.timeout
        config.sources["request_timeout"] = "timeout"


def _is_utf8(text: str) -> bool:
    """Bytes of an argument or a file that are not are surrogates in Python's text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _problems_of_environment(config: Config) -> list[str]:
    problems = []
    if config.green_patch not in (["on"], ["off"]):
        # Here: who only imports celadon, imports nothing that patches.
        from celadon.patch.registry import PARTS

        if not {*config.green_patch} <= {*PARTS}:
            problems.append(
                f"green_patch: expected on, off, or some of {', '.join(PARTS)}, not "
                f"{','.join(config.green_patch)!r}"
            )
    if config.env_file:
        try:
            config.environment = _read_env_file(config.env_file)
        except (OSError, ValueError) as error:
            problems.append(f"env_file: {error}")
    return problems


def patched_parts(config: Config) -> dict[str, bool]:
    """What `celadon.patch.install` takes, by `green_patch`."""
    if config.green_patch == ["on"]:
        return {}
    from celadon.patch.registry import PARTS

    return {part: part in config.green_patch for part in PARTS}


def _read_env_file(path: str) -> dict[str, str]:
    """The variables of an `env_file`; `export` may stand before a name.

    Raises `OSError`, and `ValueError` for a line that is something else.
    """
    import shlex

    found: dict[str, str] = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                words = shlex.split(line, comments=True)
            except ValueError as error:
                raise ValueError(f"{path}:{number}: {error}") from None
            if words[:1] == ["export"]:
                del words[0]
            if not words:
                continue
            name, equals, value = words[0].partition("=")
            if len(words) > 1 or not equals or not name.isidentifier():
                raise ValueError(f"{path}:{number}: expected NAME=value")
            found[name] = value
    return found


def _settle_worker_class(config: Config) -> None:
    threaded = config.worker_class == "gthread" or config.threads > 1
    if config.worker_class == "sync" and not threaded:
        if config.is_default("green"):
            config.values["green"] = False
            config.sources["green"] = "worker_class = sync"
        if config.is_default("request_timeout"):
            # So that a request that hangs is shed, as it is under gunicorn.
            config.values["request_timeout"] = config.timeout
            config.sources["request_timeout"] = "timeout, by worker_class = sync"
    elif threaded and config.green:
        config.notes.append("requests run on greenlets, not on threads")


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
        "linger_total_timeout",
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
        "priority_paths",
        "request_id_header",
        "trace_context",
        "access_log_sample",
        "access_log_slow",
        "access_log_min_status",
        "access_log_skip",
        "request_buffering",
        "date_header",
        "proxy_allow_ips",
        "forwarded_allow_ips",
        "allowed_hosts",
        "cancel_on_disconnect",
        "request_timeout",
        "request_deadline_header",
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
        "tcp_keepalive",
        "timeout",
        "watchdog_threshold",
        "watchdog_raise",
        "hand_over_after",
        "slow_request",
        "server_timing",
        "metrics",
        "metrics_buckets",
        "health_paths",
    ]
    options = {name: v[name] for name in same}
    options["preempt"] = v["preempt"] if v["green"] else 0.0
    options["stack_signal"] = options["stacks_signal"] = options["preempt_signal"] = 0
    options["stack_pipe"] = -1
    options["log_fd"], options["log_level"], options["log_later"] = 2, 0, False
    if not v["green"]:
        options["max_concurrent_requests"] = 1
    if not v["watchdog"]:
        options["watchdog_threshold"] = 0.0
        options["watchdog_raise"] = False
    if options["hand_over_after"] == "auto":
        options["hand_over_after"] = 5 * options["watchdog_threshold"]
    options.update(
        refuse_underscores=v["header_map"] == "refuse",
        refuse_absolute_form=v["absolute_form"] == "reject",
        tmp_upload_dir=v["tmp_upload_dir"] or _system_temp(),
        server_header="celadon" if v["server_header"] else "",
        server_software="celadon/" + version,
        proxy_protocol=_PROXY_MODES[v["proxy_protocol"]],
        multiprocess=v["workers"] > 1,
        access_log=access_log(config),
        access_log_format=v["access_log_format"],
        access_log_style=_STYLES.index(v["access_log_style"]),
        log_overflow_blocks=v["log_overflow"] == "block",
        stdout_fd=1,
    )
    return options


_STYLES = ("apache", "json", "logfmt")


def access_log(config: Config) -> str:
    """Its file, ``-`` for standard output; empty: none is written."""
    return config.accesslog if config.accesslog not in ("", "None") else ""


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
        "tcp_keepalive",
        "drain_delay",
        "admin_token",
        "admin_allow_ips",
        "admin_open",
        "admin_control",
        "queue_depth",
        "metrics_buckets",
        "metrics_max_series",
    ]
    options = {name: config.values[name] for name in same}
    options["uid"] = options["gid"] = -1
    options["alive_period"] = 0.0
    options["build_labels"] = ""
    options["access_log"] = access_log(config)
    options["log_ring"] = config.log_ring if options["access_log"] else 0
    options["stdout_fd"] = 1
    for name in ("worker_max_rss", "worker_kill_rss"):
        value = config.values[name]
        options[name] = cgroup.memory_share(config.workers) if value < 0 else value
    options["slots"] = max(3 * config.workers + _SPARE_SLOTS, _slots_at_ease())
    return options


def _slots_at_ease() -> int:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most == resource.RLIM_INFINITY:
        return _USUAL_SLOTS
    return min(_USUAL_SLOTS, most // _SHARE_OF_DESCRIPTORS)


def _system_temp() -> str:
    import tempfile

    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return "/tmp"  # read-only: a body that does not fit into memory is refused
