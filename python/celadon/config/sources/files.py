"""Configuration files: ``celadon.toml``, ``pyproject.toml``, and Python ones."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from celadon.config.sources import python_files
from celadon.config.sources.layer import Layer
from celadon.errors import UsageError

# The first that is found is read; they are never merged.
NAMES = ("celadon.conf.py", "celadon.toml", "pyproject.toml", "gunicorn.conf.py")


_OTHERS = {
    ".ini": "--paste FILE takes PasteDeploy's, `celadon migrate FILE` reads uWSGI's",
    ".json": "a configuration is TOML or Python",
    ".yaml": "a configuration is TOML or Python",
    ".yml": "a configuration is TOML or Python",
}


def find(folder: Path) -> Path | None:
    """The configuration file of `folder`, if it has one."""
    for name in NAMES:
        path = folder / name
        if not path.is_file():
            continue
        try:
            if name == "pyproject.toml" and _tool_table(path) is None:
                continue
        except (OSError, UsageError) as error:  # it may be none of ours
            why = f"{name}: {error.strerror}" if isinstance(error, OSError) else error
            raise UsageError(f"{why}; --config '' reads no file") from None
        return path
    return None


def read_named(name: str, folder: Path, run_code: bool = True) -> Layer:
    """What ``--config`` names: ``PATH``, ``file:PATH`` or ``python:MODULE``."""
    if name.startswith("python:"):
        if not run_code:
            return Layer(name)
        return _read_module(name.removeprefix("python:"), folder)
    path = Path(folder, name.removeprefix("file:"))
    if not path.is_file():
        raise UsageError(f"config: no file {str(path)!r}")
    return read(path, run_code)


def read(path: Path, run_code: bool = True) -> Layer:
    """By its name: TOML, or Python, which says nothing unless `run_code`."""
    try:
        if path.name == "pyproject.toml":
            return Layer(f"{path.name} [tool.celadon]", dict(_tool_table(path) or {}))
        if path.suffix == ".toml":
            return Layer(path.name, dict(_read_toml(path)))
        if path.suffix in _OTHERS:
            raise UsageError(f"config: {path.name}: {_OTHERS[path.suffix]}")
        return python_files.read_file(path) if run_code else Layer(path.name)
    except OSError as error:
        raise UsageError(f"config: {error}") from None


def _read_module(name: str, folder: Path) -> Layer:
    source = f"python:{name}"
    # A reload must see what is new in it, and hooks of before find all as it was.
    before = sys.modules.pop(name, None)
    sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module(name)
    except Exception as error:
        if before:
            sys.modules[name] = before
        raise python_files.failed(source, error) from None
    finally:
        sys.path.remove(str(folder))
    return python_files.read_namespace(vars(module), source, False, frozenset())


def _read_toml(path: Path) -> dict[str, Any]:
    import tomllib  # only where there is such a file: a start must be short

    try:
        return tomllib.loads(path.read_bytes().decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name}: {error}") from None


def _tool_table(path: Path) -> dict[str, Any] | None:
    table = _read_toml(path).get("tool", {}).get("celadon")
    if table is not None and not isinstance(table, dict):
        raise UsageError(f"{path.name}: [tool.celadon] is not a table")
    return table
