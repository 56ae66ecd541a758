"""Where the master listens: opened once, followed by reloads, kept by systemd.

A socket outlives workers and reloads. With a file descriptor store (``FDSTORE``) it also
outlives the master: the next one finds it under its name, with the connections that wait.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from celadon import process, systemd
from celadon._core import Master
from celadon.config import Config
from celadon.errors import UsageError

_PREFIX = "fd://"


class Addresses:
    """The sockets of one master, by the text that its settings name them with."""

    def __init__(self, core: Master, notifier: systemd.Notifier) -> None:
        self._core = core
        self._notifier = notifier
        self._bound: dict[str, str] = {}
        self._admin: dict[str, str] = {}
        self._owner: process.Account | None = None

    @property
    def descriptions(self) -> list[str]:
        """Such as ``http://127.0.0.1:8000``."""
        return list(self._bound.values())

    @property
    def admin_descriptions(self) -> list[str]:
        return list(self._admin.values())

    def open(self, settings: Config, stored: dict[str, int]) -> None:
        """Opens all; `stored` are descriptors that systemd has kept, by name.

        Raises `OSError` for an address that cannot be bound, `UsageError` for a bad one.
        """
        self._owner = process.account_of(settings)
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

    def follow(self, settings: Config) -> bool:
        """Opens what is new, and closes what is no more once nobody accepts there.

        Raises as `open`, and then nothing has changed. True where the admin pages are
        elsewhere now.
        """
        self._owner = process.account_of(settings)
        new = [text for text in settings.bind if text not in self._bound]
        opened: list[str] = []
        try:
            for text in new:
                self._bind_and_store(text)
                opened.append(text)
            moved = self._follow_admin(settings)
        except (OSError, UsageError):
            for text in opened:
                self._close(text)
            raise
        for text in [text for text in self._bound if text not in settings.bind]:
            self._close(text)
        return moved

    def _follow_admin(self, settings: Config) -> bool:
        new = [text for text in settings.admin_bind if text not in self._admin]
        described = {text: self._bind_admin(text) for text in new}
        old = [text for text in self._admin if text not in settings.admin_bind]
        for text in old:
            self._core.unbind_admin(self._admin.pop(text))
        self._admin |= described
        return bool(new or old)

    def _bind(self, text: str) -> str:
        return self._opened(text, self._core.bind, self._core.unbind)

    def _bind_admin(self, text: str) -> str:
        return self._opened(text, self._core.bind_admin, self._core.unbind_admin)

    def _opened(
        self,
        text: str,
        bind: Callable[[str], tuple[str, int]],
        unbind: Callable[[str], object],
    ) -> str:
        try:
            described = bind(text)[0]
        except ValueError as error:
            raise UsageError(str(error)) from None
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
        described = self._bound[text] = self._bind(text)
        if text.startswith(_PREFIX):
            return  # whoever opened it keeps it
        descriptors = dict(self._core.listeners())
        self._notifier.store(store_name(text), descriptors[described])

    def _close(self, text: str) -> None:
        self._core.unbind(self._bound.pop(text))
        self._notifier.forget(store_name(text))


def store_name(text: str) -> str:
    """Of an address in the store, where names have no colon."""
    return systemd.STORED + hashlib.sha256(os.fsencode(text)).hexdigest()[:16]
