"""A cooperative standard library: behaviour replaced in place, types kept.

`all` is called in the main thread before the application is imported; the ``celadon``
command does it. What is patched: ``time.sleep``, ``_thread``, ``threading``, ``queue``,
identities and import locks, together: one without the others freezes a worker; and
``select`` and ``asyncio``.
"""

from celadon.patch.registry import all, configure, original, patched

__all__ = ["all", "configure", "original", "patched"]
