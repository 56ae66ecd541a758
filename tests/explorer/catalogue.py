"""Scenarios by name, each with how far it is explored."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MODULES = (
    "locks",
    "loops",
    "queues",
    "spawns",
    "threads",
    "executors",
    "pools",
    "sqlalchemys",
    "sockets",
    "pipes",
    "tls",
    "children",
    "sqlites",
    "drivers",
    "requests",
    "requirements",
)
PLACES = "EXPLORED_SERVICES"  # in the environment: where servers listen


@dataclass(frozen=True)
class Row:
    name: str
    scenario: Callable[..., Any]
    options: dict[str, Any] = field(default_factory=dict)
    fault: str = ""  # the id of one that is known and not mended yet
    random: bool = True  # whether `make explore` tries it by chance, too
    proves: tuple[str, ...] = ()  # ids of requirements
    kept: tuple[str, ...] = ()  # schedules under which it failed once
    needs: tuple[str, ...] = ()  # fields of `tests.support.services.Services`

    def prepare(self) -> None:
        """What its module does before anything is explored."""
        module = sys.modules[self.scenario.__module__]
        if hasattr(module, "prepare"):
            module.prepare()

    @property
    def in_a_server(self) -> bool:
        """Whether it is explored in a worker's loop."""
        return self.scenario.__module__ == f"{_FOLDER}.requests"


_FOLDER = "tests.explorer.scenarios"
_rows: dict[str, Row] = {}


def scenario(
    fault: str = "",
    random: bool = True,
    proves: tuple[str, ...] = (),
    kept: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
    **options: Any,
) -> Any:
    """Puts a function into the table; `options` are `explore`'s."""

    def add(fn: Callable[..., Any]) -> Callable[..., Any]:
        name = fn.__name__
        assert name not in _rows, name
        _rows[name] = Row(name, fn, options, fault, random, proves, kept, needs)
        return fn

    return add


def place(name: str) -> Any:
    """Where a server that a scenario `needs` listens."""
    return json.loads(os.environ[PLACES])[name]


def rows(*modules: str) -> list[Row]:
    """Those of some modules; of all but ``planted`` where none is named."""
    wanted = [f"{_FOLDER}.{name}" for name in modules or MODULES]
    for module in wanted:
        importlib.import_module(module)
    return [row for row in _rows.values() if row.scenario.__module__ in wanted]


def row(name: str) -> Row:
    return next(row for row in rows(*MODULES, "planted") if row.name == name)
