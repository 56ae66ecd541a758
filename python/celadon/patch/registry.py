"""What was replaced, and what stood there before."""

from __future__ import annotations

from types import ModuleType
from typing import Any

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


def all() -> None:
    """Patches everything, once. Only in the main thread, before other threads run."""
    global _done
    if _done:
        return
    import threading

    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("celadon.patch.all() belongs in the main thread")
    _done = True
    from celadon._core import green
    from celadon.patch import (
        asyncios,
        collector,
        dns,
        files,
        fork,
        processes,
        queues,
        selects,
        sockets,
        threads,
        times,
        tls,
    )

    green.start_hub()
    collector.install()
    threads.install()
    times.install()
    queues.install()
    selects.install()
    sockets.install()
    dns.install()
    tls.install()
    files.install()
    processes.install()
    asyncios.install()
    fork.install()
