"""Where lines of the error log end, for what goes there by another way."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from celadon.logging import files
from celadon.logging.lines import Formatter
from celadon.logging.loggers import logger, theirs


def stream() -> Any:
    """What the error log is written to."""
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is not None:
            return handler.stream
    return sys.stderr


def descriptor() -> int:
    """Likewise as a descriptor, for what must not wait for `logging`."""
    try:
        return int(stream().fileno())
    except (OSError, AttributeError, ValueError):
        return 2


def is_plain() -> bool:
    """Whether a line goes to one place, as we write it: the core may do that itself."""
    outlets = _outlets()
    return len(outlets) == 1 and type(outlets[0].formatter) is Formatter


def is_on_standard_error() -> bool:
    """Whether who looks there sees a line: it ends there, or all of that in the log."""
    return files.captured is not None or any(
        getattr(each, "stream", None) is sys.stderr for each in _outlets()
    )


def last_words(text: str) -> None:
    """Of a process that ends at once, and waits for no lock of `logging`'s."""
    if is_plain():
        stream().write(text)
        stream().flush()
        return
    record = logger.makeRecord(
        logger.name, logging.CRITICAL, __file__, 0, "%s", (text.rstrip(),), None
    )
    for handler in _outlets():
        if record.levelno < handler.level or not handler.filter(record):
            continue
        if handler.lock is None or handler.lock.acquire(blocking=False):
            handler.emit(record)


def _outlets() -> Sequence[logging.Handler]:
    """Where lines of the error log end."""
    found = [*logger.handlers, *theirs.handlers]
    each: logging.Logger | None = logger
    while each and each.propagate and (each := each.parent):
        found += each.handlers
    return list(dict.fromkeys(found))


class ErrorStream:
    """``wsgi.errors``: text on its way to the error log's destination."""

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"wsgi.errors takes str, not {type(text).__name__}")
        with contextlib.suppress(OSError):  # a full disk costs lines, not requests
            stream().write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            stream().flush()
