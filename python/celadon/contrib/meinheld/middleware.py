"""Middlewares by which applications of meinheld's reach their request."""

from __future__ import annotations

from typing import Any

from celadon.contrib.meinheld.common import (
    CLIENT_KEY,
    CONTINUATION_KEY,
    Continuation,
)
from celadon.contrib.meinheld.websocket import WebSocketMiddleware

__all__ = [
    "CLIENT_KEY",
    "CONTINUATION_KEY",
    "Continuation",
    "ContinuationMiddleware",
    "WebSocketMiddleware",
]


class ContinuationMiddleware:
    """Puts a `Continuation` into the environ, as ``meinheld.continuation``."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        environ[CONTINUATION_KEY] = Continuation(environ.get(CLIENT_KEY))
        return self.app(environ, start_response)
