"""Where the master listens: opened once, followed by reloads, kept by systemd.

A socket outlives workers and reloads. With a file descriptor store (``FDSTORE``) it also
outlives the master: the next one finds it under its name, with the connections that wait.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import socket
import stat
import time
from collections.abc import Callable

from celadon import logging
from celadon._core import Master
from celadon.base import process
from celadon.config import Config, control
from celadon.config.values.addresses import is_for_v6_only
from celadon.errors import UsageError
from celadon.serving import systemd

_PREFIX = "fd://"
_PATIENCE = 5  # seconds for an address that somebody has still
_PAUSE = 0.1


class Addresses:
    """The sockets of one master, by the text that its settings name them with."""

    def __init__(self, core: Master, notifier: systemd.Notifier) -> None:
        self._core = core
        self._notifier = notifier
        self._bound: dict[str, str] = {}
        self._admin: dict[str, str] = {}
        self._wanted_admin: list[str] = []
        self._is_open = False
        self._left: dict[str, str] = {}  # those that close once nobody accepts there
        self._owner: process.Account | None = None
        self._v6_only: set[str] = set()

    @property
    def descriptions(self) -> list[str]:
        """Such as ``http://127.0.0.1:8000``."""
        return list(self._bound.values())

    @property
    def admin_descriptions(self) -> list[str]:
        return [self._admin[text] for text in self._wanted_admin]

    def open(self, settings: Config, stored: dict[str, int]) -> None:
        """Opens all; `stored` are descriptors that systemd has kept, by name.

        Raises `OSError` for an address that cannot be bound, `UsageError` for a bad one.
        """
        self._look_at(settings)
        wanted = {store_name(text): text for text in settings.bind}
        for name, descriptor in stored.items():
            text = wanted.pop(name, None)
            if text is None:  # of a configuration that is no more
                self._notifier.forget(name)
                os.close(descriptor)
            else:
                self._bound[text] = self._bind(f"{_PREFIX}{descriptor}")
        for text in wanted.values():
            self._bind_and_store(text)
        for text in settings.admin_bind:
            self._admin[text] = self._bind_admin(text)
        self._wanted_admin = settings.admin_bind
        self._is_open = True

    def follow(self, settings: Config) -> None:
        """Opens what is new; new workers do not accept where it is no more.

        Such an address closes once no worker accepts there; one of the admin pages, by
        `settle`. Until then to follow the settings of before opens nothing, and cannot
        fail. Raises as `open`, and then nothing has changed.
        """
        self._look_at(settings)
        new = [text for text in settings.bind if text not in self._bound]
        opened: list[str] = []
        try:
            for text in new:
                self._bind_and_store(text)
                opened.append(text)
            self._open_admin(settings)
        except (OSError, UsageError):
            for text in opened:
                self._leave(text)
            raise
        for text in [text for text in self._bound if text not in settings.bind]:
            self._leave(text)

    def _look_at(self, settings: Config) -> None:
        self._owner = process.account_of(settings)
        self._v6_only = {
            text
            for texts in (settings.bind, settings.admin_bind)
            for text in texts
            if is_for_v6_only(text, texts)
        }

    def _open_admin(self, settings: Config) -> None:
        opened: dict[str, str] = {}
        try:
            for text in settings.admin_bind:
                if text not in self._admin:
                    opened[text] = self._bind_admin(text)
        except (OSError, UsageError):
            for described in opened.values():
                self._core.unbind_admin(described)
            raise
        self._admin |= opened
        self._wanted_admin = settings.admin_bind

    def settle(self, *kept: Config) -> None:
        """Closes those of the admin pages that none of `kept` names."""
        wanted = {text for settings in kept for text in settings.admin_bind}
        for text in [text for text in self._admin if text not in wanted]:
            self._core.unbind_admin(self._admin.pop(text))

    def _bind(self, text: str) -> str:
        return self._opened(text, self._core.bind, self._core.unbind)

    def _bind_admin(self, text: str) -> str:
        try:
            return self._opened(text, self._core.bind_admin, self._core.unbind_admin)
        except UsageError as error:
            raise UsageError(f"admin_bind: {error}") from None
        except OSError as error:
            named = OSError(f"admin_bind: {error}")
            named.errno = error.errno
            raise named from None

    def _opened(
        self,
        text: str,
        bind: Callable[[str, bool], tuple[str, int]],
        unbind: Callable[[str], object],
    ) -> str:
        def attempt(text: str) -> tuple[str, int]:
            return bind(text, text in self._v6_only)

        try:
            opened = attempt(text) if self._is_open else patiently(attempt, text)
        except ValueError as error:
            raise UsageError(str(error)) from None
        except OSError as error:
            if why := _unknown_host(text):
                raise UsageError(f"{error}: {why}") from None
            raise
        described = opened[0]
        try:
            if not text.startswith(_PREFIX):
                self._give_away(described)
        except OSError:
            unbind(described)
            raise
        return described

    def _give_away(self, described: str) -> None:
        """The file of a unix socket belongs to whom the workers run as."""
        path = described.removeprefix("unix:")
        if self._owner and path != described and not path.startswith("@"):
            os.chown(path, self._owner.uid, self._owner.gid, follow_symlinks=False)

    def _bind_and_store(self, text: str) -> None:
        described = self._left.pop(text, "")
        if not described or not self._core.rebind(described):
            described = self._bind(text)
        self._bound[text] = described
        if text.startswith(_PREFIX):
            return  # whoever opened it keeps it
        descriptors = dict(self._core.listeners())
        self._notifier.store(store_name(text), descriptors[described])

    def _leave(self, text: str) -> None:
        self._left[text] = self._bound.pop(text)
        self._core.unbind(self._left[text])
        self._notifier.forget(store_name(text))


def patiently(bind: Callable[[str], tuple[str, int]], text: str) -> tuple[str, int]:
    """At a start: the processes of a master that was killed may not have seen it yet."""
    _refuse_file(text)
    end = time.monotonic() + _PATIENCE
    has_said_so = False
    while True:
        try:
            return bind(text)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > end:
                raise
            if not has_said_so:
                logging.logger.warning("%s; trying for %d s", error, _PATIENCE)
            has_said_so = True
        time.sleep(_PAUSE)


def _refuse_file(text: str) -> None:
    """Raises `OSError` where a file lies that is no socket, which will not go away."""
    path = text.removeprefix("unix:")
    if path == text or path.startswith("@"):
        return
    try:
        mode = os.lstat(path).st_mode
    except OSError:  # nothing is there, or who binds is told by what
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(f"cannot bind to {text!r}: there is a file that is no socket")


def _unknown_host(text: str) -> str:
    if text.startswith("unix:"):
        return ""
    host = text.rpartition(":")[0].strip("[]")
    if not re.search(r"[g-z]", host, re.IGNORECASE):
        return ""
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return f"no address is known of the host {host!r}"
    return ""


def store_name(text: str) -> str:
    """Of an address in the store, where names have no colon."""
    return systemd.STORED + hashlib.sha256(os.fsencode(text)).hexdigest()[:16]


def bind_control(core: Master, settings: Config, descriptions: list[str]) -> None:
    """The control socket, unless it is not wanted."""
    address = control.address_of(settings, descriptions)
    if not address:
        return
    mode = settings.control_socket_mode
    try:
        patiently(lambda text: core.bind_control(text, mode), f"unix:{address}")
    except OSError as error:
        if not settings.is_default("control_socket"):
            raise
        logging.logger.warning("no control socket: %s", error)
