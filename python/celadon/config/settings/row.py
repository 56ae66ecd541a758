"""What a setting is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from celadon.config.values.plain import parse_bool


@dataclass(frozen=True)
class Setting:
    """One row of the table.

    `flags` are the command-line spellings; empty means ``--name-with-dashes``. One that
    is `file_only` has none, as only Python or TOML can hold its value.
    The value of one that `is_secret` is shown to nobody, but for the names in it.
    One that `needs_master` means nothing to a process that serves by itself, one that
    `needs_command` nothing to who has the application already. Paths of one that is
    `in_chdir` are relative to that folder where there is one.
    """

    name: str
    parse: Callable[[Any], Any]
    default: Any
    help: str
    flags: tuple[str, ...] = ()
    repeat: bool = False
    metavar: str | None = None
    section: str = "server"
    file_only: bool = False
    is_secret: bool = False
    needs_master: bool = False
    needs_command: bool = False
    in_chdir: bool = False

    @property
    def is_bool(self) -> bool:
        return self.parse is parse_bool

    @property
    def all_flags(self) -> tuple[str, ...]:
        return self.flags or ("--" + self.name.replace("_", "-"),)
