"""``celadon.conf.py`` and ``gunicorn.conf.py``: names of a Python file are settings.

In one that was written for gunicorn, which is every other one, only gunicorn's are:
settings that it does not know carry ``celadon_`` before their names there.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from celadon.config.hooks import HOOKS, check_hook
from celadon.config.settings import SETTINGS, gunicorn
from celadon.config.sources import stand_in
from celadon.config.sources.layer import Layer
from celadon.errors import UsageError

# Flags of several words that are spelt otherwise than their settings: --access-logfile.
# A log_file may be the author's, for whichever log.
_FLAGS = {
    flag[2:].replace("-", "_"): [name]
    for name, row in SETTINGS.items()
    for flag in row.flags
    if flag.count("-") > 2 and flag != "--log-file"
}
_NEAR = 0.85  # so alike that it is a slip of the pen
_PREFIX = "celadon_"


def read_file(path: Path) -> Layer:
    """Runs the file. Raises `UsageError` with the traceback of its own code."""
    is_gunicorn = not path.name.startswith("celadon")
    namespace: dict[str, Any] = {
        "__name__": "__config__",
        "__file__": str(path),
        "__doc__": None,
    }
    try:
        code = compile(path.read_bytes(), str(path), "exec")
        with stand_in.gunicorn():
            exec(code, namespace)
    except Exception as error:
        import traceback  # only where something is wrong

        frames = error.__traceback__.tb_next if error.__traceback__ else None
        shown = "".join(traceback.format_exception(type(error), error, frames))
        raise UsageError(f"{shown}config: {path.name} cannot be read") from None
    return read_namespace(namespace, path.name, strict=not is_gunicorn)


def read_namespace(namespace: Mapping[str, Any], source: str, strict: bool) -> Layer:
    """Sorts names into settings, hooks and the author's own.

    Imports, functions, classes, ``_names`` and ``ALL_CAPS`` are the author's. Another
    unknown name is a problem where `strict`, which is to say in a file of celadon's;
    else only one that is nearly a setting is mentioned.
    """
    layer = Layer(source)
    for name, value in namespace.items():
        if name in HOOKS:
            _add_hook(layer, name, value)
        elif isinstance(value, types.ModuleType):
            continue  # also where a setting is called so: from celadon import green
        elif not strict and name.startswith(_PREFIX):
            _add_own(layer, name, value)
        elif name in (SETTINGS if strict else gunicorn.SHARED) or (
            name in gunicorn.VERDICTS
        ):
            if value is not None:
                layer.values[name] = value
        elif not _is_authors(name, value):
            _note_unknown(layer, name, strict, namespace)
    return layer


def read_own(namespace: Mapping[str, Any], source: str) -> Layer:
    """Of a file that gunicorn itself has read: celadon's settings alone."""
    layer = Layer(source)
    for name, value in namespace.items():
        if name.startswith(_PREFIX) and not isinstance(value, types.ModuleType):
            _add_own(layer, name, value)
    return layer


def _add_own(layer: Layer, name: str, value: Any) -> None:
    setting = name.removeprefix(_PREFIX)
    if setting in SETTINGS:
        if value is not None:
            layer.values[setting] = value
    elif not _is_authors(setting, value):
        near = difflib.get_close_matches(setting, SETTINGS, n=2)
        hint = " or ".join(repr(_PREFIX + each) for each in near)
        layer.problems.append(
            f"unknown setting {name!r}"
            + (f" (did you mean {hint}?)" if hint else "")
            + f" ({layer.source})"
        )


def _add_hook(layer: Layer, name: str, value: Any) -> None:
    if value is None:
        return
    problem = check_hook(name, value)
    if problem:
        layer.problems.append(f"{problem} ({layer.source})")
    else:
        layer.hooks[name] = value


def _is_authors(name: str, value: Any) -> bool:
    kinds = (types.FunctionType, types.BuiltinFunctionType, type)
    return name.startswith("_") or name.isupper() or isinstance(value, kinds)


def _note_unknown(
    layer: Layer, name: str, strict: bool, namespace: Mapping[str, Any]
) -> None:
    if name in SETTINGS:
        layer.warnings.append(
            f"{name} is left alone, as by gunicorn, which has no such setting: "
            f"celadon's is {_PREFIX}{name} here ({layer.source})"
        )
        return
    known = [*(SETTINGS if strict else gunicorn.SHARED), *HOOKS, *gunicorn.VERDICTS]
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.6 if strict else _NEAR)
    near = near or [each for each in _FLAGS.get(name, ()) if each not in namespace]
    hint = f" (did you mean {' or '.join(map(repr, near))}?)" if near else ""
    line = f"unknown setting {name!r}{hint} ({layer.source})"
    if strict:
        layer.problems.append(line)
    elif near:
        layer.warnings.append(line)
