"""What was replaced, and what stood there before."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from types import BuiltinFunctionType, ModuleType
from typing import Any

from celadon._core import green

_originals: dict[tuple[str, str], Any] = {}
# Who was changed in each place, to what, by which part, and whether it had one of its own.
_set: dict[tuple[str, str], tuple[Any, Any, str | None, bool]] = {}
_part: str | None = None  # that is applied just now


def replace(module: ModuleType | type, name: str, value: Any) -> None:
    """Sets ``module.name`` and remembers what it was. A class goes by its full name.

    A function of C is nobody's method, wherever it is put, and is pickled by its name: so
    is what stands in its place.
    """
    before = vars(module).get(name)
    if isinstance(before, BuiltinFunctionType) and not isinstance(value, type):
        value = green.in_place_of(before, value)
        for each in _sets_of(module):
            if before in each:
                each.add(value)
        home: Any = sys.modules.get(before.__module__) or object  # `posix`, for `os`
        if home is not module and vars(home).get(before.__name__) is before:
            replace(home, before.__name__, value)
    owner = module.__name__
    if isinstance(module, type):
        owner = f"{module.__module__}.{module.__qualname__}"
    here = getattr(module, name)
    is_own = name in vars(module) if (owner, name) not in _set else _set[owner, name][3]
    _assign(module, name, value)
    _originals.setdefault((owner, name), here)
    _set[owner, name] = (module, value, _part, is_own)


def _assign(owner: ModuleType | type, name: str, value: Any) -> None:
    try:
        setattr(owner, name, value)
    except TypeError:  # a class of C that lets nobody, as 3.15 has more of
        if not isinstance(owner, type):
            raise
        green.set_in_class(owner, name, value)


def _sets_of(module: ModuleType | type) -> list[set[Any]]:
    """In which functions of it may be: `os.supports_dir_fd` says by that what they can."""
    return [each for each in vars(module).values() if type(each) is set]


def patched(module: str, name: str) -> bool:
    """Whether ``module.name`` was replaced; `module` may be a class: ``socket.socket``."""
    return (module, name) in _originals


def original(module: str, name: str) -> Any:
    """What ``module.name`` was; raises `KeyError` if it was not replaced."""
    return _originals[(module, name)]


def replaced() -> dict[tuple[str, str], Any]:
    """What stood in each place, by module or class, and name."""
    return dict(_originals)


def replacements() -> Iterator[tuple[str, Any, Any]]:
    """What can be taken from its place by a name of one's own: the place, what was there
    and what is there now."""
    for (owner, name), (_, value, _, is_own) in _set.items():
        before = _originals[owner, name]
        if is_own and callable(before) and before is not value:
            yield f"{owner}.{name}", before, value


def take_back(parts: Sequence[str]) -> None:
    """What stood there before comes back, of these parts, or of all; but for places where
    somebody has put something else since."""
    for place, (owner, value, part, is_own) in [*_set.items()]:
        if parts and part not in parts:
            continue
        name = place[1]
        if vars(owner).get(name) is value:
            if is_own:
                _assign(owner, name, _originals[place])
            else:
                delattr(owner, name)
        if isinstance(value, BuiltinFunctionType):
            for each in _sets_of(owner):
                each.discard(value)
        del _set[place], _originals[place]


def current_part() -> str | None:
    """The part that is applied just now, if one is."""
    return _part


@contextlib.contextmanager
def applying(part: str | None) -> Iterator[None]:
    """What is replaced meanwhile belongs to `part`."""
    global _part
    before, _part = _part, part
    try:
        yield
    finally:
        _part = before
