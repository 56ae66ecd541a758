"""Where the values of the settings come from.

Sources, highest first: command line or keywords of `celadon.run`, ``CELADON_<SETTING>``
in the environment, ``CELADON_CMD_ARGS``, ``GUNICORN_CMD_ARGS``, one configuration file,
defaults (some of which the environment feeds as gunicorn reads it: ``PORT``,
``WEB_CONCURRENCY``, ``FORWARDED_ALLOW_IPS``, ``SCRIPT_NAME``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from celadon.config.effective import KEYWORD, Config
from celadon.config.settings import SETTINGS
from celadon.config.settling import contradictions
from celadon.config.sources import Layer
from celadon.errors import UsageError

_RESERVED = {
    "CELADON_CMD_ARGS",
    "CELADON_PATCH",
    "CELADON_INHERIT",
    "CELADON_POISON_STACK",
}
_OF_THE_COMMAND = {"config", "strict_config"}  # which reads them itself
# Names that Kubernetes makes up for Services.
_KUBERNETES = re.compile(r"CELADON_(.*_)?(SERVICE_HOST|SERVICE_PORT.*|PORT(_.*)?)$")


def load(
    explicit: Mapping[str, Any],
    environ: Mapping[str, str] | None = None,
    layers: Iterable[Layer] = (),
    source: str = KEYWORD,
) -> Config:
    """As `merge`. Raises `UsageError` with all that is wrong."""
    config, problems = merge(explicit, environ, layers, source)
    if problems:
        raise UsageError(*problems)
    return config


def merge(
    explicit: Mapping[str, Any],
    environ: Mapping[str, str] | None = None,
    layers: Iterable[Layer] = (),
    source: str = KEYWORD,
) -> tuple[Config, list[str]]:
    """All sources as one checked `Config`, and all that is wrong, a line each: in the
    `Config` that is as if nobody had said it.

    `explicit` are flags or keywords, and `source` what people call those; `layers` come
    below the environment, the lowest first.
    """
    env = os.environ if environ is None else environ
    config = Config()
    for row in SETTINGS.values():
        config.values[row.name] = row.default
        config.sources[row.name] = "default"
    problems: list[str] = []

    def apply(name: str, raw: Any, origin: str) -> None:
        try:
            config.set(name, raw, origin)
        except UsageError as error:
            variable = origin.removeprefix("environment ")
            is_empty = raw == "" and variable != origin
            hint = f"; {variable} is set, but empty: unset it" if is_empty else ""
            problems.append(f"{error}{hint}")

    for layer in layers:
        problems += layer.problems
        config.notes += layer.warnings
        config.hooks.update(layer.hooks)
        for name, raw in layer.values.items():
            apply(name, raw, layer.source)
    for name, raw, variable in _environment(env):
        apply(name, raw, variable)
    for name, raw in explicit.items():
        apply(name, raw, source)
    for name, raw, variable in _platform(env):
        if config.is_default(name):  # else nobody asks what the platform says
            apply(name, raw, variable)
    problems += contradictions(config)
    return config, problems


def _environment(env: Mapping[str, str]) -> Iterable[tuple[str, str, str]]:
    for key, raw in env.items():
        if not key.startswith("CELADON_") or key in _RESERVED:
            continue
        name = key.removeprefix("CELADON_").lower()
        if name in _OF_THE_COMMAND or (name not in SETTINGS and _KUBERNETES.match(key)):
            continue
        yield name, raw, "environment " + key


def _platform(env: Mapping[str, str]) -> Iterable[tuple[str, str, str]]:
    if env.get("PORT"):
        yield "bind", "0.0.0.0:" + env["PORT"], "environment PORT"
    for name, row in SETTINGS.items():
        if value := env.get(row.variable):
            yield name, value, "environment " + row.variable
