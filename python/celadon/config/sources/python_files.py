"""``celadon.conf.py`` and ``gunicorn.conf.py``: names of a Python file are settings.

In one that was written for gunicorn, which is every other one, only gunicorn's are:
settings that it does not know carry ``celadon_`` before their names there.
"""

from __future__ import annotations

import ast
import difflib
import sys
import types
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from celadon.base import origins
from celadon.config.hooks import HOOKS, check_hook, named
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
_MODULE = "__config__"  # as gunicorn calls it
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def read_file(path: Path) -> Layer:
    """Runs the file, as the module ``__config__``, which its own names are found by.

    Raises `UsageError` with the traceback of its own code.
    """
    is_gunicorn = not path.name.startswith("celadon")
    module = types.ModuleType(_MODULE)
    module.__file__ = str(path)
    before = sys.modules.get(_MODULE)
    sys.modules[_MODULE] = module
    try:
        tree = ast.parse(path.read_bytes(), str(path))
        # Without the __future__ of this module.
        code = compile(tree, str(path), "exec", dont_inherit=True)
        with stand_in.gunicorn(), stand_in.uvicorn():
            exec(code, vars(module))
    except Exception as error:
        if before:
            sys.modules[_MODULE] = before
        raise failed(path.name, error) from None
    imported = {*_imported(tree)}
    return read_namespace(vars(module), path.name, not is_gunicorn, imported)


def failed(name: str, error: Exception) -> UsageError:
    """Of code that is a configuration: what it raised, by its own lines."""
    import traceback  # only where something is wrong

    frames = error.__traceback__
    while frames is not None and _is_machinery(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    shown = "".join(traceback.format_exception(type(error), error, frames))
    return UsageError(f"{shown}config: {name} cannot be read")


def _is_machinery(file: str) -> bool:
    return origins.is_ours(file) or origins.is_standard(file)


def _imported(node: ast.AST) -> Iterator[str]:
    """Names that statements of a module import, but for those of functions in it."""
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.Import | ast.ImportFrom):
            yield from (one.asname or one.name.partition(".")[0] for one in each.names)
        elif not isinstance(each, _SCOPES):
            yield from _imported(each)


def read_namespace(
    namespace: Mapping[str, Any], source: str, strict: bool, imported: Set[str]
) -> Layer:
    """Sorts names into settings, hooks and the author's own.

    What was `imported` and is no setting, functions, classes, ``_names`` and ``ALL_CAPS``
    are the author's. Another unknown name is a problem where `strict`, which is to say in
    a file of celadon's; else only one that is nearly a setting is mentioned.
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
        elif name not in imported and not _is_authors(name, value):
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
    try:
        hook: Any = named(value) if isinstance(value, str) else value
        problem = check_hook(name, hook)
    except ValueError as error:
        problem = f"{name}: {error}"
    if problem:
        layer.problems.append(f"{problem} ({layer.source})")
    else:
        layer.hooks[name] = hook


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
