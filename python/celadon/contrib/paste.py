"""PasteDeploy: ``use = egg:celadon#main`` in ``[server:main]``, and ``celadon --paste``.

Whoever has loaded the application already, such as ``pserve``, did so unpatched and in
what would be the master. So the command takes that process over and loads it again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from celadon.errors import AppError
from celadon.serving.importer import own_failure


def load(name: str, global_conf: Sequence[str]) -> Any:
    """The application of ``FILE.ini#name``; `global_conf` are ``KEY=value`` each.

    Raises `AppError` where PasteDeploy is missing or the file does not give one.
    """
    try:
        from paste.deploy import loadapp
    except ImportError:
        raise AppError("paste: PasteDeploy is not installed") from None
    file, _, section = name.partition("#")
    uri = "config:" + os.path.abspath(file.removeprefix("config:"))
    values = dict(pair.split("=", 1) for pair in global_conf)
    try:
        return loadapp(uri, name=section or None, global_conf=values)
    except Exception as error:
        raise own_failure(f"cannot load {name!r}", error) from None


def run_server(
    app: Any, global_conf: Mapping[str, str] | None = None, **settings: str
) -> NoReturn:
    """A ``paste.server_runner``. Does not return: this process becomes the server.

    Raises `AppError` where the application does not come from a file.
    """
    file = (global_conf or {}).get("__file__")
    if not file:
        raise AppError("paste: the application does not come from an ini file")
    name = _named(sys.argv[1:], os.path.basename(file))
    words = ["--paste", f"{file}#{name}" if name else file]
    for key, value in (global_conf or {}).items():
        if key not in ("__file__", "here"):
            words += ["--paste-global", f"{key}={value}"]
    os.execv(sys.executable, [sys.executable, "-m", "celadon", *words])


def make_server(
    global_conf: Mapping[str, str] | None = None, **settings: str
) -> Callable[[Any], NoReturn]:
    """A ``paste.server_factory``."""
    return lambda app: run_server(app, global_conf, **settings)


def _named(argv: Sequence[str], file: str) -> str:
    """The name of the application on the command line of who loaded it."""
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        if word in ("-n", "--app-name"):
            return following
        if word.startswith("--app-name="):
            return word.partition("=")[2]
        if file in word and "#" in word:
            return word.partition("#")[2]
    return ""
