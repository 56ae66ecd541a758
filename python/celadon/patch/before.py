"""What application modules hold that is of before the patch, and would stay native.

A native lock lets greenlets of one thread wait for each other for ever, and a native
`threading.local` is one for all of them: requests would see each other's values. So do
those that are made later by a class that was imported before, and a function that was
imported before holds the loop. Where somebody else imports the application first
(gunicorn's configuration file, an agent that starts before everything), what can be
swapped is swapped, and what cannot be is named.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import types
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from celadon._core import green
from celadon.base import origins
from celadon.logging import logger
from celadon.patch import brief
from celadon.patch.registry import original, patched, replacements
from celadon.patch.semaphores import SemLock

_MOST = 200_000  # objects that are looked at: an import of a large project makes fewer
_DEEP = 8
_CELL = "<closure>"
_WRAPPERS = (classmethod, staticmethod)
_OF_OS = (
    *(os.supports_dir_fd, os.supports_effective_ids),
    *(os.supports_fd, os.supports_follow_symlinks),
)

Put = Callable[[Any], None]


def settle() -> None:
    """Swaps, and logs what is left, a line for each module.

    In a process that was just forked: no other thread is about to take what is swapped.
    """
    modules = [
        module for name, module in [*sys.modules.items()] if _is_applications(module)
    ]
    if not modules:
        return
    walk = _Walk()
    for module in modules:
        walk.through(module)
    for name, places in walk.left.items():
        logger.warning(
            "%s was imported before the standard library was patched, and keeps %s: call "
            "celadon.patch.install() before that import",
            name,
            ", ".join(places),
        )


def _is_applications(module: Any) -> bool:
    file = getattr(module, "__file__", None)
    if type(module) is not types.ModuleType or not isinstance(file, str):
        return False
    return not origins.is_ours(file) and not origins.is_standard(file)


class _Walk:
    """Through what modules reach: each object once, each native one swapped once."""

    def __init__(self) -> None:
        self.left: dict[str, list[str]] = {}
        # Kept alive: a number is of one object. What says which functions can do what is
        # called by nobody, and is in each module that has imported all of os.
        self._seen: dict[int, Any] = {id(each): each for each in _OF_OS}
        self._swapped: dict[int, Any] = {}
        self._lock = type(original("_thread", "allocate_lock")())
        self._rlock = original("_thread", "RLock")
        self._local = original("_thread", "_local")
        self._queue = original("_queue", "SimpleQueue")
        futures = sys.modules.get("concurrent.futures.thread")
        self._executor: Any = getattr(futures, "ThreadPoolExecutor", None)
        self._semaphore: Any = None
        self._natives = {self._lock, self._rlock, self._queue}
        if patched("_multiprocessing", "SemLock"):
            self._semaphore = original("_multiprocessing", "SemLock")
            self._natives.add(self._semaphore)
        self._replaced: dict[int, tuple[str, Any, Any]] = {}
        for place, before, now in replacements():
            self._replaced.setdefault(id(before), (place, before, now))

    def through(self, module: types.ModuleType) -> None:
        self._module = module.__name__
        for name, value, put in _entries(vars(module)):
            self._visit(name, value, put, 0)

    def _visit(self, place: str, value: Any, put: Put | None, depth: int) -> None:
        kind = type(value)
        if self._is_replaced(value):
            was, _, now = self._replaced[id(value)]
            self._put(place, was, now, put)
            return
        if kind in self._natives or issubclass(kind, self._local):
            self._swap(place, value, put)
            return
        if kind is types.BuiltinMethodType and type(value.__self__) in self._natives:
            self._swap_method(place, value, put)
            return
        if issubclass(kind, type) and (was_of := self._old_class_of(value)):
            self._leave(f"{place}, a class of {was_of}")
            return
        if depth == _DEEP or id(value) in self._seen or len(self._seen) == _MOST:
            return
        self._seen[id(value)] = value
        for name, inner, put_inner in self._inside(value):
            self._visit(place + name, inner, put_inner, depth + 1)
        _shorten_waits(value)

    def _is_replaced(self, value: Any) -> bool:
        """A driver keeps what it knows of its own."""
        was = self._replaced.get(id(value))
        return was is not None and _package(was[0]) != _package(self._module)

    def _old_class_of(self, value: type) -> str | None:
        if self._local in value.__mro__:
            return "threading.local"
        for base in value.__mro__:
            if self._is_replaced(base):
                return self._replaced[id(base)][0]
        return None

    def _inside(self, value: Any) -> Iterator[tuple[str, Any, Put | None]]:
        kind = type(value)
        if issubclass(kind, dict):
            yield from _entries(value, "[%s]")
            if issubclass(kind, defaultdict):
                put = _putter(setattr, value, "default_factory")
                yield ".default_factory", value.default_factory, put
        elif kind is list:
            for number, each in enumerate(value):
                yield f"[{number}]", each, _putter(value.__setitem__, number)
        elif kind in (tuple, set, frozenset):
            for each in value:
                yield "[...]", each, None
        elif kind is types.FunctionType:
            yield from _of_function(value)
        elif kind in _WRAPPERS:
            yield "()", value.__func__, None
        elif kind is functools.partial:
            for each in (value.func, *value.args, *value.keywords.values()):
                yield "(...)", each, None
        elif issubclass(kind, type):
            if value.__module__ == self._module:
                for name, each in [*vars(value).items()]:
                    yield f".{name}", each, _putter(setattr, value, name)
        elif kind is not types.ModuleType:
            if self._executor is not None and issubclass(kind, self._executor):
                _forget_threads(value)
            yield from _of_instance(value)

    def _swap(self, place: str, value: Any, put: Put | None) -> None:
        fresh = self._swapped.get(id(value))
        if fresh is None and put is not None:
            fresh = self._made_of(value)
        if fresh is not None and self._put(
            place, f"a {type(value).__name__}", fresh, put
        ):
            self._seen[id(value)] = value
            self._swapped[id(value)] = fresh
        elif fresh is None:
            self._leave(f"{place}, a {type(value).__name__}")

    def _put(self, place: str, what: str, fresh: Any, put: Put | None) -> bool:
        if put is None:
            self._leave(f"{place}, {what}")
            return False
        try:
            put(fresh)
        except (AttributeError, TypeError):
            self._leave(f"{place}, which is read-only")
            return False
        return True

    def _swap_method(self, place: str, method: Any, put: Put | None) -> None:
        owner = method.__self__
        self._swap(place, owner, lambda _: None)
        fresh = self._swapped.get(id(owner))
        if fresh is not None and put is not None:
            put(getattr(fresh, method.__name__))

    def _made_of(self, value: Any) -> Any:
        """Another in its place, as it is now; None where that cannot be."""
        kind = type(value)
        if kind is self._lock:
            return None if value.locked() else green.Lock()
        if kind is self._rlock:
            return None if _is_held(value) else green.RLock()
        if kind is self._queue and threading.active_count() == 1:
            queue = green.SimpleQueue()
            while not value.empty():
                queue.put(value.get_nowait())
            return queue
        if kind is self._local:
            local = green.local()
            vars(local).update(vars(value))
            return local
        if kind is self._semaphore:
            return None if value._count() else SemLock.instead_of(value)
        return None

    def _leave(self, what: str) -> None:
        self.left.setdefault(self._module, []).append(what)


def _package(name: str) -> str:
    return name.partition(".")[0]


def _is_held(lock: Any) -> bool:
    if not lock.acquire(blocking=False):
        return True
    try:
        return "count=1 " not in repr(lock)  # once, by the line above
    finally:
        lock.release()


def _entries(mapping: Any, shape: str = "%s") -> Iterator[tuple[str, Any, Put]]:
    kind = dict if isinstance(mapping, dict) else type(mapping)
    for name, value in [*kind.items(mapping)]:
        text = name if isinstance(name, str) else type(name).__name__
        yield shape % text, value, _putter(kind.__setitem__, mapping, name)


def _putter(set_: Any, *where: Any) -> Put:
    return lambda value: set_(*where, value)


def _of_function(function: Any) -> Iterator[tuple[str, Any, Put | None]]:
    for name, cell in zip(
        function.__code__.co_freevars, function.__closure__ or (), strict=True
    ):
        try:
            value = cell.cell_contents
        except ValueError:  # it is empty
            continue
        yield f".{_CELL}.{name}", value, _putter(setattr, cell, "cell_contents")
    for each in function.__defaults__ or ():
        yield ".<default>", each, None
    yield from _entries(function.__dict__, ".%s")


def _of_instance(value: Any) -> Iterator[tuple[str, Any, Put | None]]:
    try:
        own = object.__getattribute__(value, "__dict__")
    except AttributeError:
        own = None
    if type(own) is dict:
        yield from _entries(own, ".%s")
    for kind in type(value).__mro__:
        for name, member in vars(kind).items():
            if type(member) is types.MemberDescriptorType and kind.__module__ not in (
                sys.builtin_module_names
            ):
                try:
                    yield (
                        f".{name}",
                        member.__get__(value),
                        _putter(setattr, value, name),
                    )
                except (AttributeError, TypeError):
                    continue


def _forget_threads(executor: Any) -> None:
    """Those that a fork has left behind: it starts others."""
    if not any(thread.is_alive() for thread in executor._threads):
        executor._threads.clear()
        executor._idle_semaphore = threading.Semaphore(0)


def _shorten_waits(value: Any) -> None:
    for cls, lock_of in brief.guarded:
        if issubclass(type(value), cls):
            lock = lock_of(value)
            if type(lock) in (green.Lock, green.RLock):
                lock._brief()
