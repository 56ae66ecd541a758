"""What a setting is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from celadon.config.values.mounts import parse_mounts
from celadon.config.values.names import parse_environment, parse_response_headers
from celadon.config.values.plain import parse_auto_bool, parse_bool, parse_umask


@dataclass(frozen=True)
class Setting:
    """One row of the table.

    `flags` are the command-line spellings; empty means ``--name-with-dashes``. One that
    is `file_only` has none, as only Python or TOML can hold its value.
    The value of one that `is_secret` is shown to nobody, but for the names in it.
    One that `needs_master` means nothing to a process that serves by itself, one that
    `needs_command` nothing to who has the application already. Paths of one that is
    `in_chdir` are relative to that folder where there is one.

    Those `for_server` and `for_master` are told as they are to a server of the core, and to
    its master; those `for_admin` to the admin process, when it starts. One that is
    `for_life` changes with a restart only. `changes_process`: the one that it is read in.
    `none_if_empty`: gunicorn's own is None then, in the `cfg` of hooks. 0 of one with a
    `ceiling` means that, and so does what is above it. `variable` of the environment gives
    the default, as gunicorn reads it. `under_gunicorn`: gunicorn's own, which its worker
    reads that runs requests on greenlets. One that `has_networks` holds what the core takes
    for networks, as one text.
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
    for_server: bool = False
    for_master: bool = False
    for_admin: bool = False
    for_life: bool = False
    changes_process: bool = False
    none_if_empty: bool = False
    ceiling: int | None = None
    variable: str = ""
    under_gunicorn: bool = False
    has_networks: bool = False

    @property
    def is_bool(self) -> bool:
        """Whether its flag needs no value."""
        return self.parse in (parse_bool, parse_auto_bool)

    @property
    def has_pairs(self) -> bool:
        """Whether its values are ``NAME=value`` or the like, in which a comma is one."""
        return self.parse in (parse_environment, parse_mounts, parse_response_headers)

    @property
    def is_mode(self) -> bool:
        """Whether its number is written in octal digits."""
        return self.parse is parse_umask

    @property
    def all_flags(self) -> tuple[str, ...]:
        return self.flags or ("--" + self.name.replace("_", "-"),)
