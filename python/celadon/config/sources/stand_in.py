"""A configuration file may import gunicorn, which need not be installed any more."""

from __future__ import annotations

import importlib.util
import logging
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager


class Logger:
    """What subclasses of gunicorn's Logger find: constructor and error log."""

    def __init__(self, cfg: object) -> None:
        self.cfg = cfg
        self.error_log = logging.getLogger("gunicorn.error")
        self.access_log = logging.getLogger("gunicorn.access")


@contextmanager
def gunicorn() -> Iterator[None]:
    """While it lasts ``import gunicorn`` works; without effect where it is installed."""
    if importlib.util.find_spec("gunicorn") is not None:
        yield
        return
    package = types.ModuleType("gunicorn")
    package.__path__ = []
    package.__version__ = "23.0.0"  # type: ignore[attr-defined]
    glogging = types.ModuleType("gunicorn.glogging")
    glogging.Logger = Logger  # type: ignore[attr-defined]
    config = types.ModuleType("gunicorn.config")
    package.glogging, package.config = glogging, config  # type: ignore[attr-defined]
    modules = {m.__name__: m for m in (package, glogging, config)}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            sys.modules.pop(name, None)
