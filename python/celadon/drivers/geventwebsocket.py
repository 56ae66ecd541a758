"""gevent-websocket: of it applications keep what they import, on the server's own WebSockets.

Its handler, which spoke the protocol, is not there. What a WebSocket of ours raises is what
they catch, and a `WebSocketApplication` ends where no more messages come: its own loop waits
for an error that follows a None.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from celadon._core.wsgi import ClientDisconnected
from celadon.patch.registry import replace


def adapt(module: ModuleType) -> None:
    if module.__name__ == "geventwebsocket.exceptions":
        replace(module, "WebSocketError", ClientDisconnected)
    else:
        replace(module.WebSocketApplication, "handle", handle)


def handle(self: Any) -> None:
    """Calls the application's ``on_open``, ``on_message`` for each message and ``on_close``.

    The subprotocol is its `protocol_name`, where the client offers that.
    """
    name = self.protocol_name()
    self.ws.accept(name if name in self.ws.subprotocols else None)
    self.protocol.on_open()
    try:
        for message in self.ws:
            self.protocol.on_message(message)
    finally:
        self.protocol.on_close()
