"""Which files relative paths in settings mean: those in `chdir`, as gunicorn takes them.

The master, which opens some of them, stays where it was started: a reload looks there for
what is relative to it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celadon.config.settings import SETTINGS
from celadon.config.values.addresses import parse_addresses
from celadon.config.values.tls import parse_certificates

_UNIX = "unix:"


def here() -> Path:
    """The working directory as the user has named it: a link may lead elsewhere later."""
    named = os.environ.get("PWD", "")
    with contextlib.suppress(OSError):
        if os.path.isabs(named) and os.path.samefile(named, "."):
            return Path(named)
    return Path.cwd()


def settle(values: dict[str, Any]) -> None:
    """Makes relative paths whole where there is a `chdir`."""
    if not values["chdir"]:
        return
    folder = os.path.join(here(), values["chdir"])
    for name, row in SETTINGS.items():
        if not row.in_chdir:
            continue
        whole = _WHOLE.get(row.parse, _whole)
        value = values[name]
        if isinstance(value, list):
            values[name] = [whole(each, folder) for each in value]
        else:
            values[name] = whole(value, folder)


def _whole(path: str, folder: str) -> str:
    return path if path in ("", "-") else os.path.join(folder, path)


def _whole_pair(pair: str, folder: str) -> str:
    return ":".join(_whole(path, folder) for path in pair.split(":"))


def _whole_address(address: str, folder: str) -> str:
    path = address.removeprefix(_UNIX)
    if path == address or path[:1] in ("", "@"):
        return address
    return _UNIX + os.path.join(folder, path)


_WHOLE: dict[Callable[[Any], Any], Callable[[str, str], str]] = {
    parse_addresses: _whole_address,
    parse_certificates: _whole_pair,
}
