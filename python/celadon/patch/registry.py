"""What was replaced, and what stood there before."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from types import BuiltinFunctionType, ModuleType
from typing import Any

from celadon._core import green

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
    "celadon.patch.finalizers",
    "celadon.patch.extensions",
    "celadon.patch.threads",
    "celadon.patch.times",
    "celadon.patch.queues",
    "celadon.patch.functions",
    "celadon.patch.signals",
    "celadon.patch.identities",
    "celadon.patch.semaphores",
    "celadon.patch.multiprocesses",
)
PARTS = tuple(_MODULES)

_originals: dict[tuple[str, str], Any] = {}
_ALWAYS_ON = "always"
# Who was changed in each place, to what, by which part, and whether it had one of its own.
_set: dict[tuple[str, str], tuple[Any, Any, str | None, bool]] = {}
_part: str | None = None  # that is applied just now
_done = False


def replace(module: ModuleType | type, name: str, value: Any) -> None:
    """Sets ``module.name`` and remembers what it was. A class goes by its full name.

    A function of C is nobody's method, wherever it is put, and is pickled by its name: so
    is what stands in its place.
    """
    before = vars(module).get(name)
    if isinstance(before, BuiltinFunctionType) and not isinstance(value, type):
        value = green.in_place_of(before, value)
        for each in _sets_of(module):
            if before in each:
                each.add(value)
        home: Any = sys.modules.get(before.__module__) or object  # `posix`, for `os`
        if home is not module and vars(home).get(before.__name__) is before:
            replace(home, before.__name__, value)
    owner = module.__name__
    if isinstance(module, type):
        owner = f"{module.__module__}.{module.__qualname__}"
    _originals.setdefault((owner, name), getattr(module, name))
    is_own = name in vars(module) if (owner, name) not in _set else _set[owner, name][3]
    _set[owner, name] = (module, value, _part, is_own)
    setattr(module, name, value)


def _sets_of(module: ModuleType | type) -> list[set[Any]]:
    """In which functions of it may be: `os.supports_dir_fd` says by that what they can."""
    return [each for each in vars(module).values() if type(each) is set]


def patched(module: str, name: str) -> bool:
    """Whether ``module.name`` was replaced; `module` may be a class: ``socket.socket``."""
    return (module, name) in _originals


def original(module: str, name: str) -> Any:
    """What ``module.name`` was; raises `KeyError` if it was not replaced."""
    return _originals[(module, name)]


def replaced() -> dict[tuple[str, str], Any]:
    """What stood in each place, by module or class, and name."""
    return dict(_originals)


def replacements() -> Iterator[tuple[str, Any, Any]]:
    """What can be taken from its place by a name of one's own: the place, what was there
    and what is there now."""
    for (owner, name), (_, value, _, is_own) in _set.items():
        before = _originals[owner, name]
        if is_own and callable(before) and before is not value:
            yield f"{owner}.{name}", before, value


def withdraw(*parts: str) -> None:
    """What stood there before `install` comes back, of these parts, or of all.

    For settings that are known only once code has run which had to find all patched. A
    place where somebody has put something else since stays as it is; objects that were
    made in between wait natively, as those of a process without greenlets do.
    """
    global _done
    from celadon.patch import imports

    imports.forget(parts)
    for place, (owner, value, part, is_own) in [*_set.items()]:
        if parts and part not in parts:
            continue
        name = place[1]
        if vars(owner).get(name) is value:
            if is_own:
                setattr(owner, name, _originals[place])
            else:
                delattr(owner, name)
        if isinstance(value, BuiltinFunctionType):
            for each in _sets_of(owner):
                each.discard(value)
        del _set[place], _originals[place]
    _done = bool(parts) and _done


def current_part() -> str | None:
    """The part that is applied just now, if one is."""
    return _part


@contextlib.contextmanager
def applying(part: str | None) -> Iterator[None]:
    """What is replaced meanwhile belongs to `part`."""
    global _part
    before, _part = _part, part
    try:
        yield
    finally:
        _part = before


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
