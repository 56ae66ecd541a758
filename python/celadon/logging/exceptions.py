"""Exceptions that an application let out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celadon._core import wsgi
from celadon.base import repeats
from celadon.logging.lines import escape
from celadon.logging.loggers import logger


def log_exception(error: BaseException, environ: dict[str, Any] | None) -> None:
    """An exception that an application let out."""
    what = _request_of(environ)
    if (reason := _by_the_client(error)) is not None:
        logger.info("%s: %s (%s)", what, reason, type(error).__name__)
        return
    what = (
        "error while closing a response"
        if environ is None
        else f"error handling {what}"
    )
    is_written, is_first_that_is_not = _repeats.admit(error)
    if is_written:
        logger.error("%s", what, exc_info=error)
    elif is_first_that_is_not and _call_later is not None:
        _call_later(repeats.PERIOD, tell_repeats)


def _request_of(environ: dict[str, Any] | None) -> str:
    if environ is None:
        return "a response"
    method = escape(str(environ.get("REQUEST_METHOD", "-")))
    uri = escape(str(environ.get("RAW_URI", "-")))
    return f"request {method} {uri}"


def _by_the_client(error: BaseException) -> BaseException | None:
    """What a client did that an application answered by `error`: nothing in it is wrong."""
    if isinstance(error, BaseExceptionGroup):
        reasons = [_by_the_client(each) for each in error.exceptions]
        return None if None in reasons else reasons[0]
    link: BaseException | None = error
    for _ in range(_LINKS):
        if link is None or isinstance(link, wsgi.ClientDisconnected | wsgi.BodyError):
            return link
        link = link.__cause__ or (
            None if link.__suppress_context__ else link.__context__
        )
    return None


_LINKS = 20  # of a chain of causes that are looked at


def tell_repeats() -> None:
    """Logs how many errors were not written since the last time."""
    _repeats.end()


def _tell(place: repeats.Place, count: int) -> None:
    kind, file, line = place
    logger.error("%s at %s:%d: %d more, not written", kind, file, line, count)


_repeats = repeats.Repeats(_tell)
_call_later: Callable[[float, Callable[[], None]], object] | None = None


def log_later(call_later: Callable[[float, Callable[[], None]], object]) -> None:
    """`call_later` calls a function in so many seconds; where requests run on a loop."""
    global _call_later
    _call_later = call_later
