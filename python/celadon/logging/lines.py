"""What a line is made of."""

from __future__ import annotations

import logging

from celadon._core import wsgi

FORMAT = "[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s"

DATE_FORMAT = "%Y-%m-%d %H:%M:%S %z"


class RequestFilter(logging.Filter):
    """Adds ``request_id``, ``trace_id`` and ``span_id`` to records, for formats of yours.

    Empty outside of a request. For `logging.config.dictConfig`::

        "filters": {"request": {"()": "celadon.logging.RequestFilter"}}
    """

    def filter(self, record: logging.LogRecord) -> bool:
        request = wsgi.current_request()
        record.request_id = request.id if request else ""
        record.trace_id = request.trace_id if request else ""
        record.span_id = request.span_id if request else ""
        return True


class Formatter(logging.Formatter):
    """Lines of a request end with its ids."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        request = wsgi.current_request()
        if request is None:
            return line
        names = f"request_id={request.id} trace_id={request.trace_id}"
        return f"{line} [{names.removesuffix(' trace_id=')}]"


def escape(text: str) -> str:
    """What a peer sent, safe for one log line."""
    return "".join(
        c if " " <= c <= "~" and c not in '"\\' else f"\\x{ord(c) & 0xFF:02x}"
        for c in text
    )
