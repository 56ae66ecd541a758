"""The patch, whole or by its parts."""

from __future__ import annotations

import importlib

from celadon._core import green
from celadon.patch import imports
from celadon.patch.registry import applying, take_back

# The parts that can be left out, in the order in which they are applied, and the
# modules of this package that apply them. Locks, identities, sleep and queues are one
# part and always on: one without the others freezes a worker.
_MODULES = {
    "select": "celadon.patch.select",
    "socket": "celadon.patch.socket",
    "dns": "celadon.patch.dns",
    "ssl": "celadon.patch.ssl",
    "os": "celadon.patch.files",
    "subprocess": "celadon.patch.subprocess",
    "asyncio": "celadon.patch.asyncio",
    "drivers": "celadon.drivers",
    "gevent": "celadon.patch.gevent",
}
_ALWAYS = (
    "celadon.patch.collector",
    "celadon.patch.finalizers",
    "celadon.patch.extensions",
    "celadon.patch.threading",
    "celadon.patch.time",
    "celadon.patch.queue",
    "celadon.patch.functions",
    "celadon.patch.signal",
    "celadon.patch.identities",
    "celadon.patch.semaphores",
    "celadon.patch.multiprocessing",
)
PARTS = tuple(_MODULES)
_ALWAYS_ON = "always"
_done = False


def withdraw(*parts: str) -> None:
    """What stood there before `install` comes back, of these parts, or of all.

    For settings that are known only once code has run which had to find all patched. A
    place where somebody has put something else since stays as it is; objects that were
    made in between wait natively, as those of a process without greenlets do.
    """
    global _done
    imports.forget(parts)
    take_back(parts)
    _done = bool(parts) and _done


def configure(offload_threads: int, dns_ttl: float, dns_threads: int) -> None:
    """Sets how many native threads calls that block in C may have, for how many seconds
    addresses found by name are kept, and how many threads look them up."""
    from celadon.green.offload import set_threads
    from celadon.patch import dns

    set_threads(offload_threads)
    dns.configure(dns_ttl, dns_threads)


def all(**parts: bool) -> None:
    """Patches everything, once. Only in the main thread, before other threads run.

    A part is left out by its name: ``all(ssl=False)``. The parts are ``select``,
    ``socket``, ``dns``, ``ssl``, ``os``, ``subprocess``, ``asyncio``, ``drivers`` and
    ``gevent``.

    Raises `RuntimeError` in another thread and `TypeError` for a part there is not.
    """
    install(**parts)
    start()


def start() -> None:
    """Greenlets from now on, in a process where `install` was enough until now."""
    green.start_hub()


def install(**parts: bool) -> None:
    """As `all`, but without greenlets: everything waits natively until `start`.

    For a process that only imports, and forks others which serve.
    """
    global _done
    unknown = [name for name in parts if name not in _MODULES]
    if unknown:
        known = ", ".join(PARTS)
        raise TypeError(
            f"no such part to patch: {', '.join(unknown)} (there are {known})"
        )
    if _done:
        return
    import threading

    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("celadon.patch.all() belongs in the main thread")
    _done = True
    wanted = [(name, _MODULES[name]) for name in PARTS if parts.get(name, True)]
    always = [(_ALWAYS_ON, name) for name in _ALWAYS]
    for part, module in (*always, *wanted, (_ALWAYS_ON, "celadon.patch.fork")):
        with applying(part):
            importlib.import_module(module).install()
