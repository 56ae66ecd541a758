"""Names of hosts in libpq's options: libpq would look them up in C."""

from __future__ import annotations

import socket
from typing import Any


def numeric_hosts(options: dict[str, Any]) -> dict[str, str]:
    """``hostaddr`` for the host names in `options`; nothing where libpq knows better."""
    hosts = options.get("host")
    if not hosts or not isinstance(hosts, str) or options.get("hostaddr"):
        return {}
    if any(not host or host[0] in "/@" for host in hosts.split(",")):
        return {}  # a folder of Unix sockets
    try:
        found = [
            socket.getaddrinfo(host, None, 0, socket.SOCK_STREAM)
            for host in hosts.split(",")
        ]
    except OSError:
        return {}  # libpq has the right words for it
    return {"hostaddr": ",".join(str(infos[0][4][0]) for infos in found)}
