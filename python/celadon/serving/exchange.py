"""What hooks and logs are told of an answer, whichever interface its application has."""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any


class Response:
    """The ``resp`` of a hook: ``status``, ``headers``, ``sent`` (bytes)."""

    def __init__(self, req: Any) -> None:
        self.req = req
        self.version = req.version
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.sent = 0
        self.began = time.monotonic()

    @property
    def status_code(self) -> int | None:
        return int(self.status[:3]) if self.status else None

    @property
    def response_length(self) -> int | None:
        """By its Content-Length."""
        for name, value in self.headers:
            if name.lower() == "content-length" and value.isdigit():
                return int(value)
        return None

    @property
    def headers_sent(self) -> bool:
        return self.status != ""

    @property
    def chunked(self) -> bool:
        """Whether the application left its length open, for a client that knows chunks."""
        is_bodiless = self.status_code in (204, 304) or self.req.method == "HEAD"
        is_open = self.response_length is None and self.version >= (1, 1)
        return is_open and self.headers_sent and not is_bodiless


# Of a worker, its request, the environ and the answer.
Exchange = tuple[Any, Any, dict[str, Any], Response]
After = Callable[[Exchange], None]
PHRASES = {int(each): each.phrase for each in HTTPStatus}
