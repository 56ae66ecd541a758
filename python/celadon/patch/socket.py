"""`socket`: the methods of `socket.socket` itself, so also of its subclasses.

Descriptors stay blocking in the kernel, for children and C libraries; each call asks for
itself not to. What waits is the greenlet; a native thread blocks as ever.
"""

from __future__ import annotations

import functools
import os
from types import ModuleType
from typing import Any

from celadon._core import green, sockets
from celadon.patch.buffered import CooperativeIO
from celadon.patch.imports import when_imported
from celadon.patch.registry import replace


def install() -> None:
    when_imported("socket", _patch)


def _patch(socket: ModuleType) -> None:
    cls = socket.socket
    for name, method in sockets.methods(socket._socket.socket, cls).items():
        replace(cls, name, method)
    replace(socket, "io", CooperativeIO("io"))  # of makefile()
    replace(cls, "_sendfile_use_sendfile", _sendfile(cls._sendfile_use_sendfile))
    close = _close(socket._socket.close)
    replace(socket._socket, "close", close)
    replace(socket, "close", close)


def _close(native: Any) -> Any:
    @functools.wraps(native)
    def close(fd: Any, /) -> None:
        if isinstance(fd, int) and fd >= 0:
            green.fd_closing(fd)
        native(fd)

    return close


def _sendfile(native: Any) -> Any:
    def _sendfile_use_sendfile(
        self: Any, file: Any, offset: int = 0, count: int | None = None
    ) -> Any:
        if self.gettimeout() is not None or not green.can_park():
            return native(self, file, offset, count)
        # CPython's own loop waits by a selector where the descriptor does not block.
        fd = self.fileno()
        os.set_blocking(fd, False)
        try:
            return native(self, file, offset, count)
        finally:
            if self.fileno() == fd:
                os.set_blocking(fd, self.gettimeout() is None)

    return _sendfile_use_sendfile
