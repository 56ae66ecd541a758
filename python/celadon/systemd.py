"""What systemd hears of the master, and the sockets that it hands over.

The protocols are those of sd_notify(3) and sd_listen_fds(3); without their variables in
the environment all of this does nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time

_FIRST = 3  # the descriptor that handed-over sockets begin with


class Notifier:
    """Tells the service manager what this process does.

    The variables are taken out of the environment: a child must not speak for us.
    """

    def __init__(self) -> None:
        self._address = os.environ.pop("NOTIFY_SOCKET", "")

    def tell(self, *lines: str) -> None:
        """Sends assignments such as ``READY=1``; a manager that is gone is no error."""
        if not self._address:
            return
        target = self._address
        if target.startswith("@"):
            target = "\0" + target[1:]
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out,
        ):
            out.sendto("\n".join(lines).encode(), target)

    def ready(self, status: str) -> None:
        self.tell("READY=1", f"STATUS={status}", f"MAINPID={os.getpid()}")

    def status(self, text: str) -> None:
        self.tell(f"STATUS={text}")

    def reloading(self) -> None:
        """The manager waits for `ready` from now on."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.tell("RELOADING=1", f"MONOTONIC_USEC={microseconds}", "STATUS=reloading")

    def stopping(self) -> None:
        self.tell("STOPPING=1", "STATUS=workers finish their requests")


def take_sockets() -> dict[str, list[str]]:
    """Sockets that were handed over, as ``fd://N``, by what they are for.

    ``http`` for those without a name or with one of no meaning, ``admin`` for those that
    are named so (``FileDescriptorName=``). The variables are taken out of the environment.
    """
    pid = os.environ.pop("LISTEN_PID", "")
    count = os.environ.pop("LISTEN_FDS", "")
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    found: dict[str, list[str]] = {"http": [], "admin": []}
    if pid != str(os.getpid()) or not count.isdigit():
        return found
    for index in range(int(count)):
        descriptor = _FIRST + index
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
        fcntl.fcntl(descriptor, fcntl.F_SETFD, flags | fcntl.FD_CLOEXEC)
        name = names[index] if index < len(names) else ""
        found["admin" if name == "admin" else "http"].append(f"fd://{descriptor}")
    return found
