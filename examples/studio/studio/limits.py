"""A middleware: nobody books more often in a minute than a person would."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from studio.cache import Cache

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication


class Limit:
    """Answers 429 once an address has posted `allowed` times in this minute."""

    def __init__(self, app: WSGIApplication, cache: Cache, allowed: int) -> None:
        self._app = app
        self._cache = cache
        self._allowed = allowed

    def __call__(
        self, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST" and self._is_too_much(environ):
            headers = [("Content-Type", "text/plain"), ("Retry-After", "60")]
            start_response("429 Too Many Requests", headers)
            return [b"That is a lot of pottery. Please wait a minute.\n"]
        return self._app(environ, start_response)

    def _is_too_much(self, environ: dict[str, Any]) -> bool:
        minute = f"posts:{int(time.time() // 60)}"
        address = environ.get("REMOTE_ADDR", "")
        return self._cache.count(minute, address, seconds=120) > self._allowed
