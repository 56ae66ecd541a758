"""Where the control socket of a server is."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from celadon.config.effective import Config

_LONGEST = 107  # bytes of a path in a socket's address
_SHOWN = 40  # letters of a socket's own name in that of its control socket


def address_of(settings: Config, listening: Sequence[str] = ()) -> str:
    """Where the control socket of a server with these settings is; empty: nowhere.

    `listening`: what the server itself calls its addresses.
    """
    if settings.control_socket_disable:
        return ""
    if settings.control_socket != "auto":
        return str(settings.control_socket)
    name = f"celadon-{_name_of(settings.bind[0], listening)}"
    for variable in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        folder = os.environ.get(variable, "").split(":")[0]
        if folder and os.access(folder, os.W_OK):
            path = str(Path(folder, name + ".ctl"))
            if len(os.fsencode(path)) <= _LONGEST:
                return path
    return f"@{name}-{os.getuid()}"


def _name_of(address: str, listening: Sequence[str]) -> str:
    """Of its first listener: no other server of this machine has it at the same time.

    A port that the system has chosen is told by its number, a path by a hash of the whole:
    it may be long, and have letters that the name of a file or socket cannot have. Who
    asks knows the address of a socket that was handed over, and not its number.
    """
    if address.startswith("fd://") and listening:
        address = listening[0].removeprefix("http://")
    if address.startswith("unix:") and not address.startswith("unix:@"):
        path = os.path.abspath(address.removeprefix("unix:"))
        import hashlib  # with OpenSSL, which is dear for who only asks a server

        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
        return f"unix-{_plain(os.path.basename(path))[:_SHOWN]}-{digest}"
    if address.endswith(":0") and listening:
        address = address[:-1] + listening[0].rpartition(":")[2]
    return _plain(address)


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-")
