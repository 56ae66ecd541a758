"""The ``cfg`` of hooks: the settings as gunicorn's configuration has them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from celadon.base import process
from celadon.config.effective import Config
from celadon.config.hooks import HOOKS
from celadon.config.settings import SETTINGS, gunicorn
from celadon.config.settling import settle_request_timeout


class Listener(str):
    """An address as the log has it, with what hooks ask of a socket."""

    def getsockname(self) -> tuple[str, int] | str:
        return address_of(self.partition("://")[2] or self)


def address_of(text: str) -> tuple[str, int] | str:
    """Of ``HOST:PORT``; a path stays one."""
    if text.startswith(("unix:", "fd:")):
        return text.removeprefix("unix:")
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        return text.strip("[]"), 8000
    return host.strip("[]"), int(port)


class Row(NamedTuple):
    """One of ``cfg.settings``."""

    name: str
    value: Any
    default: Any

    def get(self) -> Any:
        return self.value


class Cfg:
    """Settings by name, hooks that are not set as functions that do nothing, and what
    gunicorn makes of several settings."""

    def __init__(self, settings: Config) -> None:
        self.__dict__["_settings"] = settings

    def __getattr__(self, name: str) -> Any:
        settings: Config | None = self.__dict__.get("_settings")
        if settings is None:  # a copy that is being made is asked
            raise AttributeError(name)
        if name in SETTINGS:
            value = settings.values[name]
            return None if value == "" and SETTINGS[name].none_if_empty else value
        if name in HOOKS:
            return settings.hooks.get(name, _do_nothing)
        if (verdict := gunicorn.VERDICTS.get(name)) is not None:
            if verdict.setting:
                return settings.values[verdict.setting]
            return False if verdict.is_switch else None
        return getattr(settings, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.set(name, value)

    def set(self, name: str, value: Any) -> None:
        """For what is not at work yet. Raises `UsageError` for a bad value."""
        settings: Config = self.__dict__["_settings"]
        if name in HOOKS:
            settings.hooks[name] = value
        else:
            settings.set(name, value, "a hook")
            settle_request_timeout(settings)

    @property
    def settings(self) -> dict[str, Row]:
        return {row.name: row for row in self._rows()}

    def _rows(self) -> Iterator[Row]:
        for name, row in SETTINGS.items():
            yield Row(name, getattr(self, name), row.default)
        for name in (*HOOKS, *gunicorn.VERDICTS):
            yield Row(name, getattr(self, name), None)

    @property
    def env(self) -> dict[str, str]:
        pairs: Iterator[list[str]] = (each.split("=", 1) for each in self.raw_env)
        return dict(pairs)

    @property
    def address(self) -> list[tuple[str, int] | str]:
        return [address_of(each) for each in self.bind]

    @property
    def is_ssl(self) -> bool:
        return bool(self._settings.certfile or self._settings.keyfile)

    @property
    def uid(self) -> int:
        account = process.account_of(self._settings)
        return account.uid if account else os.geteuid()

    @property
    def gid(self) -> int:
        account = process.account_of(self._settings)
        return account.gid if account else os.getegid()

    @property
    def worker_class_str(self) -> str:
        return str(self.worker_class)


def _do_nothing(*_arguments: object) -> None:
    pass
