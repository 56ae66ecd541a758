"""A configuration for people and for scripts: each value, and where it came from."""

from __future__ import annotations

import json

from celadon.config.effective import Config
from celadon.config.flags import show_of
from celadon.config.settings import SETTINGS

_HIDDEN = "***"


def as_text(settings: Config) -> str:
    """A line for each setting, then hooks and notes."""
    lines = [
        f"{name} = {show_of(SETTINGS[name], _shown(name, value))}  # {settings.sources[name]}"
        for name, value in settings.values.items()
    ]
    for name, hook in settings.hooks.items():
        code = getattr(hook, "__code__", None)
        where = f"{code.co_filename}:{code.co_firstlineno}" if code else "built in"
        lines.append(f"{name}()  # {where}")
    lines += [f"# note: {note}" for note in settings.notes]
    return "\n".join(lines)


def as_json(settings: Config) -> str:
    """One object: ``settings`` (value and source by name), ``hooks``, ``notes``."""
    data = {
        "settings": {
            name: {"value": _shown(name, value), "source": settings.sources[name]}
            for name, value in settings.values.items()
        },
        "hooks": sorted(settings.hooks),
        "notes": settings.notes,
    }
    return json.dumps(data, indent=2, default=repr)


def _shown(name: str, value: object) -> object:
    if not SETTINGS[name].is_secret or not value:
        return value
    if isinstance(value, list):
        return [f"{each.partition('=')[0]}={_HIDDEN}" for each in value]
    return _HIDDEN
