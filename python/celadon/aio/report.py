"""Where the tasks of our loops are that no greenlet runs: their stacks of awaits."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any
from weakref import WeakSet

from celadon.green import report

loops: WeakSet[asyncio.AbstractEventLoop] = WeakSet()  # that it tells of
_DEEPEST = 200  # of what awaits each other
# What a coroutine, a generator and an asynchronous one call their frame, and what they
# wait for.
_LINKS = (
    ("cr_frame", "cr_await"),
    ("gi_frame", "gi_yieldfrom"),
    ("ag_frame", "ag_await"),
)
_AWAITABLE = (CoroutineType, GeneratorType, AsyncGeneratorType, asyncio.Future)


def entries() -> list[dict[str, Any]]:
    """One for each, in the order in which they were made; for `celadon.green.report`."""
    tasks = {task for loop in [*loops] for task in asyncio.all_tasks(loop)}
    in_order = sorted(tasks, key=lambda each: (len(each.get_name()), each.get_name()))
    return [_entry(task) for task in in_order if not _runs(task)]


report.task_sources.append(entries)


def _runs(task: asyncio.Task[Any]) -> bool:
    """Or is in the middle of a step, in a call that waits: a greenlet's stack has it."""
    coro = task.get_coro()
    return any(getattr(coro, name, False) for name in ("cr_running", "gi_running"))


def _entry(task: asyncio.Task[Any]) -> dict[str, Any]:
    coro = task.get_coro()
    line, request_id = getattr(coro, "_celadon_request", None) or (None, None)
    chain = [*_chain(coro)]
    frames = [frame for _, frame in chain if frame is not None]
    return {
        "name": task.get_name(),
        "request": line,
        "request_id": request_id or None,  # of what goes on behind its answer
        "waits_on": _name(chain[-1][0]) if task._fut_waiter else None,  # type: ignore[attr-defined]
        "stack": [report.place_of(frame) for frame in frames],
    }


def _chain(awaited: Any) -> Iterator[tuple[Any, FrameType | None]]:
    """What awaits the next one, each with its frame; the last awaits nothing."""
    for _ in range(_DEEPEST):
        frame, inner = _look(awaited)
        yield awaited, frame
        if inner is None:
            return
        awaited = inner


def _look(awaited: Any) -> tuple[FrameType | None, Any]:
    for frame, inner in _LINKS:
        if hasattr(awaited, inner):
            return getattr(awaited, frame, None), getattr(awaited, inner)
    if isinstance(awaited, asyncio.Future):
        return None, None
    # Iterators of C do not say; the collector knows.
    behind = gc.get_referents(awaited)
    return None, next((each for each in behind if isinstance(each, _AWAITABLE)), None)


def _name(awaited: Any) -> str:
    if isinstance(awaited, asyncio.Task):
        return f"task {awaited.get_name()}"
    if isinstance(awaited, asyncio.Future):
        return "a future"
    return str(getattr(awaited, "_celadon_call", None) or type(awaited).__qualname__)
