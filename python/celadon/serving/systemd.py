"""What systemd hears of the server, and the sockets that it hands over.

The protocols are those of sd_notify(3) and sd_listen_fds(3); without their variables in
the environment all of this does nothing.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from dataclasses import dataclass, field

from celadon import config
from celadon.green import spawn_later

STORED = "celadon-"  # names of ours in the descriptor store begin so
_ALIVE = ("WATCHDOG=1",)
_PATIENCE = 2.0  # seconds
_FIRST = 3  # the descriptor that handed-over sockets begin with


class Notifier:
    """Tells the service manager what this process does.

    The variables are taken out of the environment: a child must not speak for us.
    """

    def __init__(self) -> None:
        self._address = os.environ.pop("NOTIFY_SOCKET", "")
        self._reads = True
        self._is_ready = False
        self.watchdog_period = _watchdog_period()

    def tell(self, *lines: str, descriptor: int | None = None) -> None:
        """Sends assignments such as ``READY=1``; a manager that is gone is no error.

        One that does not read is waited for once, until it reads again; and never for a
        sign of life, which the next one makes up for.
        """
        if not self._address:
            return
        is_urgent = lines != _ALIVE
        try:
            self._send(lines, descriptor, _PATIENCE if is_urgent and self._reads else 0)
            self._reads = True
        except (BlockingIOError, TimeoutError):
            self._reads = self._reads and not is_urgent
        except OSError:
            return

    def _send(
        self, lines: tuple[str, ...], descriptor: int | None, patience: float
    ) -> None:
        target = self._address
        if target.startswith("@"):
            target = "\0" + target[1:]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.settimeout(patience)
            out.connect(target)  # only so poll tells whether there is room
            given = [] if descriptor is None else [descriptor]
            socket.send_fds(out, ["\n".join(lines).encode()], given)

    def ready(self, status: str) -> None:
        self._is_ready = True
        self.tell("READY=1", f"STATUS={status}", f"MAINPID={os.getpid()}")

    def as_before(self, status: str) -> None:
        """What `reloading` began changes nothing: who was not ready is not so by that."""
        if self._is_ready:
            self.ready(status)
        else:
            self.tell(f"STATUS={status}")

    def reloading(self) -> None:
        """The manager waits for `ready` from now on, as it does for the first."""
        if not self._is_ready:
            return
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.tell("RELOADING=1", f"MONOTONIC_USEC={microseconds}", "STATUS=reloading")

    def alive(self) -> None:
        """Each `watchdog_period`, while all is well; else the manager steps in."""
        self.tell(*_ALIVE)

    def keep_alive(self) -> None:
        """From now on, as long as this thread's loop turns."""
        if self.watchdog_period:
            self.alive()
            spawn_later(self.watchdog_period, self.keep_alive)

    def store(self, name: str, descriptor: int) -> None:
        """The manager keeps a copy of it for the next master."""
        self.tell("FDSTORE=1", f"FDNAME={name}", descriptor=descriptor)

    def forget(self, name: str) -> None:
        self.tell("FDSTOREREMOVE=1", f"FDNAME={name}")

    def stopping(self, status: str) -> None:
        self.tell("STOPPING=1", f"STATUS={status}")


def _watchdog_period() -> float:
    """How often the manager wants to hear of us, in seconds; 0: not at all.

    Half of what it allows (sd_watchdog_enabled(3)).
    """
    pid = os.environ.pop("WATCHDOG_PID", "")
    microseconds = os.environ.pop("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or pid not in ("", str(os.getpid())):
        return 0.0
    return int(microseconds) / 2e6


@dataclass
class Sockets:
    """Those that were handed over.

    `http` and `admin` as ``fd://N``; `stored` by the name under which a master before
    us had them kept.
    """

    http: list[str] = field(default_factory=list)
    admin: list[str] = field(default_factory=list)
    stored: dict[str, int] = field(default_factory=dict)


def take_sockets() -> Sockets:
    """Sockets that were handed over, by what they are for.

    ``admin`` are those that are named so (``FileDescriptorName=``), ``http`` those with
    another name or none. The variables are taken out of the environment.
    """
    pid = os.environ.pop("LISTEN_PID", "")
    count = os.environ.pop("LISTEN_FDS", "")
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    found = Sockets()
    if pid != str(os.getpid()) or not count.isdigit():
        return found
    for index in range(int(count)):
        descriptor = _FIRST + index
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
        fcntl.fcntl(descriptor, fcntl.F_SETFD, flags | fcntl.FD_CLOEXEC)
        name = names[index] if index < len(names) else ""
        if name.startswith(STORED):
            found.stored[name] = descriptor
        else:
            kind = found.admin if name == "admin" else found.http
            kind.append(f"fd://{descriptor}")
    return found


def activated(settings: config.Config, sockets: Sockets) -> config.Config:
    """With the sockets that systemd has opened, unless others were asked for."""
    for name, given in (("bind", sockets.http), ("admin_bind", sockets.admin)):
        if given and settings.is_default(name):
            settings.set(name, given, "socket activation")
        elif left := [each for each in given if each not in getattr(settings, name)]:
            # gunicorn would take them; a proxy that connects to one waits for ever.
            settings.notes.append(
                f"{name} ({settings.sources[name]}) says where to listen, so nobody serves "
                f"{', '.join(left)} of systemd: leave {name} out, or the socket unit"
            )
    return settings
