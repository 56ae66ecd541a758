"""A cooperative standard library: behaviour replaced in place, types kept.

`all` is called in the main thread before the application is imported; the ``celadon``
command does it, by `install` and `start` where a master imports and workers serve.
``time.sleep``, ``_thread``, ``threading``, ``queue``, identities and import locks are
patched together: one without the others freezes a worker. Each other part can be left
out.
"""

from celadon.patch.installing import all, configure, install, start, withdraw
from celadon.patch.registry import original, patched

__all__ = ["all", "configure", "install", "original", "patched", "start", "withdraw"]
