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
    `run_code`. Raises `UsageError` for a file that
    cannot be read and for words that are no flags.
    """
    arguments = [
        _arguments(name, environ[name], parse)
        for name in ("GUNICORN_CMD_ARGS", "CELADON_CMD_ARGS")
        if environ.get(name)
    ]
    for layer in reversed(arguments):
        named = layer.values.pop("config", None)
        config = named if config is None else config
    if config is None:
        found = files.find(folder)
        layers = [files.read(found, run_code)] if found else []
    else:
        layers = [files.read_named(config, folder, run_code)] if config else []
    return layers + arguments


def _arguments(name: str, text: str, parse: Parse) -> Layer:
    import shlex  # only where there are words to split

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None
    try:
        return Layer(f"environment {name}", dict(parse(words)))
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None
