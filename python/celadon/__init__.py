"""celadon: synchronous WSGI applications on an event loop, one greenlet per request.

Importing this package patches nothing and starts nothing. The ``celadon`` command
patches the standard library before it imports the application.
"""

from typing import TYPE_CHECKING

from celadon._core.aio import TaskBlocked
from celadon._core.green import LoopBlocked, RequestKilled, RequestTimeout
from celadon._core.wsgi import BodyError, ClientDisconnected
from celadon.base.version import VERSION
from celadon.green import (
    Event,
    Lock,
    Queue,
    Semaphore,
    Timeout,
    deadline,
    shield,
    sleep,
    spawn,
)

if TYPE_CHECKING:
    from celadon.master.running import run
    from celadon.serving.embedded import Server
    from celadon.serving.mounts import Mount

__version__ = VERSION

__all__ = [
    "BodyError",
    "ClientDisconnected",
    "Event",
    "Lock",
    "LoopBlocked",
    "Mount",
    "Queue",
    "RequestKilled",
    "RequestTimeout",
    "Semaphore",
    "Server",
    "TaskBlocked",
    "Timeout",
    "deadline",
    "run",
    "shield",
    "sleep",
    "spawn",
]


def __getattr__(name: str) -> object:
    """`Mount`, `Server` and `run`: most who import this package only want to wait."""
    if name not in ("Mount", "Server", "run"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from celadon.master.running import run
    from celadon.serving.embedded import Server
    from celadon.serving.mounts import Mount

    globals().update(Mount=Mount, Server=Server, run=run)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
