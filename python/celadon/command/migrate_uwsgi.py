"""`celadon migrate uwsgi.ini`: what becomes of each option of uWSGI's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from celadon.config.settings import SETTINGS
from celadon.config.settings.uwsgi import OPTIONS, Option

_SECTION = "[uwsgi]"
_TARGETS = ("module", "wsgi", "wsgi-file", "file", "callable")
_LOGGERS = {"logger", "req-logger", "log-req-logger"}
_MANY = {"bind", "raw_env", "pythonpath"}


def is_one(path: Path) -> bool:
    """Whether it is a file for uWSGI."""
    if path.suffix != ".ini":
        return False
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return False
    return any(line.strip().lower() == _SECTION for line in lines)


def examine(path: Path) -> str:
    """A report, with a `celadon.toml` that says the same."""
    pairs = list(_pairs(path.read_text(errors="replace")))
    values, unclear = _values(pairs)
    sections = {
        "celadon.toml": [f"{name} = {_toml(value)}" for name, value in values.items()],
        "Becomes": [],
        "Is not there": [],
        "Is not known here, look at it": [],
        "Look at the value": unclear,
    }
    for name in dict.fromkeys(name for name, _ in pairs):
        option = OPTIONS.get(name)
        if option is None:
            sections["Is not known here, look at it"].append(name)
        elif option.setting:
            note = f" ({option.note})" if option.note else ""
            sections["Becomes"].append(f"{name}: {option.setting}{note}")
        else:
            sections["Is not there"].append(f"{name}: {option.note}")
    return "\n".join(
        f"{title}:\n" + "\n".join(f"  {line}" for line in lines)
        for title, lines in sections.items()
        if lines
    )


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Of its section; uWSGI lets a key stand there more than once."""
    is_inside = False
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("["):
            is_inside = line.lower() == _SECTION
        elif is_inside and line and line[0] not in "#;":
            name, _, value = line.partition("=")
            yield name.strip().replace("_", "-"), value.strip()


def _values(pairs: list[tuple[str, str]]) -> tuple[dict[str, Any], list[str]]:
    """Settings with what they are here, and lines about what is not clear."""
    found: dict[str, Any] = {}
    unclear = []
    for name, raw in pairs:
        option = OPTIONS.get(name, Option())
        if not option.setting or name in _TARGETS:
            continue
        value = _value(name, option, raw)
        try:
            parsed = None if value is None else SETTINGS[option.setting].parse(value)
        except (ValueError, TypeError):
            parsed = None
        if parsed is None or _is_filled_in(raw):
            unclear.append(f"{name} = {raw}: {option.setting}")
        elif option.setting in _MANY:
            found.setdefault(option.setting, []).append(value)
        else:
            found[option.setting] = value
    options = dict(pairs)
    target = _target(options)
    if target is None:
        named = [f"{name} = {options[name]}" for name in _TARGETS if name in options]
        unclear.insert(0, f"{', '.join(named)}: wsgi_app")
    elif target:
        found = {"wsgi_app": target, **found}
    return found, unclear


def _value(name: str, option: Option, raw: str) -> Any:
    """What the setting says; None where a person has to."""
    if option.setting == "bind":
        is_path = ":" not in raw
        host, _, port = raw.rpartition(":")
        return f"unix:{raw}" if is_path else f"{host or '0.0.0.0'}:{port}"
    if name in (
        "mount",
        "manage-script-name",
        "log-format",
        "logformat",
        "chmod-socket",
    ):
        return None
    if name in ("lazy-apps", "lazy", "harakiri-verbose", "log-x-forwarded-for"):
        return None
    if option.setting in ("reload", "request_buffering"):
        return raw.lower() not in ("false", "0", "no", "off")
    if option.setting in ("keepalive", "tcp_keepalive"):
        return None
    if option.setting in ("errorlog", "accesslog"):
        return _log_of(name, raw)
    return f"{raw}{option.unit}" if option.unit else int(raw) if raw.isdigit() else raw


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
    return None if _is_filled_in(module) else module


def _module_of(file: str, chdir: str) -> str:
    """Its name where it is looked for from `chdir`; empty where it is none there."""
    path = PurePath(file)
    if chdir and path.is_relative_to(chdir):
        path = path.relative_to(chdir)
    if path.is_absolute() or path.suffix != ".py":
        return ""
    parts = path.with_suffix("").parts
    return "" if any("." in part for part in parts) else ".".join(parts)


def _is_filled_in(raw: str) -> bool:
    """By uWSGI, with what it knows when it reads the file."""
    return "%" in raw or "$(" in raw


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
