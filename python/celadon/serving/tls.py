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
    if not hasattr(_core, "Tls"):
        raise UsageError("certfile: this celadon was built without OpenSSL")
    if hook := settings.hooks.get("ssl_context"):
        from celadon.serving import ssl_hook  # Python's ssl is of no use but for that

        options = ssl_hook.recorded(hook, settings, options)
    try:
        return _core.Tls(options, before)
    except ValueError as error:
        raise UsageError(str(error)) from None


def files(settings: config.Config) -> list[str]:
    """Those that a renewal of certificates changes."""
    options = config.tls_options(settings)
    if not options:
        return []
    pairs = options["certificates"].items()
    named = [*(path for pair in pairs for path in pair), settings.ca_certs]
    return [path for path in (*named, settings.client_crl) if path]


def first_end(tls: _core.Tls | None) -> float:
    """When the first certificate expires, in seconds since 1970; 0: there is none."""
    return min((at for _, _, at in tls.expiries()), default=0.0) if tls else 0.0


def told(address: str, settings: config.Config) -> str:
    """An address for people: by its scheme they know whether it speaks TLS."""
    if not settings.certfile:
        return address
    return address.replace("http://", "https://", 1)
