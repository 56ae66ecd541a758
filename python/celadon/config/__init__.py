"""Settings: the table, where values come from, and what the core is told of them."""

from celadon.config.core import (
    access_log,
    core_options,
    lack_of_descriptors,
    master_options,
    shows_clients_of_proxies,
    stream_of_access_log,
    tls_options,
)
from celadon.config.effective import Config
from celadon.config.loading import load, merge
from celadon.config.settling import patched_parts

__all__ = [
    "Config",
    "access_log",
    "core_options",
    "lack_of_descriptors",
    "load",
    "master_options",
    "merge",
    "patched_parts",
    "shows_clients_of_proxies",
    "stream_of_access_log",
    "tls_options",
]
