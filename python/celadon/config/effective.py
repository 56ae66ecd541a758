"""The values of all settings, and where each came from."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any

from celadon.config.hooks import Hook
from celadon.config.settings import SETTINGS, gunicorn, uvicorn
from celadon.errors import UsageError, brief


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

    def mode_of(self, interface: str) -> str:
        """How requests of such an application run, in words that follow the version; none
        where nobody has seen it yet (``auto``)."""
        if interface in ("asgi", "asgi2"):
            return " on an event loop"
        if not self.green:
            return " on one request at a time (--no-green)"
        return " on greenlets" if interface == "wsgi" else ""

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

    def told(self, column: str) -> dict[str, Any]:
        """The values of settings with that column of the table."""
        return {
            name: self.values[name]
            for name, row in SETTINGS.items()
            if getattr(row, column)
        }

    def keep(self, running: Config) -> None:
        """What cannot change while the server runs stays as it is, and is noted."""
        for name in running.told("for_life"):
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
            given = "" if row.is_secret else f", not {brief(_alone(raw))}"
            raise UsageError(f"{name}: {error}{given} ({source})") from None
        self.values[name] = value
        self.sources[name] = source

    def _judge(self, name: str, raw: Any, source: str) -> None:
        verdict = gunicorn.VERDICTS.get(name) or uvicorn.VERDICTS.get(name)
        if verdict is None:
            raise unknown_setting(name, source)
        if verdict.setting:
            self.set(verdict.setting, raw, source)
            return
        if not verdict.applies(raw):
            return
        if verdict.refused:
            raise UsageError(f"{name} is refused: {verdict.reason} ({source})")
        self.notes.append(f"{name} has no effect: {verdict.reason} ({source})")


def _alone(value: Any) -> Any:
    """The one of a list of one: a flag that may be repeated was given once."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def unknown_setting(name: str, source: str = "") -> UsageError:
    is_variable = source.startswith("environment CELADON_")
    known = [*SETTINGS] if is_variable else [*SETTINGS, *gunicorn.VERDICTS]
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.65)
    hint = " (did you mean " + " or ".join(repr(n) for n in near) + "?)" if near else ""
    where = f" ({source})" if source and source != KEYWORD else ""
    if is_variable and not near:
        where += (
            "; all variables that begin with CELADON_ are settings: name it otherwise"
        )
    return UsageError(f"unknown setting {name!r}{hint}{where}")


KEYWORD = "keyword"
