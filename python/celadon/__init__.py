"""celadon: synchronous WSGI applications on an event loop, one greenlet per request.

Importing this package patches nothing and starts nothing. The ``celadon`` command
patches the standard library before it imports the application.
"""

from celadon._core.green import LoopBlocked, RequestKilled, RequestTimeout
from celadon._core.wsgi import BodyError, ClientDisconnected
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
from celadon.server import Server, run

__version__ = "0.1.0"

__all__ = [
    "BodyError",
    "ClientDisconnected",
    "Event",
    "Lock",
    "LoopBlocked",
    "Queue",
    "RequestKilled",
    "RequestTimeout",
    "Semaphore",
    "Server",
    "Timeout",
    "deadline",
    "run",
    "shield",
    "sleep",
    "spawn",
]
