"""An ini file of uWSGI's: its options in their order, with what they stand for.

uWSGI reads all of it first and then fills in ``%(name)`` with the first value of that name,
which may stand below. A loop is written out; what stands below a condition is known when
uWSGI starts, and not before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_SECTION = "uwsgi"
_PLACEHOLDER = re.compile(r"%\(([^()]+)\)")
_DEEPEST = 10  # of names that stand for names
_LOOPS = ("for", "for-times")
_ENDS = ("end", "endif", "end-if", "endfor", "end-for")
_NAMED = ("set-placeholder", "set-ph", "setph")


class Pair(NamedTuple):
    """An option, its value, and the condition that it stands below, if there is one."""

    name: str
    value: str
    under: str = ""


@dataclass(frozen=True)
class File:
    """`variables` are names that only others refer to, as ``%(name)``."""

    pairs: list[Pair]
    variables: set[str]


def is_one(path: Path) -> bool:
    """Whether it is a file for uWSGI."""
    if path.suffix != ".ini":
        return False
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return False
    return any(line.strip() == f"[{_SECTION}]" for line in lines)


def read(path: Path) -> File:
    """A key may stand there more than once."""
    text = path.read_text(errors="replace")
    variables: set[str] = set()
    known: dict[str, str] = {}
    open_: set[str] = set()  # names whose value a condition decides
    pairs = []
    for pair in _spread(_pairs(text, _SECTION, {_SECTION})):
        name, value, under = pair
        if name == "set" or name in _NAMED:
            name, _, value = value.partition("=")
        if pair.name in _NAMED:
            variables.add(_dashed(name))
        else:
            pairs.append(Pair(_dashed(name), value, under))
        if under:
            open_.add(name)
        known.setdefault(name, value)
    for name in open_:
        known.pop(name, None)
    for each in pairs:
        variables |= {_dashed(name) for name in _PLACEHOLDER.findall(each.value)}
    filled = [Pair(name, _fill(value, known), under) for name, value, under in pairs]
    return File(filled, variables)


def _dashed(name: str) -> str:
    return name.strip().replace("_", "-")


def _fill(value: str, known: dict[str, str]) -> str:
    for _ in range(_DEEPEST):
        filled = _PLACEHOLDER.sub(lambda one: known.get(one[1], one[0]), value)
        if filled == value:
            break
        value = filled
    return value


def is_open(raw: str) -> bool:
    """Whether uWSGI fills in what it alone knows when it reads the file."""
    return any(mark in raw for mark in ("%", "$(", "@("))


def is_on(raw: str) -> bool:
    """Of a switch, which may stand without a value."""
    return raw.lower() not in ("false", "0", "no", "off")


def _spread(pairs: Iterable[tuple[str, str]]) -> Iterator[Pair]:
    """What stands in a loop once for each of its turns."""
    logic = ""
    turns: list[str] | None = None
    for name, value in pairs:
        key = _dashed(name)
        if key in _ENDS:
            logic, turns = "", None
            yield Pair(name, value)
        elif key in _LOOPS:
            logic, turns = "", _turns(key, value)
            yield Pair(name, value)
        elif key == "else" or key.startswith(("if-", "for-")):
            logic = f"else of {logic}" if key == "else" else f"{key} = {value}"
            turns = None
            yield Pair(name, value)
        elif turns is None:
            yield Pair(name, value, logic)
        else:
            yield from (Pair(name, value.replace("%(_)", turn)) for turn in turns)


def _turns(key: str, value: str) -> list[str]:
    if key == "for":
        return value.split()
    return [str(number + 1) for number in range(int(value) if value.isdigit() else 0)]


def _pairs(text: str, section: str, read: set[str]) -> Iterator[tuple[str, str]]:
    """Of a section, and of those of the same file that it names (``ini = :base``)."""
    is_inside = False
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("["):
            is_inside = line == f"[{section}]"
        elif is_inside and line and line[0] not in "#;":
            name, _, value = (part.strip() for part in line.partition("="))
            other = value.removeprefix(":")
            if name == "ini" and other != value:
                if other not in read:
                    yield from _pairs(text, other, read | {other})
            else:
                yield name, value
