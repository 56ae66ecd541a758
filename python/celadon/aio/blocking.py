"""Calls that wait in a coroutine without ``await``: whether its loop minds."""

from __future__ import annotations

import logging
from asyncio import base_subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import _bootstrap
from inspect import unwrap
from types import CodeType
from typing import Any

from celadon.aio.loop import EventLoop

# What these wait for lasts for a moment, and nobody could await it: a process that is made,
# a place in the line of an executor, a handler that another task is at, a module that
# another one imports.
_EXCUSED: tuple[Any, ...] = (
    base_subprocess.BaseSubprocessTransport.__init__,
    ThreadPoolExecutor.submit,
    logging.Handler.handle,
    logging.Manager.getLogger,
    _bootstrap._find_and_load,  # type: ignore[attr-defined]
)


def judge(loop: EventLoop, how: str) -> None:
    """Says what becomes of such calls in coroutines and other callbacks of `loop`.

    ``park``, as long as nothing is said: the task waits, and others run. ``warn``: likewise,
    and the log of the server names the line of the coroutine, once. ``error``: the call
    raises `celadon.TaskBlocked` and has not waited. A call that finds at once what it wants
    does not wait, and one that is shielded (`celadon.shield`) is left alone.
    """
    loop._rest.judge_blocking(how, tuple(_codes()))


def _codes() -> Iterator[CodeType]:
    for each in _EXCUSED:
        for function in {each, unwrap(each)}:
            if hasattr(function, "__code__"):
                yield function.__code__
