"""An application that says why there is none."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>The application failed</title>
<style>body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 2rem; color-scheme: light dark }}
pre {{ overflow: auto; padding: 1rem; border: 1px solid }}</style></head>
<body><h1>The application does not start</h1>
<pre>{}</pre>
<p>It is tried again as soon as a file changes.</p></body></html>
"""


class _Failed:
    """A WSGI application."""

    def __init__(self, page: bytes) -> None:
        self._page = page
        self._headers = [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(page))),
            ("Cache-Control", "no-store"),
        ]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("500 Internal Server Error", self._headers)
        return [self._page]


def application(why: str) -> Callable[..., Any]:
    """A WSGI application whose every answer is a page with `why`, status 500."""
    return _Failed(_PAGE.format(html.escape(why)).encode())


def is_one(app: Any) -> bool:
    """Whether `app` is such a page, whatever interface the application has."""
    return isinstance(app, _Failed)
