"""An ini file of uWSGI's: its options in their order, with what they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SECTION = "[uwsgi]"
_PLACEHOLDER = re.compile(r"%\(([^()]+)\)")


@dataclass(frozen=True)
class File:
    """`pairs` are options and values; `variables` are names that only others refer to, as
    ``%(name)``, and what conditions compare."""

    pairs: list[tuple[str, str]]
    variables: set[str]


def is_one(path: Path) -> bool:
    """Whether it is a file for uWSGI."""
    if path.suffix != ".ini":
        return False
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return False
    return any(line.strip().lower() == _SECTION for line in lines)


def read(path: Path) -> File:
    """A key may stand there more than once; a value has what was said above it."""
    known: dict[str, str] = {}
    pairs = []
    referred: set[str] = set()
    for name, raw in _pairs(path.read_text(errors="replace")):
        referred |= set(_PLACEHOLDER.findall(raw))
        value = _PLACEHOLDER.sub(lambda one: known.get(one[1], one[0]), raw)
        known[name] = value
        pairs.append((name.replace("_", "-"), value))
    return File(pairs, {name.replace("_", "-") for name in referred & known.keys()})


def is_open(raw: str) -> bool:
    """Whether uWSGI fills in what it alone knows when it reads the file."""
    return "%" in raw or "$(" in raw


def is_on(raw: str) -> bool:
    """Of a switch, which may stand without a value."""
    return raw.lower() not in ("false", "0", "no", "off")


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    is_inside = False
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("["):
            is_inside = line.lower() == _SECTION
        elif is_inside and line and line[0] not in "#;":
            name, _, value = line.partition("=")
            yield name.strip(), value.strip()
