"""pyOpenSSL: a connection over a socket that blocks would wait in OpenSSL.

Its descriptor does not block once a greenlet uses it, and what OpenSSL wants then is waited
for here. Over a socket with a time limit, which never blocked, callers do that themselves.
"""

from __future__ import annotations

import functools
import os
from types import ModuleType
from typing import Any

from celadon import green
from celadon._core.green import can_park
from celadon.patch.registry import replace

_READ, _WRITE = 1, 2
_PIECE = 16384  # bytes; of a record
_WAITING = ("recv", "recv_into", "send", "do_handshake", "shutdown")
_SAME = {"recv": "read", "send": "write"}  # by both names


def adapt(ssl: ModuleType) -> None:
    cls: Any = ssl.Connection
    for name in _WAITING:
        method = _waiting(ssl, getattr(cls, name))
        replace(cls, name, method)
        if name in _SAME:
            replace(cls, _SAME[name], method)
    native = cls.sendall

    @functools.wraps(native)
    def sendall(self: Any, buf: Any, flags: int = 0) -> Any:
        if not _would_block(self):
            return native(self, buf, flags)
        view = memoryview(buf.encode() if isinstance(buf, str) else buf).cast("B")
        total = len(view)
        while view:
            view = view[self.send(view[:_PIECE].tobytes(), flags) :]
        return total

    replace(cls, "sendall", sendall)


def _would_block(conn: Any) -> bool:
    sock = conn._socket
    return sock is not None and can_park() and sock.gettimeout() is None


def _waiting(ssl: Any, native: Any) -> Any:
    @functools.wraps(native)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not _would_block(self):
            return native(self, *args, **kwargs)
        fd = self._socket.fileno()
        if os.get_blocking(fd):
            os.set_blocking(fd, False)
        while True:
            try:
                return native(self, *args, **kwargs)
            except ssl.WantReadError:
                wanted = _READ
            except ssl.WantWriteError:
                wanted = _WRITE
            green.wait_fd(fd, wanted)

    return method
