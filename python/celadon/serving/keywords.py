"""Settings as the keywords of a call from Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from celadon import config
from celadon.config.settings import SETTINGS
from celadon.errors import UsageError
from celadon.serving import surroundings


def load(given: Mapping[str, Any]) -> config.Config:
    """None is the default of a setting, as in a file. Raises `UsageError`, also for what
    only the command can do."""
    said = {
        name: value
        for name, value in given.items()
        if value is not None or name not in SETTINGS
    }
    settings = config.load(said)
    refuse(settings.chosen("needs_command"), "only the command `celadon` does that")
    return settings


def refuse(names: Iterable[str], reason: str) -> None:
    if problems := [f"{name}: {reason}" for name in names]:
        raise UsageError(*problems)


def prepare(settings: config.Config) -> None:
    surroundings.prepare(settings)
    surroundings.import_from(*settings.pythonpath)
    if settings.green:
        surroundings.configure(settings)
