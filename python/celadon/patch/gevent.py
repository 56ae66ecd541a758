"""gevent, where an application or a library imports it: it patches nothing more.

What `gevent.monkey` would replace is cooperative already, on this loop. A hub of gevent's
would be a second loop that blocks this one, so it has none.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from greenlet import greenlet

from celadon import logging
from celadon._core import green
from celadon.patch.imports import when_imported
from celadon.patch.registry import replace, replaced

REFUSAL = (
    "gevent's hub cannot run inside celadon, which has a loop of its own. "
    "gevent.monkey.patch_all() may stay (it does nothing here); code that uses gevent "
    "itself (gevent.spawn, gevent.sleep, gevent.pool ...) needs celadon.green instead, or "
    "celadon --no-green."
)

NOTHING = (
    "gevent.monkey.patch_all() has no effect: celadon has patched the standard library"
)

_was_asked = False


def install() -> None:
    refuse_patches()
    when_imported("gevent.monkey", _tell_the_truth)
    when_imported("gevent.hub", _refuse_hubs)


def refuse_patches() -> None:
    """From now on gevent patches nothing here."""
    when_imported("gevent.events", _patch_nothing)


def was_asked() -> bool:
    """Whether somebody has called ``gevent.monkey.patch_all()``."""
    return _was_asked


def _say_once() -> None:
    global _was_asked
    if not _was_asked:
        logging.note(NOTHING)
    _was_asked = True


def _patch_nothing(events: ModuleType) -> None:
    def refuse(event: Any) -> None:
        if isinstance(event, events.GeventWillPatchAllEvent):
            _say_once()
        if isinstance(
            event, events.GeventWillPatchAllEvent | events.GeventWillPatchModuleEvent
        ):
            raise events.DoNotPatch

    events.subscribers.append(refuse)


def _tell_the_truth(monkey: ModuleType) -> None:
    """`is_module_patched` and `get_original` answer for what was replaced here."""
    for (owner, name), original in replaced().items():
        monkey.saved.setdefault(owner, {}).setdefault(name, original)

    def patch_thread(*args: Any, **kwargs: Any) -> bool:
        """Does nothing: celadon's own patch is in place."""
        return False

    replace(monkey, "patch_thread", patch_thread)


class _NoLoop:
    """The loop of gevent's hub: whoever uses it is told why there is none."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(REFUSAL)


def _refuse_hubs(hub: ModuleType) -> None:
    """Agents ask the hub whose it is, and get an answer; its loop is refused."""

    def __init__(self: Any, loop: Any = None, default: Any = None) -> None:
        greenlet.__init__(self)
        self.thread_ident = green.get_ident()
        self.loop = _NoLoop()

    replace(hub.Hub, "__init__", __init__)
