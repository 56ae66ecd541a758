"""Hosts in libpq's options: it would look their names up in C."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

from celadon.drivers.budget import name_of


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


def libpq_server(options: Mapping[str, Any]) -> str:
    """The server that libpq's `options` mean, as the budget names it."""
    host = options.get("host") or options.get("hostaddr") or os.environ.get("PGHOST")
    port = options.get("port") or os.environ.get("PGPORT") or 5432
    return name_of("postgresql", host, port)
