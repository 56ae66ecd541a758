"""The words of the command, and the settings that they lead to."""

from __future__ import annotations

import os
from typing import Any

from celadon import config
from celadon.config import flags, paths, sources
from celadon.config.values.plain import TRUE
from celadon.errors import UsageError
from celadon.serving import surroundings

_SOURCE = "command line"


def _faultless(examined: tuple[config.Config, list[str]]) -> config.Config:
    settings, problems = examined
    if problems:
        raise UsageError(*problems)
    return settings


class Invocation:
    """The words of the command, from which settings are read, and read again."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.target = self.options.pop("target", None)
        self.file = self.options.pop("config", None)
        self.strict = self.options.pop("strict_config", False)
        # What is relative is meant from here, at each reload and wherever we are by then.
        self.folder = paths.here()
        surroundings.import_from(str(self.folder))

    def take(self, name: str) -> bool:
        """Whether the command, not a setting, was asked for `name`."""
        return bool(self.options.pop(name, False))

    def read_patched(self) -> config.Config:
        """As `read`, for the process that serves, or whose forks do: what code of the
        user's makes and imports meanwhile is made for greenlets. Raises `UsageError`."""
        return _faultless(self.examine_patched())

    def examine_patched(self) -> tuple[config.Config, list[str]]:
        """Likewise, with all that is wrong beside what is not."""
        from celadon import patch

        expected, problems = self._merge(run_code=False)
        if expected.green and not problems:  # which are told below
            patch.install(**config.patched_parts(expected))
        settings, problems = self._merge()
        if not settings.green:
            patch.withdraw()
            return settings, problems
        patch.install(**config.patched_parts(settings))
        if unwanted := [
            p for p, on in config.patched_parts(settings).items() if not on
        ]:
            patch.withdraw(*unwanted)
        return settings, problems

    def read(self) -> config.Config:
        """All sources, as they are now. Raises `UsageError`."""
        return _faultless(self._merge())

    def _merge(self, run_code: bool = True) -> tuple[config.Config, list[str]]:
        """All sources; code among them says nothing unless `run_code`."""
        surroundings.enter(self.folder)
        file = self.file if self.file is not None else os.environ.get("CELADON_CONFIG")
        parse = flags.parse_settings
        layers = sources.collect(file, os.environ, parse, self.folder, run_code)
        variable = os.environ.get("CELADON_STRICT_CONFIG", "")
        is_strict = self.strict or variable.strip().lower() in TRUE
        for layer in layers:  # those of variables with flags may ask for it, too
            is_strict |= layer.values.pop("strict_config", False)
        if is_strict:
            for layer in layers:
                layer.problems += layer.warnings
                layer.warnings.clear()
        settings, problems = config.merge(self.options, os.environ, layers, _SOURCE)
        if not settings.paste:
            return settings, problems
        from celadon.config.sources import paste

        given = settings.raw_paste_global_conf
        try:
            lowest = paste.read(settings.paste, self.folder, given)
        except UsageError as error:
            return settings, [*problems, *error.problems]
        return config.merge(self.options, os.environ, [lowest, *layers], _SOURCE)

    def named_control(self) -> str:
        """The control socket where it is named: then no other setting matters, and no
        configuration, which may be code or bad by now, is read."""
        named = self.options.get("control_socket")
        named = named or os.environ.get("CELADON_CONTROL_SOCKET", "")
        return "" if named == "auto" else str(named)

    def target_of(self, settings: config.Config) -> str:
        """What to serve. Raises `UsageError` where nothing says it."""
        target = self.target or settings.wsgi_app
        if settings.paste:
            if target:
                raise UsageError("paste: the application is named twice")
            return ""
        if not target:
            raise UsageError("no application given; try: celadon module:attribute")
        return str(target)
