"""Settings as the keywords of a call from Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from celadon import config
from celadon.errors import UsageError
from celadon.serving import surroundings


def load(given: Mapping[str, Any]) -> config.Config:
    """Raises `UsageError`, also for what only the command can do."""
    settings = config.load(given)
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
