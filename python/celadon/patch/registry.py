"""What was replaced, and what stood there before."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

# The parts that can be left out, in the order in which they are applied, and the
# modules of this package that apply them. Locks, identities, sleep and queues are one
# part and always on: one without the others freezes a worker.
_MODULES = {
    "select": "celadon.patch.selects",
    "socket": "celadon.patch.sockets",
    "dns": "celadon.patch.dns",
    "ssl": "celadon.patch.tls",
    "os": "celadon.patch.files",
    "subprocess": "celadon.patch.processes",
    "asyncio": "celadon.patch.asyncios",
    "drivers": "celadon.drivers",
    "gevent": "celadon.patch.gevents",
}
_ALWAYS = (
    "celadon.patch.collector",
    "celadon.patch.threads",
    "celadon.patch.times",
    "celadon.patch.queues",
)
PARTS = tuple(_MODULES)

_originals: dict[tuple[str, str], Any] = {}
_done = False


def replace(module: ModuleType | type, name: str, value: Any) -> None:
    """Sets ``module.name`` and remembers what it was. A class goes by its full name."""
    owner = module.__name__
    if isinstance(module, type):
        owner = f"{module.__module__}.{module.__qualname__}"
    _originals.setdefault((owner, name), getattr(module, name))
    setattr(module, name, value)


def patched(module: str, name: str) -> bool:
    """Whether ``module.name`` was replaced; `module` may be a class: ``socket.socket``."""
    return (module, name) in _originals


def original(module: str, name: str) -> Any:
    """What ``module.name`` was; raises `KeyError` if it was not replaced."""
    return _originals[(module, name)]


def replaced() -> dict[tuple[str, str], Any]:
    """What stood in each place, by module or class, and name."""
    return dict(_originals)


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
    from celadon._core import green

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
    wanted = [_MODULES[name] for name in PARTS if parts.get(name, True)]
    for name in (*_ALWAYS, *wanted, "celadon.patch.fork"):
        importlib.import_module(name).install()
