"""What a process of the server is to the system: whose it is, its name, its pid file."""

from __future__ import annotations

import contextlib
import fcntl
import grp
import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from celadon.errors import CeladonError, UsageError


def find_user(name: str) -> int:
    """The number of a user by name or number. Raises `UsageError`."""
    try:
        return _number(name) if name.isdigit() else pwd.getpwnam(name).pw_uid
    except KeyError:
        raise UsageError(f"user: there is no user {name!r}") from None


def find_group(name: str) -> int:
    """Likewise of a group."""
    try:
        return _number(name) if name.isdigit() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise UsageError(f"group: there is no group {name!r}") from None


_NOBODY = 2**32 - 1  # what system calls take for nobody: the first number of none


def _number(digits: str) -> int:
    """Raises `KeyError` for what no user and no group can have."""
    if (number := int(digits)) >= _NOBODY:
        raise KeyError(digits)
    return number


def pin(slot: int) -> None:
    """This process to one CPU of those it may run on, by its place among the workers."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[slot % len(cpus)]})


@dataclass(frozen=True)
class Account:
    """Whom a process becomes; `groups` are all it has, `home` is empty if unknown."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


class AccountSettings(Protocol):
    """The settings that say whom workers run as."""

    user: str
    group: str
    initgroups: bool


def account_of(settings: AccountSettings) -> Account | None:
    """None where nobody else is asked for. Raises `UsageError`.

    Without `group` it is the user's own, not that of who starts the server.
    """
    uid = find_user(settings.user) if settings.user else os.geteuid()
    known = _known(uid)
    if settings.group:
        gid = find_group(settings.group)
    elif uid == os.geteuid():
        gid = os.getegid()
    elif known:
        gid = known.pw_gid
    else:
        raise UsageError(f"group: user {uid} has no account that names one; set group")
    if (uid, gid) == (os.geteuid(), os.getegid()):
        return None
    groups: tuple[int, ...] = (gid,)
    if settings.initgroups:
        if known is None:
            raise UsageError(f"initgroups: user {uid} has no account")
        groups = tuple(os.getgrouplist(known.pw_name, gid))
    return Account(uid, gid, groups, known.pw_dir if known else "")


def _known(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None


def become(account: Account) -> None:
    """For good, and looks whether it is so. Raises `CeladonError`."""
    was_root = os.geteuid() == 0
    try:
        if was_root:
            os.setgroups(account.groups)  # not those of whom it was
        os.setresgid(account.gid, account.gid, account.gid)
        os.setresuid(account.uid, account.uid, account.uid)
    except OSError as error:
        hint = "" if was_root else "; only root can: leave user and group out"
        raise CeladonError(
            f"cannot become {account.uid}:{account.gid}: {error.strerror}{hint}"
        ) from None
    if not _is(account, was_root):
        raise CeladonError(f"has not become {account.uid}:{account.gid}")
    if account.home:
        os.environ["HOME"] = (
            account.home
        )  # with root's a library writes where it must not


_YES = 3  # an exit status that nothing else has


def may_make_files(folder: str, account: Account | None = None) -> bool:
    """Whether this process can, or one could that has become `account`."""
    if account is None or os.geteuid() != 0:
        return os.access(folder, os.W_OK | os.X_OK)
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == _YES
    try:
        become(account)
        os._exit(_YES if os.access(folder, os.W_OK | os.X_OK) else 0)
    finally:
        os._exit(1)


def _is(account: Account, has_set_groups: bool) -> bool:
    if {*os.getresuid()} != {account.uid} or {*os.getresgid()} != {account.gid}:
        return False
    if has_set_groups and {*os.getgroups()} != {*account.groups}:
        return False
    if account.uid == 0:
        return True
    try:
        os.setuid(0)
    except PermissionError:
        return True
    return False


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
    """A file with the number of this process, which holds a lock on it while it lives."""

    def __init__(self, path: str) -> None:
        self._path = Path(path).absolute()
        self._file: int | None = None
        self._pid = os.getpid()

    def write(self) -> None:
        """Raises `CeladonError` where a server that lives stands in it.

        A process that holds no lock got the number of one that was killed.
        """
        try:
            other = _holder(self._path)
            if other is not None:
                raise CeladonError(f"pidfile: {self._path}: process {other} is running")
            self._put()
        except OSError as error:
            why = f"{self._path}: {error.strerror}"
            raise CeladonError(f"pidfile: {why}") from None

    def _put(self) -> None:
        # At once whole, and not through a link that somebody else has laid there.
        fresh = self._path.with_name(f".{self._path.name}.{os.urandom(8).hex()}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        writer = os.open(fresh, flags, 0o644)
        try:
            os.write(writer, f"{self._pid}\n".encode())
            # A process without privileges that inherits it cannot write.
            self._file = os.open(fresh, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fresh.replace(self._path)
        except OSError:
            fresh.unlink()
            raise
        finally:
            os.close(writer)

    def remove(self) -> None:
        """If it is ours still. In a fork, which ends later, it is left alone."""
        file, self._file = self._file, None
        if file is None or os.getpid() != self._pid:
            return
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(file), os.lstat(self._path)):
                self._path.unlink()
        os.close(file)


def _holder(path: Path) -> int | None:
    """The server that has written this pid file and lives."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        text = os.read(file, 32)
        if not text.strip().isdigit() or not _lives(int(text)):
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(text)  # a worker of one that is gone may hold it as well
        return None
    finally:
        os.close(file)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
