"""`ssl`: the methods of `ssl.SSLSocket` that OpenSSL may want to wait in.

Contexts, objects and everything else stay CPython's. OpenSSL reads by itself, so the
descriptor of a TLS socket does not block in the kernel once it was used.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from celadon._core import green, sockets
from celadon.patch.imports import when_imported
from celadon.patch.registry import replace

_READ_LATE = "The read operation timed out"
_WRITE_LATE = "The write operation timed out"
_HANDSHAKE_LATE = "_ssl.c: The handshake operation timed out"


def install() -> None:
    when_imported("ssl", _patch)


def _patch(ssl: ModuleType) -> None:
    sockets.set_tls_errors(ssl.SSLWantReadError, ssl.SSLWantWriteError)
    cls = ssl.SSLSocket
    for method in (
        _read(ssl, cls.read),
        _write(cls.write),
        _send(cls.send),
        _do_handshake(),
        _unwrap(cls.unwrap),
    ):
        replace(cls, method.__name__, method)


def _read(ssl: ModuleType, native: Any) -> Any:
    def read(self: Any, len: int = 1024, buffer: Any = None) -> Any:
        tls = self._sslobj
        if tls is None:
            return native(self, len, buffer)
        self._checkClosed()
        into = () if buffer is None else (buffer,)
        try:
            return sockets.tls_call(self, _READ_LATE, tls.read, len, *into)
        except ssl.SSLError as error:
            if error.args[0] != ssl.SSL_ERROR_EOF or not self.suppress_ragged_eofs:
                raise
            return b"" if buffer is None else 0

    return read


def _write_alone(self: Any, tls: Any, data: Any) -> Any:
    """One writer at a time: OpenSSL wants a write that waited repeated as it was."""
    turn = self.__dict__.get("_celadon_writing")
    if turn is None:
        turn = self.__dict__.setdefault("_celadon_writing", green.Lock())
    timeout = self.gettimeout()
    if timeout == 0:
        return tls.write(data)
    if not turn.acquire(True, -1 if timeout is None else timeout):
        raise TimeoutError(_WRITE_LATE)
    try:
        return sockets.tls_call(self, _WRITE_LATE, tls.write, data)
    finally:
        turn.release()


def _write(native: Any) -> Any:
    def write(self: Any, data: Any) -> Any:
        tls = self._sslobj
        if tls is None:
            return native(self, data)
        self._checkClosed()
        return _write_alone(self, tls, data)

    return write


def _send(native: Any) -> Any:
    def send(self: Any, data: Any, flags: int = 0) -> Any:
        tls = self._sslobj
        if tls is None or flags != 0:
            return native(self, data, flags)
        self._checkClosed()
        return _write_alone(self, tls, data)

    return send


def _do_handshake() -> Any:
    def do_handshake(self: Any, block: bool = False) -> None:
        self._check_connected()
        timeout = self.gettimeout()
        try:
            if timeout == 0.0 and block:
                self.settimeout(None)
            sockets.tls_call(self, _HANDSHAKE_LATE, self._sslobj.do_handshake)
        finally:
            self.settimeout(timeout)

    return do_handshake


def _unwrap(native: Any) -> Any:
    def unwrap(self: Any) -> Any:
        tls = self._sslobj
        if not tls:
            return native(self)
        plain = sockets.tls_call(self, _READ_LATE, tls.shutdown)
        self._sslobj = None
        return plain

    return unwrap
