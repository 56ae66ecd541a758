"""What was set before `run`."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from celadon import _core


class State:
    """What was set before `run`."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        self.settings: dict[str, Any] = {"request_timeout": 0}
        self.backlog = 2048
        self.keepalive = 0
        self.access: Any = DEFAULT
        self.error: Any = None
        self.beat: Callable[[], Any] | None = None
        self.core: _core.Server | None = None
        self.interrupted = False


DEFAULT = object()
state = State()
