"""What frameworks call their requests: ``/users/<id>``, for metrics and logs.

Their own names, never the path that came: those would be as many as a client likes.
Other frameworks, and applications, set ``environ["celadon.request"].route`` themselves.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from celadon.patch.imports import when_imported
from celadon.patch.registry import replace


def install() -> None:
    """Has Flask and Django tell, once the application imports them."""
    when_imported("flask.ctx", _adapt_flask)
    when_imported("django.core.handlers.base", _adapt_django)


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
        info = request.META.get("celadon.request")
        if info is not None and match.route is not None:
            info.route = "/" + str(match.route).lstrip("/^")
        return match

    replace(cls, "resolve_request", resolve_request)
