"""What would stop a start that has good settings: addresses, users, folders, networks.

Nothing is opened that a server which runs already could have open, and no file is made.
"""

from __future__ import annotations

import copy
import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging import FileHandler
from typing import Any

from celadon import logging
from celadon._core import parse_address
from celadon.base import process
from celadon.base.process import find_group, find_user
from celadon.config import Config, control, lack_of_descriptors
from celadon.errors import UsageError
from celadon.serving import resources
from celadon.serving.statsd import open_statsd

_LONGEST = 107  # bytes of a path in a socket's address


def problems(settings: Config) -> list[str]:
    return [
        *resources.problems(settings),
        *_addresses(settings),
        *_users(settings),
        *_room(settings),
        *_files(settings),
        *_logs(settings),
        *_statsd(settings),
    ]


def _addresses(settings: Config) -> Iterator[str]:
    named = [
        (name, text)
        for name in ("bind", "admin_bind")
        for text in getattr(settings, name)
    ]
    address = control.address_of(settings)
    if address and not settings.is_default("control_socket"):
        named.append(("control_socket", f"unix:{address}"))
    for name, text in named:
        try:
            _try(*parse_address(text))
        except (ValueError, OSError) as error:
            yield f"{name}: {text}: {error}"


def _try(kind: str, where: str, number: int) -> None:
    """Raises `OSError` where nobody could listen there."""
    if kind == "fd":
        with socket.socket(fileno=os.dup(number)) as given:
            if not given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                raise OSError("no socket that listens")
    elif kind == "path":
        _try_path(where)
    elif kind == "tcp":
        _try_port("" if where == "*" else where, number)


def _try_path(path: str) -> None:
    if len(os.fsencode(path)) > _LONGEST:
        raise OSError("the path is too long")
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError("there is a file that is no socket")
    resources.look_at_folder(path)


def _try_port(host: str, port: int) -> None:
    kind = socket.SOCK_STREAM
    found = socket.getaddrinfo(host or "0.0.0.0", port, type=kind)
    for family, *_, address in found[:1]:
        with socket.socket(family, kind) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind(address)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:  # maybe by the server itself
                    raise


def _users(settings: Config) -> Iterator[str]:
    unknown: list[str] = []
    for name, find in ((settings.user, find_user), (settings.group, find_group)):
        try:
            if name:
                find(name)
        except UsageError as error:
            unknown += error.problems
    if unknown:
        yield from unknown
        return
    try:
        account = process.account_of(settings)
    except UsageError as error:
        yield from error.problems
        return
    if account and os.geteuid() != 0:
        name = "user" if settings.user else "group"
        yield f"{name}: only root can start workers that are another one"


def _room(settings: Config) -> Iterator[str]:
    if lack := lack_of_descriptors(settings):
        yield lack


def _files(settings: Config) -> Iterator[str]:
    """Those that a start makes itself."""
    for name in ("errorlog", "pidfile"):
        if why := resources.why_not_made(settings.values[name]):
            yield f"{name}: {why}"


def _logs(settings: Config) -> Iterator[str]:
    """What configures `logging`, which is then as before."""
    trial = copy.copy(settings)
    trial.values = {**settings.values, "errorlog": "-", "capture_output": False}
    before = logging.Before()
    with _leaving_no_files():
        try:
            logging.setup(trial)
        except UsageError as error:
            yield from error.problems
        finally:
            before.restore()


@contextmanager
def _leaving_no_files() -> Iterator[None]:
    """Handlers make theirs. One of who checks, root it may be, would be in the way of the
    user that the server runs as."""
    made: list[str] = []
    handler: Any = FileHandler
    opened = handler._open

    def note(self: FileHandler) -> Any:
        if not os.path.lexists(self.baseFilename):
            made.append(self.baseFilename)
        return opened(self)

    handler._open = note
    try:
        yield
    finally:
        handler._open = opened
        for path in made:
            with suppress(OSError):
                if not os.path.getsize(path):  # nobody has written to it
                    os.unlink(path)


def _statsd(settings: Config) -> Iterator[str]:
    try:
        open_statsd(settings)
    except OSError as error:
        yield f"statsd_host: {settings.statsd_host}: {error}"
