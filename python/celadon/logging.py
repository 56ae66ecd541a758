"""The error log: Python's `logging`, logger ``celadon.error``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from typing import Any

FORMAT = "[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s"
DATE_FORMAT = "%Y-%m-%d %H:%M:%S %z"

logger = logging.getLogger("celadon.error")


def setup(errorlog: str, loglevel: str) -> None:
    """Sends the error log to a file or, for ``-``, to standard error."""
    handler: logging.Handler
    if errorlog == "-":
        handler = logging.StreamHandler(sys.stderr)
    else:
        handler = logging.FileHandler(errorlog)
    handler.setFormatter(logging.Formatter(FORMAT, DATE_FORMAT))
    logger.handlers[:] = [handler]
    logger.setLevel(loglevel.upper())
    logger.propagate = False


def stream() -> Any:
    """What the error log is written to."""
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler):
            return handler.stream
    return sys.stderr


def descriptor() -> int:
    """Likewise as a descriptor, for what must not wait for `logging`."""
    try:
        return int(stream().fileno())
    except (OSError, AttributeError, ValueError):
        return 2


def log_line(level: int, text: str) -> None:
    """A line of the core."""
    logger.log(level, "%s", text)


def escape(text: str) -> str:
    """What a peer sent, safe for one log line."""
    return "".join(
        c if " " <= c <= "~" and c not in '"\\' else f"\\x{ord(c) & 0xFF:02x}"
        for c in text
    )


def log_exception(error: BaseException, environ: dict[str, Any] | None) -> None:
    """An exception that an application let out."""
    if environ is None:
        what = "error while closing a response"
    else:
        method = escape(str(environ.get("REQUEST_METHOD", "-")))
        uri = escape(str(environ.get("RAW_URI", "-")))
        what = f"error handling request {method} {uri}"
    logger.error("%s", what, exc_info=error)


class ErrorStream:
    """``wsgi.errors``: text on its way to the error log's destination."""

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"wsgi.errors takes str, not {type(text).__name__}")
        stream().write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        stream().flush()
