"""The server's part of a PasteDeploy file: ``[server:main]``."""

from __future__ import annotations

import configparser
import re
from collections.abc import Sequence
from pathlib import Path

from celadon.config.settings import waitress
from celadon.config.sources.layer import Layer
from celadon.errors import UsageError, reason

_SECTION = "server:main"


# Servers whose settings have our names.
_OURS = re.compile(r"\b(celadon|gunicorn)\b")
_APPLICATIONS = (
    "app",
    "application",
    "composite",
    "composit",
    "pipeline",
    "filter-app",
)


def _look_for_application(
    parser: configparser.ConfigParser, name: str, path: Path
) -> None:
    """Raises `UsageError` where the file has none of that name."""
    wanted = name.partition("#")[2] or "main"
    there = [
        section.partition(":")[2].strip()
        for section in parser.sections()
        if section.partition(":")[0].strip() in _APPLICATIONS
    ]
    if wanted not in there:
        raise UsageError(
            f"paste: {path.name} has no application {wanted!r}; it has "
            + (", ".join(map(repr, there)) or "none")
        )


def file_of(name: str, folder: Path) -> Path:
    """The file of ``FILE.ini#application``, which may be relative to `folder`."""
    return Path(folder, name.partition("#")[0].removeprefix("config:"))


def read(name: str, folder: Path, global_conf: Sequence[str] = ()) -> Layer:
    """Its values as settings; logging is configured by it where it says how.

    `global_conf` are ``KEY=value`` each, for ``%(KEY)s``; a value that names one that is
    not there is left out, with a warning. Raises `UsageError` for a file that cannot be
    read.
    """
    path = file_of(name, folder)
    defaults = {"here": str(path.parent), "__file__": str(path)}
    given = dict(pair.split("=", 1) for pair in global_conf if "=" in pair)
    layer = Layer(f"{path.name} [{_SECTION}]")
    items = {}
    parser = configparser.ConfigParser(defaults)
    try:
        with path.open() as file:
            parser.read_file(file)
    except (OSError, configparser.Error) as error:
        raise UsageError(f"paste: {reason(error)}") from None
    for key in parser.options(_SECTION) if parser.has_section(_SECTION) else ():
        try:
            items[key] = parser.get(_SECTION, key, vars=given)
        except configparser.InterpolationError:
            raw = parser.get(_SECTION, key, raw=True)
            layer.warnings.append(
                f"{key} = {raw} names no value that is there: left out"
            )
    _look_for_application(parser, name, path)
    use = items.get("use", "")
    for key in (*parser.defaults(), "use", "config"):
        items.pop(key, None)
    host, port = items.pop("host", ""), items.pop("port", "")
    if host or port:
        layer.values["bind"] = f"{host or '127.0.0.1'}:{port or 8000}"
    if listen := items.pop("listen", ""):  # as waitress, which Pyramid's templates have
        layer.values["bind"] = [
            each.replace("*:", "0.0.0.0:") for each in listen.split()
        ]
    if use and not _OURS.search(use):
        if items:
            layer.warnings.append(
                f"[{_SECTION}] of {path.name} is for {use}: {', '.join(items)}: left out"
            )
        items = {}
    for key in [key for key in items if key in waitress.INSTEAD]:
        del items[key]
        layer.problems.append(
            f"{key} is waitress's: {waitress.INSTEAD[key]} ({layer.source})"
        )
    for key in [key for key in items if key in waitress.NOTHING]:
        del items[key]
        layer.warnings.append(
            f"{key} has no effect: it tunes waitress's own machinery ({layer.source})"
        )
    layer.values.update(items)
    if parser.has_section("loggers"):
        layer.values["logconfig"] = str(path)
    return layer
