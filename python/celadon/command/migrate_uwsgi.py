"""`celadon migrate uwsgi.ini`: what becomes of each option of uWSGI's."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from celadon.command import uwsgi_file
from celadon.command.uwsgi_file import Pair, is_on, is_open
from celadon.config.settings import SETTINGS
from celadon.config.settings.uwsgi import OPTIONS, Option

_TARGETS = ("module", "wsgi", "wsgi-file", "file", "callable")
_LOGGERS = {"logger", "req-logger", "log-req-logger"}
_MANY = {"bind", "mount", "raw_env", "pythonpath"}
_SWITCHES = {"reload", "request_buffering", "proxy_headers", "reuse_port"}
_SWITCHES |= {"worker_affinity"}
# What their settings do is done without being told.
_SAID = {"harakiri-verbose", "harakiri-no-arh"}
# Only a person knows what is meant.
_UNCLEAR = {"log-format", "logformat"}


def examine(path: Path) -> str:
    """A report, with a `celadon.toml` that says the same."""
    file = uwsgi_file.read(path)
    values, unclear = _values(file.pairs)
    sections = {
        "celadon.toml": [f"{name} = {_toml(value)}" for name, value in values.items()],
        "Becomes": [],
        "Is not there": [],
        "Is not known here, look at it": [],
        "Look at the value": unclear,
        "Watch": list(_watch({pair.name for pair in file.pairs})),
    }
    for name in dict.fromkeys(pair.name for pair in file.pairs):
        option = OPTIONS.get(name)
        if option is None:
            if name not in file.variables:
                sections["Is not known here, look at it"].append(name + _near(name))
        elif option.setting:
            note = f" ({option.note})" if option.note else ""
            sections["Becomes"].append(f"{name}: {option.setting}{note}")
        else:
            sections["Is not there"].append(f"{name}: {option.note}")
            sections["Is not there"] += _locations(name, file.pairs)
    return "\n".join(
        f"{title}:\n" + "\n".join(f"  {line}" for line in lines)
        for title, lines in sections.items()
        if lines
    )


def _near(name: str) -> str:
    near = difflib.get_close_matches(name, OPTIONS, n=1, cutoff=0.8)
    if not near:
        return ""
    return f" (did you mean {near[0]}? uWSGI passes over what it does not know)"


def _locations(name: str, pairs: list[Pair]) -> Iterator[str]:
    """What nginx says in place of ``static-map = /prefix=FOLDER``."""
    for each, raw, _ in pairs:
        prefix, equals, folder = raw.partition("=")
        if each == name == "static-map" and equals and not is_open(raw):
            prefix, folder = prefix.rstrip("/"), folder.rstrip("/")
            yield f"  nginx: location {prefix}/ {{ alias {folder}/; }}"


def _watch(names: set[str]) -> Iterator[str]:
    """What uWSGI does where nothing is said, and is not done here."""
    if not names & {"harakiri", "http-harakiri"}:
        yield (
            "harakiri: there is none, so no request was ended; here request_timeout ends "
            "one after 120 s, and timeout a worker whose loop is held for 30 s"
        )
    if not names & {"disable-logging", "req-logger", "log-req-logger"}:
        yield 'disable-logging: each request was logged; here accesslog = "-" does so'
    if not names & {"lazy-apps", "lazy"}:
        yield (
            "lazy-apps: the application was imported once, before the fork; here each "
            "worker imports it unless preload_app is on"
        )
    if "limit-post" not in names:
        yield "limit-post: bodies had no limit; limit_request_body is 1G"


def _values(pairs: list[Pair]) -> tuple[dict[str, Any], list[str]]:
    """Settings with what they are here, and lines about what is not clear."""
    found: dict[str, Any] = {}
    unclear = []
    options = {name: raw for name, raw, under in pairs if not under}
    target = _target(options)
    for name, raw, under in pairs:
        option = OPTIONS.get(name, Option())
        if option.setting and under:
            unclear.append(f"{name} = {raw}: {option.setting}, {under}")
            continue
        if not option.setting or name in _TARGETS or name in _SAID:
            continue
        value = _value(name, option, raw)
        if name == "mount":
            value = _mount(raw, options) if target else None
        try:
            parsed = None if value is None else SETTINGS[option.setting].parse(value)
        except (ValueError, TypeError):
            parsed = None
        if parsed is None or is_open(raw):
            unclear.append(f"{name} = {raw}: {option.setting}")
        elif option.setting in _MANY:
            found.setdefault(option.setting, []).append(value)
        else:
            found[option.setting] = value
            found |= _besides(option.setting, value, parsed)
    if target is None:
        named = [f"{name} = {options[name]}" for name in _TARGETS if name in options]
        unclear.insert(0, f"{', '.join(named)}: wsgi_app")
    elif target:
        found = {"wsgi_app": target, **found}
    return found, unclear


def _besides(setting: str, value: Any, parsed: Any) -> dict[str, Any]:
    """Other settings whose default would forbid what this one allowed."""
    if setting == "limit_request_head":
        parts = ("limit_request_line", "limit_request_field_size")
        return {name: value for name in parts if SETTINGS[name].default < parsed}
    if setting == "request_timeout" and parsed > SETTINGS["timeout"].default:
        return {"timeout": value}  # a view that computes was let be for as long
    return {}


def _value(name: str, option: Option, raw: str) -> Any:
    """What the setting says; None where a person has to."""
    if option.setting in ("bind", "admin_bind"):
        host, _, port = raw.rpartition(":")
        return f"{host or '0.0.0.0'}:{port}" if ":" in raw else f"unix:{raw}"
    if option.setting == "umask":
        return _umask(name, raw)
    if option.setting == "preload_app":
        return not is_on(raw)
    if option.setting in _SWITCHES:
        return is_on(raw)
    if name in _UNCLEAR or option.setting in ("keepalive", "tcp_keepalive"):
        return None
    if option.setting in ("errorlog", "accesslog"):
        return _log_of(name, raw)
    if option.setting == "statsd_host":
        scheme, _, address = raw.partition(":")
        return address.partition(",")[0] if scheme == "statsd" else None
    return f"{raw}{option.unit}" if option.unit else int(raw) if raw.isdigit() else raw


def _umask(name: str, raw: str) -> str | None:
    """The bits that are taken off, where ``chmod-socket`` says those that stay."""
    mode = "666" if name != "umask" and raw in ("", "true", "1") else raw
    if not re.fullmatch("[0-7]{1,4}", mode):
        return None
    bits = int(mode, 8)
    return f"0o{bits if name == 'umask' else 0o777 & ~bits:03o}"


def _target(options: dict[str, str]) -> str | None:
    """Empty where none is named; None where a person has to say it."""
    module = options.get("module") or options.get("wsgi", "")
    file = options.get("wsgi-file") or options.get("file", "")
    if file and not module:
        module = _module_of(file, options.get("chdir", ""))
        if not module:
            return None
    if module and ":" not in module and options.get("callable"):
        module += f":{options['callable']}"
    return None if is_open(module) else module


def _mount(raw: str, options: dict[str, str]) -> str | None:
    """What ``/prefix=FILE``, or ``/prefix=MODULE``, is here."""
    prefix, _, named = raw.partition("=")
    target = _target({**options, "module": named, "callable": ""})
    if named.endswith(".py"):
        target = _target({"wsgi-file": named, "chdir": options.get("chdir", "")})
    return f"{prefix}={target}" if target else None


def _module_of(file: str, chdir: str) -> str:
    """Its name where it is looked for from `chdir`; empty where it is none there."""
    path = PurePath(file)
    if chdir and path.is_relative_to(chdir):
        path = path.relative_to(chdir)
    if path.is_absolute() or path.suffix != ".py":
        return ""
    parts = path.with_suffix("").parts
    return "" if any("." in part for part in parts) else ".".join(parts)


def _log_of(name: str, raw: str) -> str | None:
    """The file of it, which its scheme or an address would not be."""
    if name in _LOGGERS:
        scheme, _, raw = raw.partition(":")
        return raw if scheme == "file" and "=" not in raw else None
    return None if ":" in raw else raw


def _toml(value: Any) -> str:
    """Of a list, a text, a number or a switch JSON has the form of TOML."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return json.dumps(value, ensure_ascii=False)
