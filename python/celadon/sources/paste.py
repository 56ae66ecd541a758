"""The server's part of a PasteDeploy file: ``[server:main]``."""

from __future__ import annotations

import configparser
from pathlib import Path

from celadon.errors import UsageError
from celadon.sources.layer import Layer

_SECTION = "server:main"


def file_of(name: str, folder: Path) -> Path:
    """The file of ``FILE.ini#application``, which may be relative to `folder`."""
    return Path(folder, name.partition("#")[0].removeprefix("config:"))


def read(name: str, folder: Path) -> Layer:
    """Its values as settings; logging is configured by it where it says how.

    Raises `UsageError` for a file that cannot be read.
    """
    path = file_of(name, folder)
    defaults = {"here": str(path.parent), "__file__": str(path)}
    parser = configparser.ConfigParser(defaults)
    try:
        with path.open() as file:
            parser.read_file(file)
        items = dict(parser.items(_SECTION)) if parser.has_section(_SECTION) else {}
    except (OSError, configparser.Error) as error:
        raise UsageError(f"paste: {error}") from None
    layer = Layer(f"{path.name} [{_SECTION}]")
    for key in (*parser.defaults(), "use", "config"):
        items.pop(key, None)
    host, port = items.pop("host", ""), items.pop("port", "")
    if host or port:
        layer.values["bind"] = f"{host or '127.0.0.1'}:{port or 8000}"
    layer.values.update(items)
    if parser.has_section("loggers"):
        layer.values["logconfig"] = str(path)
    return layer
