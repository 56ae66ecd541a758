"""What was replaced, and what stood there before."""

from __future__ import annotations

from types import ModuleType
from typing import Any

_originals: dict[tuple[str, str], Any] = {}
_done = False


def replace(module: ModuleType | type, name: str, value: Any) -> None:
    """Sets ``module.name`` and remembers what it was."""
    key = (module.__name__, name)
    _originals.setdefault(key, getattr(module, name))
    setattr(module, name, value)


def patched(module: str, name: str) -> bool:
    """Whether ``module.name`` was replaced."""
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
    from celadon.patch import asyncios, collector, fork, queues, selects, threads, times

    green.start_hub()
    collector.install()
    threads.install()
    times.install()
    queues.install()
    selects.install()
    asyncios.install()
    fork.install()
