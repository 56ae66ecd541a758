"""What frameworks call their requests: ``/users/<id>``, for metrics and logs.

Their own names, never the path that came: those would be as many as a client likes.
Other frameworks, and applications, set ``environ["celadon.request"].route`` themselves,
which is ``scope["extensions"]["celadon.request"].route`` in ASGI.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from celadon.patch.imports import when_imported
from celadon.patch.registry import replace


def install() -> None:
    """Has frameworks tell, once the application imports them."""
    when_imported("flask.ctx", _adapt_flask)
    when_imported("django.core.handlers.base", _adapt_django)
    when_imported("quart.ctx", _adapt_quart)
    when_imported("starlette.routing", _adapt_starlette)
    when_imported("fastapi.routing", _adapt_fastapi)


def _adapt_flask(ctx: ModuleType) -> None:
    for name in ("RequestContext", "AppContext"):
        cls: Any = getattr(ctx, name, None)
        native = cls.__dict__.get("match_request") if cls is not None else None
        if native is not None:
            replace(cls, "match_request", _telling(native))


def _telling(native: Any) -> Any:
    @functools.wraps(native)
    def match_request(self: Any) -> None:
        native(self)
        rule = self.request.url_rule
        info = self.request.environ.get("celadon.request")
        if rule is not None and info is not None:
            info.route = rule.rule

    return match_request


def _adapt_django(base: ModuleType) -> None:
    cls: Any = base.BaseHandler
    native = cls.resolve_request

    @functools.wraps(native)
    def resolve_request(self: Any, request: Any) -> Any:
        match = native(self, request)
        scope = getattr(request, "scope", None)  # of an ASGIRequest
        info = _info_of(scope) if scope else request.META.get("celadon.request")
        if info is not None and match.route is not None:
            info.route = "/" + str(match.route).lstrip("/^")
        return match

    replace(cls, "resolve_request", resolve_request)


def _info_of(scope: Any) -> Any:
    return scope.get("extensions", {}).get("celadon.request")


def _adapt_quart(ctx: ModuleType) -> None:
    for name in ("_BaseRequestWebsocketContext", "RequestContext", "WebsocketContext"):
        cls: Any = getattr(ctx, name, None)
        native = cls.__dict__.get("match_request") if cls is not None else None
        if native is not None:
            replace(cls, "match_request", _telling_of_quart(native))


def _telling_of_quart(native: Any) -> Any:
    @functools.wraps(native)
    def match_request(self: Any) -> None:
        native(self)
        request = self.request_websocket
        info = _info_of(request.scope)
        if request.url_rule is not None and info is not None:
            info.route = request.url_rule.rule

    return match_request


def _adapt_starlette(routing: ModuleType) -> None:
    for name in ("Route", "WebSocketRoute", "Mount"):
        cls: Any = getattr(routing, name)
        replace(cls, "handle", _telling_of_starlette(cls.handle, name == "Mount"))


def _adapt_fastapi(routing: ModuleType) -> None:
    cls: Any = routing.APIRoute
    # Of a router that is included, with its prefix; once it was copied into the route.
    included = getattr(routing, "_get_scope_effective_route_context", None)
    if "handle" in vars(cls):
        replace(cls, "handle", _telling_of_starlette(cls.handle, False, included))


_MOUNTED = "celadon.mounted"  # of a scope: the names of the mounts that it came through


def _telling_of_starlette(native: Any, is_mount: bool, included: Any = None) -> Any:
    @functools.wraps(native)
    def handle(self: Any, scope: Any, receive: Any, send: Any) -> Any:
        context = included(scope) if included is not None else None
        route = self
        if context is not None and context.original_route is self:
            route = context
        path = scope.get(_MOUNTED, "") + route.path
        if is_mount:
            scope[_MOUNTED] = path
        elif (info := _info_of(scope)) is not None:
            info.route = path
        return native(self, scope, receive, send)

    return handle
