"""From the settings to handlers of loggers."""

from __future__ import annotations

import logging
import os
import sys
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from celadon.base import output
from celadon.errors import UsageError, reason
from celadon.logging.before import Before
from celadon.logging.files import File, capture_output
from celadon.logging.known import GUNICORN
from celadon.logging.lines import DATE_FORMAT, FORMAT, Formatter
from celadon.logging.loggers import logger, theirs


class LogSettings(Protocol):
    """The settings that `setup` reads."""

    errorlog: str
    loglevel: str
    logconfig: str
    logconfig_json: str
    logconfig_dict: dict[str, Any]
    capture_output: bool


def setup(settings: LogSettings) -> None:
    """Sends the error log to a file or, for ``-``, to standard error.

    Then applies ``logconfig_dict``, ``logconfig_json`` or ``logconfig``, the first that
    is set. Raises `UsageError` where that is bad or a file cannot be opened; what was
    there before then stays.
    """
    before = Before()
    setting = "errorlog"
    try:
        _set_up(settings)
        setting = _described_by(settings)
        _configure(settings)
    except Exception as error:  # also of classes that a configuration names
        before.restore()
        raise UsageError(f"{setting}: {reason(error)}") from None
    before.forget()
    while _noted:
        logger.info("%s", _noted.pop(0))


_noted: list[str] = []


def note(line: str) -> None:
    """Says it, once there is a log: what runs in a configuration file comes before it."""
    if logger.handlers:
        logger.info("%s", line)
    else:
        _noted.append(line)


def _set_up(settings: LogSettings) -> None:
    handler: logging.Handler
    number = 2 if settings.errorlog == "-" else output.named(settings.errorlog)
    if number:
        handler = logging.StreamHandler(sys.stderr if number == 2 else sys.stdout)
    else:
        handler = File(settings.errorlog, errors="backslashreplace")
        if settings.capture_output:
            capture_output(handler)
    handler.setFormatter(Formatter(FORMAT, DATE_FORMAT))
    logger.handlers[:] = [handler]
    logger.setLevel(settings.loglevel.upper())
    logger.propagate = False


def _described_by(settings: LogSettings) -> str:
    """The setting that says of all loggers how they are."""
    names = ("logconfig_dict", "logconfig_json", "logconfig")
    return next((name for name in names if getattr(settings, name)), names[-1])


def _configure(settings: LogSettings) -> None:
    """Applies what the user says of all loggers; gunicorn's names are ours as well, and
    handlers that somebody has added to them stay there, until a file that is read again
    adds others."""
    added = [each for each in theirs.handlers if each not in _placed]
    added = [each for each in added if each not in _added] or added
    _added.update(added)
    theirs.handlers[:] = []
    _say_where(settings)
    _placed.update(theirs.handlers)
    theirs.handlers += added


_placed: weakref.WeakSet[logging.Handler] = weakref.WeakSet()  # by settings
_added: weakref.WeakSet[logging.Handler] = weakref.WeakSet()  # by somebody, before


def _say_where(settings: LogSettings) -> None:
    kept = logger.handlers[:]
    if settings.logconfig_dict or settings.logconfig_json or settings.logconfig:
        described = _apply_config(settings)
    else:
        theirs.handlers[:] = kept
        theirs.setLevel(logger.level)
        theirs.propagate = False
        return
    if theirs.handlers:
        logger.handlers[:] = theirs.handlers
        logger.propagate = theirs.propagate
        if theirs.level:
            logger.setLevel(theirs.level)
    elif _is_of_all(described):
        logger.handlers[:] = []
        logger.propagate = True
        logger.setLevel(settings.loglevel.upper())  # dictConfig takes that of a child
    elif not logger.handlers and not logger.propagate:
        logger.handlers[:] = kept  # nothing was said of us: do not fall silent


def _is_of_all(described: Mapping[str, Any]) -> bool:
    """Whether it says where all lines go, and nothing of the server's own."""
    loggers = described.get("loggers", {})
    above = (described.get("root", {}), loggers.get(logger.name.partition(".")[0], {}))
    is_said = any(each.get("handlers") for each in above)
    return is_said and loggers.keys().isdisjoint((logger.name, GUNICORN))


def _apply_config(settings: LogSettings) -> Mapping[str, Any]:
    """What was described for `dictConfig`; nothing of `fileConfig`, which is of those it names."""
    import logging.config  # only where it is needed: a start must be short

    described = settings.logconfig_dict
    if not described and settings.logconfig_json:
        described = _read_json(settings.logconfig_json)
    elif not described and (read := _reader_of(settings.logconfig)):
        described = read(settings.logconfig)
    elif not described:
        _apply_file(settings.logconfig)
        return {}
    if not isinstance(described, Mapping):
        raise ValueError("expected a mapping")
    logging.config.dictConfig(_complete(described))
    return described


def _reader_of(path: str) -> Callable[[str], Any] | None:
    """By its name, as uvicorn reads its ``--log-config``; None: as `fileConfig` does."""
    if path.endswith(".json"):
        return _read_json
    return _read_yaml if path.endswith((".yaml", ".yml")) else None


def _read_json(path: str) -> Any:
    import json

    with open(path, encoding="utf-8") as file:
        return json.load(file)


def _read_yaml(path: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise ValueError(f"PyYAML, which reads {path}, is not there") from None
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


def _apply_file(path: str) -> None:
    import logging.config

    with open(path):  # else a file that is not there lacks a section
        pass
    place = os.path.abspath(path).replace("%", "%%")
    defaults = {"__file__": place, "here": os.path.dirname(place)}
    logging.config.fileConfig(path, defaults, disable_existing_loggers=False)


def _complete(described: Mapping[str, Any]) -> dict[str, Any]:
    """With what a configuration for gunicorn may name without saying what it is."""
    if described.get("incremental"):
        return {"version": 1, **described}
    has_console = "console" in described.get("handlers", _GUNICORNS)
    root = described.get("root", _ROOT if has_console else {})
    everybody = (root, *described.get("loggers", {}).values())
    named = {name for each in everybody for name in each.get("handlers") or ()}
    ours = {name: each for name, each in _GUNICORNS.items() if name in named}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        **described,
        **({"root": root} if root else {}),
        "formatters": {"generic": _GENERIC, **described.get("formatters", {})},
        "handlers": {**ours, **described.get("handlers", {})},
    }


_ROOT = {"level": "INFO", "handlers": ["console"]}
_GENERIC = {
    "format": "%(asctime)s [%(process)d] [%(levelname)s] %(message)s",
    "datefmt": "[%Y-%m-%d %H:%M:%S %z]",
}

_GUNICORNS = {
    name: {
        "class": "logging.StreamHandler",
        "formatter": "generic",
        "stream": f"ext://sys.{stream}",
    }
    for name, stream in (("console", "stdout"), ("error_console", "stderr"))
}
