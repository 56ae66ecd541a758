"""Calls that wait in a coroutine without ``await``: whether its loop minds."""

from __future__ import annotations

import logging
from asyncio import base_events, base_subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import _bootstrap
from inspect import unwrap
from types import CodeType
from typing import Any

from celadon.aio.loop import EventLoop

# What these wait for lasts for a moment, and nobody could await it: a process that is made,
# a place in the line of an executor, the end of its threads once they have nothing to do,
# what logging keeps for all, a handler that another task is at, a module that another one
# imports.
_EXCUSED: tuple[Any, ...] = (
    base_subprocess.BaseSubprocessTransport.__init__,
    ThreadPoolExecutor.submit,
    base_events.BaseEventLoop.shutdown_default_executor,
    logging.Logger.isEnabledFor,
    logging.Handler.handle,
    logging.Manager.getLogger,
    _bootstrap._find_and_load,  # type: ignore[attr-defined]
    _bootstrap._lock_unlock_module,  # type: ignore[attr-defined]  # of one that is begun
)


def judge(loop: EventLoop, how: str, *excused: Any) -> None:
    """Says what becomes of such calls in coroutines and other callbacks of `loop`.

    ``park``, as long as nothing is said: the task waits, and others run. ``warn``: likewise,
    and the log of the server names the line of the coroutine, once. ``error``: the call
    raises `celadon.TaskBlocked` and has not waited. A call that finds at once what it wants
    does not wait, and one that is shielded (`celadon.shield`) is left alone, as is what the
    functions call that are `excused`.
    """
    loop._rest.judge_blocking(how, tuple(_codes((*_EXCUSED, *excused))))


def _codes(functions: Iterable[Any]) -> Iterator[CodeType]:
    for each in functions:
        for function in {each, unwrap(each)}:
            if hasattr(function, "__code__"):
                yield function.__code__
