"""Asks a running server, by its control socket."""

from __future__ import annotations

import json
import os
import socket
import struct
from typing import Any

from celadon.errors import CeladonError

_TIMEOUT = 35.0  # seconds; the server's own patience is 30
_LONG = ("reload",)  # as long as the workers take


def ask(address: str, words: str) -> Any:
    """The answer to `words`. Raises `CeladonError` where nobody answers."""
    target = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(None if words in _LONG else _TIMEOUT)
            connection.connect(target)
            if target != address:
                _check_owner(connection, address)
            connection.sendall(words.encode() + b"\n")
            with connection.makefile("rb") as reply:
                size = reply.readline()
                text = reply.read(int(size or b"0"))
    except TimeoutError:
        raise CeladonError(
            f"the server at {address} has not answered within {_TIMEOUT:g} s: its admin "
            "process is held or stopped"
        ) from None
    except (OSError, ValueError) as error:
        raise CeladonError(
            f"no server answers at {address} ({_reason(error)}): it is named by the "
            "settings that it was started with, so ask in its folder, or with its --bind, "
            "--config or --control-socket"
        ) from None
    if not text:
        raise CeladonError(
            f"the server at {address} does not answer this user: it is another's"
        )
    return json.loads(text)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _check_owner(connection: socket.socket, address: str) -> None:
    """Anybody may take an abstract name. Raises `CeladonError`."""
    size = struct.calcsize("3i")
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _, uid, _ = struct.unpack("3i", peer)
    if uid not in (0, os.getuid()):
        raise CeladonError(
            f"who listens at {address} is user {uid}, not you: nothing was asked"
        )
