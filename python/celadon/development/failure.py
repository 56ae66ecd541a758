"""An application that says why there is none."""

from __future__ import annotations

import html
from typing import Any

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>The application failed</title>
<style>body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 2rem; color-scheme: light dark }}
pre {{ overflow: auto; padding: 1rem; border: 1px solid }}</style></head>
<body><h1>The application cannot be imported</h1>
<pre>{}</pre>
<p>It is tried again as soon as a file changes.</p></body></html>
"""


def application(why: str) -> Any:
    """A WSGI application whose every answer is a page with `why`, status 500."""
    page = _PAGE.format(html.escape(why)).encode()
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", str(len(page))),
        ("Cache-Control", "no-store"),
    ]

    def fail(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("500 Internal Server Error", headers)
        return [page]

    return fail
