"""A ``worker_class`` of the user's own: whether it is made of uvicorn's, and what its
``CONFIG_KWARGS`` say.

gunicorn imports it in its master. Here a process of its own does, so that nothing of the
application is in the master before the standard library is patched.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from celadon.config.effective import Config
from celadon.config.settings import SETTINGS, gunicorn, uvicorn
from celadon.config.sources import stand_in
from celadon.config.values.names import OwnClass, is_of_uvicorn
from celadon.errors import UsageError

_PATIENCE = 60.0  # seconds that an import may take
_INSTEAD = "write worker_class = asgi, and what its CONFIG_KWARGS say as settings"
# Keywords of uvicorn's that are settings by the same name, or this one.
_SAME = {
    "headers": "response_headers",
    "log_level": "loglevel",
    "log_config": "logconfig_dict",
    **{
        name: name
        for name in (
            "backlog",
            "date_header",
            "env_file",
            "forwarded_allow_ips",
            "interface",
            "lifespan",
            "proxy_headers",
            "root_path",
            "server_header",
        )
    },
}
_WORDS = {True: "on", False: "off"}


class _Found(NamedTuple):
    """Of a class that was looked at: `error` is why that failed."""

    is_uvicorns: bool = False
    keywords: Mapping[str, Any] = {}
    error: str = ""


def settle(config: Config) -> list[str]:
    """Puts ``asgi`` in the place of a class of the user's own that is made of uvicorn's,
    and settings in that of its ``CONFIG_KWARGS``. What is wrong is returned."""
    kind = config.worker_class
    if not isinstance(kind, OwnClass):
        return []
    config.values["worker_class"] = "asgi"
    found = _ask(kind.name, config) if kind.cls is None else _look(kind.cls)
    if found.error and "uvicorn" in kind.name.lower():
        config.notes.append(
            f"worker_class: {kind.name} is taken for one of uvicorn's by its name; its "
            f"CONFIG_KWARGS are not read: {found.error}"
        )
        return []
    if found.error:
        return [
            f"worker_class: {kind.name} cannot be imported: {found.error}; {_INSTEAD}"
        ]
    if not found.is_uvicorns:
        return [
            f"worker_class: {kind.name} is not made of uvicorn's worker; a class with a "
            "loop of its own cannot run here"
        ]
    return _apply(config, kind.name, found.keywords)


def _apply(config: Config, name: str, keywords: Mapping[str, Any]) -> list[str]:
    """As in a worker of uvicorn's they hold whatever else is set; ``CELADON_*`` alone,
    which was written for this server, comes before them."""
    source = f"CONFIG_KWARGS of {name}"
    problems: list[str] = []
    strange: list[str] = []
    for key, value in keywords.items():
        setting, given = _setting_of(key, value)
        if setting is None:
            strange += [] if _says_nothing(key, value) else [key]
        elif not config.sources.get(setting, "").startswith("environment CELADON_"):
            try:
                config.set(setting, given, source)
            except UsageError as error:
                problems += error.problems
    if strange:
        config.notes.append(
            f"worker_class: {source} that have no effect: " + ", ".join(strange)
        )
    return problems


def _setting_of(key: str, value: Any) -> tuple[str | None, Any]:
    """None where there is none for such a value."""
    value = uvicorn.value_of(key, value)
    if value is None:
        return None, None
    if key == "access_log":  # of whether, not of where
        return ("accesslog", "") if value is False else (None, None)
    setting = _SAME.get(key) or uvicorn.setting_of(key)
    if key == "log_config" and isinstance(value, str):
        setting = "logconfig"
    if setting == "proxy_headers" and isinstance(value, bool):
        value = _WORDS[value]
    verdict = _verdict_of(setting)
    is_known = setting in SETTINGS or (verdict is not None and verdict.refused)
    return (setting if is_known else None), value


def _verdict_of(setting: str) -> gunicorn.Verdict | None:
    return uvicorn.VERDICTS.get(setting) or gunicorn.VERDICTS.get(setting)


def _says_nothing(key: str, value: Any) -> bool:
    """What uvicorn does without being told, and what is so here as well."""
    if value is None or (key == "access_log" and value is True):
        return True
    verdict = _verdict_of(uvicorn.setting_of(key))
    return verdict is not None and not verdict.applies(value)


def _look(cls: Any) -> _Found:
    if not isinstance(cls, type):
        return _Found(error="it is no class")
    keywords = getattr(cls, "CONFIG_KWARGS", {})
    is_uvicorns = any(is_of_uvicorn(each) for each in cls.__mro__)
    return _Found(is_uvicorns, keywords if isinstance(keywords, Mapping) else {})


# --- in a process of its own ---

_CODE = "from celadon.config import worker_class; worker_class.tell()"


def _ask(name: str, config: Config) -> _Found:
    import json  # only where there is such a class
    import subprocess

    folders = [os.path.abspath(config.chdir or "."), *config.pythonpath, *sys.path]
    try:
        answered = subprocess.run(
            [sys.executable, "-c", _CODE],
            input=json.dumps([name, folders]).encode(),
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
            cwd=config.chdir or None,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        return _Found(*json.loads(answered.stdout))
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return _Found(error=f"the process that was to import it: {error}")


def tell() -> None:
    """Reads the name of a class and folders to import it from, and writes what it is."""
    import json

    name, folders = json.load(sys.stdin)
    sys.path[:] = folders
    answer = os.dup(1)
    os.dup2(2, 1)  # what modules print as they are imported is none
    with os.fdopen(answer, "w") as file:
        json.dump(_import(name), file, default=str)


def _import(name: str) -> _Found:
    module, _, attribute = name.rpartition(".")
    try:
        with stand_in.gunicorn(), stand_in.uvicorn():
            return _look(getattr(importlib.import_module(module), attribute))
    except Exception as error:
        return _Found(error=f"{type(error).__name__}: {error}")
