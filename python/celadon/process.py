"""What a process of the server is to the system: whose it is, its name, its pid file."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from pathlib import Path

from celadon.errors import CeladonError, UsageError


def find_user(name: str) -> int:
    """The number of a user by name or number. Raises `UsageError`."""
    try:
        return int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid
    except KeyError:
        raise UsageError(f"user: there is no user {name!r}") from None


def find_group(name: str) -> int:
    """Likewise of a group."""
    try:
        return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise UsageError(f"group: there is no group {name!r}") from None


def pin(slot: int) -> None:
    """This process to one CPU of those it may run on, by its place among the workers."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[slot % len(cpus)]})


def drop_privileges(user: str, group: str, initgroups: bool) -> None:
    """Becomes `user` and `group`, empty for no change. Raises `CeladonError`."""
    uid = find_user(user) if user else os.geteuid()
    gid = find_group(group) if group else os.getegid()
    if (uid, gid) == (os.geteuid(), os.getegid()):
        return
    try:
        if initgroups:
            os.initgroups(pwd.getpwuid(uid).pw_name, gid)
        elif os.geteuid() == 0:
            os.setgroups([gid])  # not those of whom it was
        os.setgid(gid)
        os.setuid(uid)
    except (OSError, KeyError) as error:
        raise CeladonError(
            f"cannot become {user or uid}:{group or gid}: {error}"
        ) from None
    # With root's home a library writes where it must not.
    with contextlib.suppress(KeyError):
        os.environ["HOME"] = pwd.getpwuid(uid).pw_dir


def set_title(proc_name: str, role: str) -> None:
    """Names this process ``celadon: master [name]`` in lists of processes.

    With the package setproctitle the whole command line, else the 15 letters of comm.
    """
    try:
        import setproctitle  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        with contextlib.suppress(OSError):
            Path("/proc/self/comm").write_text(f"{proc_name}:{role}")
    else:
        setproctitle.setproctitle(f"celadon: {role} [{proc_name}]")


class PidFile:
    """A file with the number of this process, for as long as it lives."""

    def __init__(self, path: str) -> None:
        self._path = Path(path).absolute()

    def write(self) -> None:
        """Raises `CeladonError` where another process that lives stands in it."""
        other = self._read()
        if other is not None and other != os.getpid() and _lives(other):
            raise CeladonError(f"pidfile: {self._path}: process {other} is running")
        try:
            # At once whole, and not through a link that somebody else has laid there.
            fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            fresh.write_text(f"{os.getpid()}\n")
            fresh.replace(self._path)
        except OSError as error:
            raise CeladonError(f"pidfile: {error}") from None

    def remove(self) -> None:
        if self._read() == os.getpid():
            self._path.unlink(missing_ok=True)

    def _read(self) -> int | None:
        try:
            return int(self._path.read_text())
        except (OSError, ValueError):
            return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
