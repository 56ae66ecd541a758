"""Keeps what the server said of a request, beyond its end."""

from __future__ import annotations

from typing import Any

kept: list[Any] = []


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    info = environ["celadon.request"]
    info.route = "/route"
    kept.append(info)
    text = f"{kept[0].timings == {}} {kept[0].route!r}".encode()
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]
