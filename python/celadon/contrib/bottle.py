"""Bottle: ``bottle.run(server="celadon.contrib.bottle:Celadon")``.

The ``celadon`` command serves Bottle's applications as well, and patches the standard
library before they are imported; this is for programs that call `bottle.run`.
"""

from __future__ import annotations

from typing import Any

import bottle  # type: ignore[import-untyped]

import celadon
import celadon.patch


class Celadon(bottle.ServerAdapter):  # type: ignore[misc,unused-ignore]
    """Options of `bottle.run` are settings: ``workers=4``, ``keepalive=75`` ..."""

    def run(self, handler: Any) -> None:
        """Patches the standard library, and serves until a signal ends it.

        Raises what `celadon.run` raises.
        """
        settings = {**self.options}
        if settings.get("green", True):
            celadon.patch.all()
        host = f"[{self.host}]" if ":" in self.host else self.host
        settings.setdefault("bind", f"{host}:{self.port}")
        celadon.run(handler, **settings)
