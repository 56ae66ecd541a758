"""Libraries that wait in C: one table of what of them runs on native threads.

A class that can be changed is changed in place; one that the application makes objects of,
and cannot be changed, is another below the same name; what a function gives is wrapped, and
stays an instance of its class to who asks. One call at a time uses an object where its
library has it so.

A greenlet that is killed meanwhile leaves at once; the object is free once its call has
ended.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any

from celadon import green
from celadon._core.green import can_park
from celadon.drivers.proxied import LIBRARIES, Waiting
from celadon.green.native_pool import NativePool
from celadon.patch.registry import replace

_natives = NativePool(32, "celadon-proxy")


def adapt(module: ModuleType) -> None:
    library = next(each for each in LIBRARIES if each.module == module.__name__)
    kinds = {each.name: each for each in library.classes}
    given = {*library.functions.values()}
    for each in library.classes:
        given |= {*each.gives.values()}
    wrappers: dict[str, Any] = {}
    for name, kind in kinds.items():
        cls = getattr(module, name)
        if name in given:
            wrappers[name] = _wrapper(cls, kind, wrappers)
        elif _is_mutable(cls):
            for method in kind.methods:
                if hasattr(cls, method):
                    native = getattr(cls, method)
                    waits = _method(native, kind.alone, library.reads_callers)
                    replace(cls, method, waits)
        else:
            replace(module, name, _below(cls, kind))
    for name in library.calls:
        if hasattr(module, name):
            function = _function(getattr(module, name), library.reads_callers)
            replace(module, name, function)
    for name, gives in library.functions.items():
        replace(module, name, _making(getattr(module, name), wrappers[gives]))


def _is_mutable(cls: Any) -> bool:
    with contextlib.suppress(TypeError):
        cls._celadon_probe = True
        del cls._celadon_probe
        return True
    return False


def _run(call: Callable[[], Any], turn: Any = None) -> Any:
    """On a native thread, with `turn`, which is kept until it has ended."""
    if turn is None:
        return _natives.run(call)
    turn.acquire()
    return _natives.run_owned(call, turn.release, lambda: None)


class _Turn:
    """Who uses an object. A copy of that object has one of its own."""

    def __init__(self) -> None:
        lock = green.Lock()
        self.acquire, self.release = lock.acquire, lock.release

    def __reduce__(self) -> Any:
        return _Turn, ()


def _turn_of(owner: Any) -> Any:
    return vars(owner).setdefault("_celadon_turn", _Turn())


_CALL = compile("_celadon_call()", "<celadon>", "eval")


def _in_place_of(caller: FrameType, call: Callable[[], Any]) -> Callable[[], Any]:
    """A call below a frame with the names of `caller`, wherever it runs."""
    names = {**caller.f_locals, "_celadon_call": call}
    return functools.partial(eval, _CALL, caller.f_globals, names)


def _method(native: Any, alone: bool, reads_callers: bool = False) -> Any:
    @functools.wraps(native, assigned=("__name__", "__doc__"))
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        call: Any = functools.partial(native, self, *args, **kwargs)
        if reads_callers:
            call = _in_place_of(sys._getframe(1), call)
        if not can_park():
            return call()
        return _run(call, _turn_of(self) if alone else None)

    return method


def _function(native: Any, reads_callers: bool) -> Any:
    @functools.wraps(native, assigned=("__name__", "__doc__"))
    def function(*args: Any, **kwargs: Any) -> Any:
        call: Any = functools.partial(native, *args, **kwargs)
        if reads_callers:
            call = _in_place_of(sys._getframe(1), call)
        return _natives.run(call)

    return function


def _below(cls: Any, kind: Waiting) -> Any:
    methods = {
        name: _method(getattr(cls, name), kind.alone)
        for name in kind.methods
        if hasattr(cls, name)
    }
    place = {"__module__": cls.__module__, "__doc__": cls.__doc__}
    return type(cls.__name__, (cls,), {**place, **methods})


def _making(native: Any, wrapper: Any) -> Any:
    @functools.wraps(native)
    def make(*args: Any, **kwargs: Any) -> Any:
        if not can_park():
            return wrapper(native(*args, **kwargs))
        return wrapper(_natives.run(native, *args, **kwargs))

    return make


class _Wrapped:
    """An object of a class that cannot be changed."""

    def __init__(self, wrapped: Any, parent: Any = None) -> None:
        turn = parent._celadon_turn if parent is not None else _Turn()
        vars(self).update(_celadon=wrapped, _celadon_turn=turn, _celadon_parent=parent)

    def __getattr__(self, name: str) -> Any:
        if name == "connection" and self._celadon_parent is not None:
            return self._celadon_parent
        return getattr(self._celadon, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._celadon_attributes and can_park():
            _run(lambda: setattr(self._celadon, name, value), self._celadon_turn)
        else:
            setattr(self._celadon, name, value)

    def __enter__(self) -> Any:
        self._celadon.__enter__()
        return self

    def __iter__(self) -> Any:
        return self


def _wrapper(cls: Any, kind: Waiting, wrappers: dict[str, Any]) -> Any:
    def calling(name: str) -> Any:
        native = getattr(cls, name)
        waits, gives = name in kind.methods, kind.gives.get(name)

        @functools.wraps(native, assigned=("__name__", "__doc__"))
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            wrapped = self._celadon
            if waits and can_park():
                turn = self._celadon_turn
                result = _run(lambda: native(wrapped, *args, **kwargs), turn)
            else:
                result = native(wrapped, *args, **kwargs)
            if gives is not None:
                return wrappers[gives](result, self)
            return self if result is wrapped else result

        return method

    names = {*kind.methods, *kind.gives}
    methods: dict[str, Any] = {
        name: calling(name) for name in names if hasattr(cls, name)
    }
    methods["__class__"] = property(lambda self: cls)
    methods["_celadon_attributes"] = kind.attributes
    return type(cls.__name__, (_Wrapped,), {"__doc__": cls.__doc__, **methods})
