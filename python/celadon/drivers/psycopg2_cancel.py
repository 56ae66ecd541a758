"""A query of psycopg2's that is cancelled on its server.

psycopg2's own `cancel` keeps the interpreter to itself while it connects to the server for
that and waits. libpq is asked here instead, on a native thread: what it needs to know of
the connection is copied first, so that may be closed meanwhile.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable
from types import ModuleType
from typing import Any

from celadon.green.native_pool import NativePool

_natives = NativePool(4, "celadon-cancel")
_MESSAGE = 256  # bytes


class Cancelling:
    """Asks the server of a connection to cancel what that has it do."""

    def __init__(self, psycopg2: ModuleType) -> None:
        self._error: type[Exception] = psycopg2.OperationalError
        self._libpq: ctypes.CDLL | None = None
        with contextlib.suppress(AttributeError, OSError):
            self._libpq = _libpq_of(psycopg2._psycopg)

    def is_known(self, conn: Any) -> bool:
        """Whether it can be done here."""
        return self._libpq is not None and bool(getattr(conn, "pgconn_ptr", None))

    def start(self, conn: Any) -> None:
        """Does it, and waits for nothing: for a connection that is not used any more.

        One that is not up yet has nothing to cancel.
        """
        if self.is_known(conn):
            _natives.start(self._request(conn))

    def finish(self, conn: Any) -> None:
        """Does it as far as it can be done; nothing comes of it where the server has not
        read the query yet. Whoever uses the connection next is not met by a cancel that
        comes late: what there was to send, the server has by then."""
        if self.is_known(conn):
            _natives.run(self._request(conn))

    def run(self, conn: Any) -> None:
        """Does it; raises as psycopg2 does."""
        message = _natives.run(self._request(conn))
        if message is not None:
            raise self._error(message)

    def _request(self, conn: Any) -> Callable[[], str | None]:
        libpq = self._libpq
        assert libpq is not None
        cancel = libpq.PQgetCancel(conn.pgconn_ptr)

        def request() -> str | None:
            text = ctypes.create_string_buffer(_MESSAGE)
            try:
                done = libpq.PQcancel(cancel, text, _MESSAGE)
            finally:
                libpq.PQfreeCancel(cancel)
            return None if done else text.value.decode(errors="replace")

        return request


def _libpq_of(module: Any) -> ctypes.CDLL:
    """The library that psycopg2 itself was linked with."""
    libpq = ctypes.CDLL(module.__file__)
    libpq.PQgetCancel.argtypes = (ctypes.c_void_p,)
    libpq.PQgetCancel.restype = ctypes.c_void_p
    libpq.PQcancel.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
    libpq.PQcancel.restype = ctypes.c_int
    libpq.PQfreeCancel.argtypes = (ctypes.c_void_p,)
    libpq.PQfreeCancel.restype = None
    return libpq
