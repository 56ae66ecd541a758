"""What an application finds when it is imported: environment, folder, modules, pools."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from celadon.config import Config
from celadon.errors import UsageError


def enter(folder: Path) -> None:
    """What that name means now is the working directory. Raises `UsageError`."""
    try:
        os.chdir(folder)
    except OSError as error:
        raise UsageError(f"the folder of the start: {error}") from None


def stay(folder: Path) -> None:
    """Enters `folder` where the working directory is gone. Raises `UsageError`."""
    try:
        os.getcwd()
    except FileNotFoundError:
        enter(folder)


def prepare(settings: Config) -> None:
    """Variables and the working directory. Raises `UsageError`.

    In the process that serves only: the next worker begins from what the master was given.
    """
    for name, value in settings.environment.items():
        os.environ.setdefault(name, value)
    os.environ.update(pair.split("=", 1) for pair in settings.raw_env)
    if not settings.chdir:
        return
    try:
        os.chdir(settings.chdir)
    except OSError as error:
        raise UsageError(f"chdir: {error}") from None


def folders(settings: Config) -> list[str]:
    """Where modules are looked for first, once `prepare` has entered `chdir`."""
    entered = os.path.join(os.getcwd(), settings.chdir)
    named = [os.path.join(entered, each) for each in settings.pythonpath]
    return [*named, entered]


def import_from(*folders: str) -> None:
    """Looks for modules there first, as ``python -m celadon`` does by itself.

    Configuration files import modules of their project, too.
    """
    sys.path[:] = [*folders, *(each for each in sys.path if each not in folders)]


def configure(settings: Config) -> None:
    """The sizes of what requests share: connections to databases, native threads."""
    from celadon import patch
    from celadon.drivers import budget

    budget.configure(settings.db_connections, settings.db_connection_wait)
    patch.configure(settings.offload_threads, settings.dns_ttl, settings.dns_threads)
