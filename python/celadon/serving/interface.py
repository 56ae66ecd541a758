"""Which interface an application has, by what can be seen of it: WSGI, ASGI, or ASGI 2.

A coroutine function is ASGI's, and so is what says so by its parameters: ``scope``,
``receive`` and ``send`` (ASGI 3), or ``scope`` alone (ASGI 2). What cannot be told is
WSGI's.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from celadon.errors import AppError
from celadon.serving.mounts import Application, split

AUTO, WSGI, ASGI, ASGI2 = "auto", "wsgi", "asgi", "asgi2"

_ARGUMENTS = {
    WSGI: ("two arguments", "environ, start_response"),
    ASGI: ("three arguments", "scope, receive, send"),
    ASGI2: ("one argument", "scope"),
}
_MOST_WRAPPERS = 100  # around one application; more are a circle


def interface_of(app: Any, wanted: str = AUTO) -> str:
    """``wsgi``, ``asgi`` or ``asgi2``: `wanted`, and of ``auto`` what `app` looks like.

    Of ``asgi`` it is ``asgi2`` where it looks like that. Who refuses what is wrong for
    `wanted` is `refuse_wrong`.
    """
    if wanted == ASGI:
        return ASGI2 if _seen(app) == ASGI2 else ASGI
    return wanted if wanted != AUTO else _seen(app) or WSGI


def refuse_wrong(app: Any, name: str, instead: str, wanted: str = AUTO) -> None:
    """Raises `AppError` for what cannot be called as an application of that interface;
    `instead` is what to do with a function that makes one. What is mounted below it is
    looked at by itself."""
    root, mounted = split(app)
    if problem := _problem(root, name, instead, wanted):
        raise AppError(problem)
    for prefix, each in mounted.items():
        refuse_wrong(each, f"what is mounted at {prefix}", "mount what it returns")


class Served(NamedTuple):
    """An application as it is called, and as which: ``wsgi``, or ``asgi`` (3); `mounted` are
    those below it, by their prefixes."""

    app: Application
    interface: str = WSGI
    mounted: Mapping[str, Served] = MappingProxyType({})


def served(app: Application, wanted: str = AUTO) -> Served:
    """`app` by its interface; one of ASGI 2 becomes one of ASGI 3. What is mounted below it
    is looked at by itself, whatever is wanted of `app`. What is there more than once is the
    same everywhere."""
    app, below = split(app)
    every = {id(each): _alone(each) for each in below.values()}
    found = _alone(app, wanted)
    twin = every.get(id(app), found)
    if twin.interface == found.interface:
        found = twin
    mounted = {prefix: every[id(each)] for prefix, each in below.items()}
    return found._replace(mounted=mounted)


def _alone(app: Application, wanted: str = AUTO) -> Served:
    interface = interface_of(app, wanted)
    if interface == ASGI2:
        return Served(_single(app), ASGI)
    return Served(app, interface)


def _single(app: Application) -> Application:
    @functools.wraps(app, updated=())
    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await app(scope)(receive, send)

    return asgi


def _seen(app: Any) -> str:
    """Empty where nothing tells."""
    for _ in range(_MOST_WRAPPERS):
        found = _seen_of_class(app) if inspect.isclass(app) else _seen_of_function(app)
        wrapped = getattr(_called(app), "__wrapped__", None)
        if found or wrapped is None or not _passes_all_on(app):
            return found
        app = wrapped
    return ""


def _seen_of_function(app: Any) -> str:
    while isinstance(app, functools.partial):
        if is_coroutine_function(app):
            return ASGI
        app = app.func
    if is_coroutine_function(_called(app)):
        return ASGI
    names = _required(app)
    if {"receive", "send"} <= {*names}:
        return ASGI
    return ASGI2 if names == ["scope"] else ""


def _seen_of_class(cls: type) -> str:
    """One of ASGI 2 is made for each scope, and then called; one whose instances are
    awaited is ASGI 3's."""
    if hasattr(cls, "__await__"):
        return ASGI
    is_called = any("__call__" in vars(each) for each in cls.__mro__)
    return ASGI2 if is_called and _required(cls) == ["scope"] else ""


def _called(app: Any) -> Any:
    """The function of what is called."""
    if inspect.isroutine(app) or inspect.isclass(app):
        return app
    return getattr(app, "__call__", app)  # noqa: B004


def is_coroutine_function(function: Any) -> bool:
    """Also one that is only marked as one, as asgiref does on 3.11."""
    if inspect.iscoroutinefunction(function):
        return True
    marking = sys.modules.get("asyncio.coroutines")
    mark = getattr(marking, "_is_coroutine", None)
    return mark is not None and getattr(function, "_is_coroutine", None) is mark


def _required(app: Any) -> list[str]:
    """Names of what has to be given; of its own, not of what it wraps."""
    signature = _signature(app, follow_wrapped=False)
    if signature is None:
        return []
    return [
        each.name
        for each in signature.parameters.values()
        if each.default is each.empty
        and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
        and each.name != "self"
    ]


def _passes_all_on(app: Any) -> bool:
    """Whether it takes whatever comes, so that what it wraps tells more."""
    signature = _signature(app, follow_wrapped=False)
    return signature is None or any(
        each.kind is each.VAR_POSITIONAL for each in signature.parameters.values()
    )


def _signature(app: Any, follow_wrapped: bool) -> inspect.Signature | None:
    try:
        return inspect.signature(app, follow_wrapped=follow_wrapped)
    except Exception:  # objects of the application's own are asked
        return None


def _problem(app: Any, name: str, instead: str, wanted: str) -> str:
    """Why it is none; empty where nothing tells that."""
    seen = _seen(app)
    if seen and wanted not in (AUTO, seen) and (wanted, seen) != (ASGI, ASGI2):
        return _wrong(name, seen, wanted)
    interface = interface_of(app, wanted)
    if inspect.isasyncgenfunction(_called(app)):
        return (
            f"{name} is an asynchronous generator: an ASGI application awaits "
            "send(...), and yields nothing"
        )
    signature = _signature(app, follow_wrapped=_passes_all_on(app))
    if signature is None:
        return ""
    count, listed = _ARGUMENTS[interface]
    if _takes(signature, listed.count(",") + 1):
        return _no_answer(app, name) if interface == WSGI else ""
    if _takes(signature, 0) and not is_coroutine_function(_called(app)):
        return f"{name} is a function that makes an application: {instead}"
    if interface != WSGI and wanted != AUTO and _takes(signature, 2):
        return _wrong(name, WSGI, wanted)
    return f"{name} takes no {count} ({listed}): {signature}"


def _wrong(name: str, seen: str, wanted: str) -> str:
    by = ", which a worker_class of uvicorn's means too," if wanted == ASGI else ""
    return (
        f"{name} is an application of {_TITLES[seen]}: interface = {wanted}{by} is wrong "
        "for it; auto sees what it is"
    )


_TITLES = {WSGI: "WSGI", ASGI: "ASGI", ASGI2: "ASGI 2"}


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def _no_answer(app: Any, name: str) -> str:
    """A class is an application if what it makes can be gone through."""
    is_plain = inspect.isclass(app) and type(app).__call__ is type.__call__
    if not is_plain or hasattr(app, "__iter__") or hasattr(app, "__getitem__"):
        return ""
    return (
        f"{name} is a class, and what it makes is no answer of a request: name an "
        "application that is made of it"
    )
