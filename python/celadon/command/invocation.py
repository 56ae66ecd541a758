"""The words of the command, and the settings that they lead to."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from celadon import config
from celadon.config import flags, paths, sources
from celadon.errors import UsageError
from celadon.serving import surroundings

_SOURCE = "command line"


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
        from celadon import patch

        with contextlib.suppress(UsageError):  # it is raised again below
            expected = self.read(run_code=False)
            if expected.green:
                patch.install(**config.patched_parts(expected))
        settings = self.read()
        if not settings.green:
            patch.withdraw()
            return settings
        patch.install(**config.patched_parts(settings))
        if unwanted := [
            p for p, on in config.patched_parts(settings).items() if not on
        ]:
            patch.withdraw(*unwanted)
        return settings

    def read(self, run_code: bool = True) -> config.Config:
        """All sources, as they are now; code among them says nothing unless `run_code`.
        Raises `UsageError`."""
        surroundings.enter(self.folder)
        file = self.file if self.file is not None else os.environ.get("CELADON_CONFIG")
        parse = flags.parse_settings
        layers = sources.collect(file, os.environ, parse, self.folder, run_code)
        if self.strict:
            for layer in layers:
                layer.problems += layer.warnings
                layer.warnings.clear()
        settings = config.load(self.options, os.environ, layers, _SOURCE)
        if not settings.paste:
            return settings
        from celadon.config.sources import paste

        lowest = paste.read(settings.paste, self.folder, settings.raw_paste_global_conf)
        return config.load(self.options, os.environ, [lowest, *layers], _SOURCE)

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
