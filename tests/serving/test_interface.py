"""Which interface an application has, by what can be seen of it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import falcon
import falcon.asgi
import fastapi
import flask
import litestar
import pytest
import quart
import socketio
from asgiref.wsgi import WsgiToAsgi
from celadon.errors import AppError
from celadon.serving import interface
from channels.routing import ProtocolTypeRouter
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint

if not settings.configured:
    settings.configure()


async def coroutine(scope: Any, receive: Any, send: Any) -> None: ...
async def with_more(more: Any, scope: Any, receive: Any, send: Any) -> None: ...
def returning(scope: Any, receive: Any, send: Any) -> Any:
    return coroutine(scope, receive, send)


def wsgi(environ: Any, start_response: Any) -> Any: ...
def passed_on(*args: Any) -> Any: ...
def of_scope(scope: Any) -> Any: ...
async def generator(scope: Any, receive: Any, send: Any) -> Any:
    yield 1


class Asgi:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class Returning:
    def __call__(self, scope: Any, receive: Any, send: Any) -> Any: ...


class Old:
    def __init__(self, scope: Any) -> None: ...
    async def __call__(self, receive: Any, send: Any) -> None: ...


class Younger(Old): ...


class NotCalled:
    def __init__(self, scope: Any) -> None: ...


class Middleware:
    def __init__(self, app: Any) -> None: ...
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class Wsgi:
    def __call__(self, environ: Any, start_response: Any) -> Any: ...


class Made:
    def __init__(self, environ: Any, start_response: Any) -> None: ...
    def __iter__(self) -> Any: ...


class Both:
    """By the number of what it is given."""

    def __call__(self, *args: Any) -> Any: ...


class Marked:
    def __call__(self, *args: Any) -> Any: ...

    __call__._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]


class Strange:
    @property
    def __signature__(self) -> Any:
        raise KeyError

    def __call__(self, environ: Any, start_response: Any) -> Any: ...


def around(app: Any) -> Callable[..., Any]:
    @functools.wraps(app)
    def call(*args: Any) -> Any:
        return app(*args)

    return call


def to_wsgi(app: Any) -> Callable[..., Any]:
    @functools.wraps(app)
    def call(environ: Any, start_response: Any) -> Any: ...

    return call


def circle() -> Any:
    def call(*args: Any) -> Any: ...

    call.__wrapped__ = call  # type: ignore[attr-defined]
    return call


SEEN = {
    "asgi": [
        coroutine,
        returning,
        Asgi(),
        Asgi().__call__,
        Returning(),
        Marked(),
        functools.partial(coroutine),
        functools.partial(with_more, 1),
        functools.partial(functools.partial(with_more, 1)),
        functools.partial(Asgi()),
        around(coroutine),
        around(around(coroutine)),
        HTTPEndpoint,
        Starlette(),
        fastapi.FastAPI(),
        litestar.Litestar([], logging_config=None),  # else it starts a thread
        quart.Quart("quart"),
        falcon.asgi.App(),
        ASGIHandler(),
        ProtocolTypeRouter({}),
        socketio.ASGIApp(None),
        WsgiToAsgi(flask.Flask("flask")),
        around(Starlette()),
    ],
    "asgi2": [Old, Younger, of_scope, around(of_scope)],
    "wsgi": [
        wsgi,
        passed_on,
        Wsgi(),
        Made,
        Both(),
        Strange(),
        functools.partial(wsgi),
        around(wsgi),
        to_wsgi(coroutine),
        circle(),
        flask.Flask("flask"),
        flask.Flask("flask").wsgi_app,
        falcon.App(),
        WSGIHandler(),
        len,
    ],
}


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        pytest.param(app, kind, id=f"{kind}-{getattr(app, '__name__', type(app))}")
        for kind, apps in SEEN.items()
        for app in apps
    ],
)
def test_what_an_application_is(app: Any, expected: str) -> None:
    assert interface.interface_of(app) == expected
    if app not in (len, ProtocolTypeRouter):
        interface.refuse_wrong(app, "it", "call it")


@pytest.mark.parametrize(
    ("app", "wanted", "said"),
    [
        (coroutine, "wsgi", "it is an application of ASGI: interface = wsgi is wrong"),
        (Old, "wsgi", "it is an application of ASGI 2: interface = wsgi is wrong"),
        (Asgi(), "asgi2", "it is an application of ASGI: interface = asgi2 is wrong"),
        (
            wsgi,
            "asgi",
            "it is an application of WSGI: interface = asgi, which a worker_",
        ),
        (
            flask.Flask("flask"),
            "asgi",
            "it is an application of WSGI: interface = asgi",
        ),
        (generator, "auto", "an asynchronous generator: an ASGI application awaits"),
        (Starlette, "auto", "is a class, and what it makes is no answer"),
        (Middleware, "auto", r"takes no two arguments \(environ, start_response\)"),
        (Asgi, "auto", "is a function that makes an application: call it"),
        (NotCalled, "auto", "takes no two arguments"),
        (
            with_more,
            "auto",
            r"takes no three arguments \(scope, receive, send\): \(more",
        ),
        (lambda: Asgi(), "asgi", "is a function that makes an application: call it"),
        (lambda a, b, c: 0, "asgi2", r"takes no one argument \(scope\)"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(app: Any, wanted: str, said: str) -> None:
    with pytest.raises(AppError, match=said) as raised:
        interface.refuse_wrong(app, "it", "call it", wanted)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("app", "wanted", "expected"),
    [
        (Both(), "asgi", "asgi"),
        (passed_on, "asgi", "asgi"),
        (Old, "asgi", "asgi2"),
        (passed_on, "asgi2", "asgi2"),
        (coroutine, "asgi", "asgi"),
        (wsgi, "wsgi", "wsgi"),
    ],
)
def test_what_cannot_be_told_may_be_said(app: Any, wanted: str, expected: str) -> None:
    interface.refuse_wrong(app, "it", "call it", wanted)
    assert interface.interface_of(app, wanted) == expected


def test_one_of_asgi_2_is_called_as_one_of_asgi_3() -> None:
    said: list[Any] = []

    class Old2:
        def __init__(self, scope: Any) -> None:
            said.append(scope)

        async def __call__(self, receive: Any, send: Any) -> None:
            said.extend([receive, send])

    app, kind, _ = interface.served(Old2)
    assert kind == "asgi"
    asyncio.run(app(1, 2, 3))
    assert said == [1, 2, 3]
    assert interface.served(app) == (app, "asgi", {})
    assert interface.served(wsgi) == (wsgi, "wsgi", {})
