"""All sources but flags and the environment's single settings, the lowest first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from celadon.config.sources import files
from celadon.config.sources.layer import Layer
from celadon.errors import UsageError

# Parses words of a command line to settings by name.
Parse = Callable[[Sequence[str]], Mapping[str, Any]]


def collect(
    config: str | None,
    environ: Mapping[str, str],
    parse: Parse,
    folder: Path,
    run_code: bool = True,
) -> list[Layer]:
    """What a configuration file says, then ``GUNICORN_CMD_ARGS``, ``CELADON_CMD_ARGS``.

    `config` is the value of ``--config``; without it (None) the first file of a known
    name in `folder` is read, none where it is empty. One that is code says nothing unless
    `run_code`. A file that cannot be read and words that are no flags are problems of
    their layers.
    """
    arguments = [
        _arguments(name, environ[name], parse)
        for name in ("GUNICORN_CMD_ARGS", "CELADON_CMD_ARGS")
        if environ.get(name)
    ]
    for layer in reversed(arguments):
        named = layer.values.pop("config", None)
        config = named if config is None else config
    try:
        file = _file(config, folder, run_code)
    except UsageError as error:
        file = Layer(config or "", problems=[*error.problems])
    return [*([file] if file else []), *arguments]


def _file(config: str | None, folder: Path, run_code: bool) -> Layer | None:
    if config is None:
        found = files.find(folder)
        return files.read(found, run_code) if found else None
    return files.read_named(config, folder, run_code) if config else None


def _arguments(name: str, text: str, parse: Parse) -> Layer:
    import shlex  # only where there are words to split

    layer = Layer(f"environment {name}")
    try:
        layer.values.update(parse(shlex.split(text)))
    except UsageError as error:
        layer.problems += [f"{name}: {each}" for each in error.problems]
    except ValueError as error:
        layer.problems.append(f"{name}: {error}")
    return layer
