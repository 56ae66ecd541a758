"""All of `logging` as it was, to go back to."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from celadon.logging import files
from celadon.logging.known import all_loggers

_internals: Any = logging  # what a configuration closes stands in names of its own


class Before:
    """All loggers as they are now, and standard output and error, to go back to.

    A configuration closes all handlers that `logging` has listed. Those of now are not
    among them, until `forget` or `restore` is called.
    """

    def __init__(self) -> None:
        self._loggers = [(each, _State.of(each)) for each in all_loggers()]
        self._captured = files.captured
        self._standard = [_duplicate(number) for number in (1, 2)]
        self._listed = _internals._handlerList[:]
        self._named = {**_internals._handlers}
        _list_handlers([], {})

    def restore(self) -> None:
        """What came since is closed, and all is as it was."""
        since = _internals._handlerList[:]
        for each in all_loggers():
            _State().give(each)
        for each, state in self._loggers:
            state.give(each)
        _list_handlers(self._listed, self._named)
        logging.shutdown(since)
        if files.captured is not self._captured:
            files.captured = self._captured
            for number, descriptor in enumerate(self._standard, 1):
                if descriptor >= 0:
                    os.dup2(descriptor, number)
        self.abandon()

    def forget(self) -> None:
        """There is no way back: handlers that no logger has any more are closed."""
        used = {handler for each in all_loggers() for handler in each.handlers}
        kept: list[Any] = []
        left: list[Any] = []
        for reference in self._listed:
            (kept if reference() in used else left).append(reference)
        named = {name: each for name, each in self._named.items() if each in used}
        _list_handlers(
            [*kept, *_internals._handlerList],
            {**named, **_internals._handlers},
        )
        logging.shutdown(left)
        self.abandon()

    def abandon(self) -> None:
        """There is no way back, and nothing is closed: in a forked child."""
        for descriptor in self._standard:
            if descriptor >= 0:
                os.close(descriptor)
        self._standard = []
        self._loggers, self._listed, self._named = [], [], {}


def _list_handlers(listed: list[Any], named: dict[str, logging.Handler]) -> None:
    _internals._handlerList[:] = listed
    _internals._handlers.clear()
    _internals._handlers.update(named)


def _duplicate(descriptor: int) -> int:
    try:
        return os.dup(descriptor)
    except OSError:
        return -1


@dataclass(frozen=True)
class _State:
    """Of a logger; that of a new one, by default."""

    handlers: Sequence[logging.Handler] = ()
    levels: Sequence[int] = ()
    filters: Sequence[Any] = ()
    level: int = logging.NOTSET
    propagate: bool = True
    disabled: bool = False

    @classmethod
    def of(cls, each: logging.Logger) -> _State:
        return cls(
            each.handlers[:],
            [handler.level for handler in each.handlers],
            each.filters[:],
            each.level,
            each.propagate,
            each.disabled,
        )

    def give(self, each: logging.Logger) -> None:
        each.handlers[:] = self.handlers
        for handler, level in zip(self.handlers, self.levels, strict=True):
            handler.level = level  # of a configuration that is incremental
        each.filters[:] = self.filters
        each.propagate, each.disabled = self.propagate, self.disabled
        each.setLevel(self.level)
