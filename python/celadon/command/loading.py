"""The application that the command was asked for."""

from __future__ import annotations

import os
from typing import Any

from celadon import config
from celadon.patch.imports import when_imported
from celadon.serving import bodies, routes, surroundings


def load(target: str, settings: config.Config) -> Any:
    surroundings.prepare(settings)
    surroundings.import_from(*settings.pythonpath, os.getcwd())
    routes.install()
    bodies.install()
    if settings.metrics:
        when_imported("prometheus_client", _bridge)
    if settings.green:
        from celadon import patch
        from celadon.contrib import meinheld
        from celadon.patch import before

        meinheld.install()
        patch.install(**config.patched_parts(settings))
        if not settings.preload_app:
            before.settle()
            patch.start()
        surroundings.configure(settings)
    from celadon.serving.importer import with_mounts

    return with_mounts(_root(target, settings), settings.mount)


def _root(target: str, settings: config.Config) -> Any:
    if settings.paste:
        from celadon.contrib.paste import load

        return load(settings.paste, settings.raw_paste_global_conf)
    from celadon.serving.importer import load_app

    return load_app(target, settings.factory, settings.interface)


def _bridge(_client: object) -> None:
    from celadon.contrib import prometheus

    prometheus.install()
