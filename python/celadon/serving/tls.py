"""Certificates that a server speaks with."""

from __future__ import annotations

from celadon import _core, config
from celadon.errors import UsageError


def load(settings: config.Config, before: _core.Tls | None = None) -> _core.Tls | None:
    """Reads and checks what the settings name; None: connections are in the clear.

    Clients that have met `before` resume their sessions here. Raises `UsageError` with one
    line that names the file and what is wrong with it.
    """
    options = config.tls_options(settings)
    if not options:
        return None
    try:
        return _core.Tls(options, before)
    except ValueError as error:
        raise UsageError(str(error)) from None


def told(address: str, settings: config.Config) -> str:
    """An address for people: by its scheme they know whether it speaks TLS."""
    if not settings.certfile:
        return address
    return address.replace("http://", "https://", 1)
