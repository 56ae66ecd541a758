"""Bodies that a framework does not read, said once.

Django reads as much of a body as ``Content-Length`` says, and nothing of one that comes in
chunks: its form is empty, as under every server that does not buffer requests.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from celadon.logging import logger
from celadon.patch.imports import when_imported
from celadon.patch.registry import replace

_told = False


def install() -> None:
    """Has Django looked at, once the application imports it."""
    when_imported("django.core.handlers.wsgi", _adapt)


def _adapt(wsgi: ModuleType) -> None:
    cls: Any = wsgi.WSGIRequest
    native = cls.__init__

    @functools.wraps(native)
    def __init__(self: Any, environ: Any) -> None:
        # With request_buffering the length is known, and the field is not passed on.
        if "HTTP_TRANSFER_ENCODING" in environ and "CONTENT_LENGTH" not in environ:
            _tell(environ)
        native(self, environ)

    replace(cls, "__init__", __init__)


def _tell(environ: Any) -> None:
    global _told
    if _told:
        return
    _told = True
    logger.warning(
        "Django reads nothing of a body that comes in chunks (%s %s): with"
        " --request-buffering it has a length, and Django reads it",
        environ.get("REQUEST_METHOD"),
        ascii(environ.get("PATH_INFO"))[1:-1],
    )
