"""Who may use a database, among tests of pytest-django that run side by side.

pytest-django and Django's test cases put functions of their own in the place of
``BaseDatabaseWrapper.ensure_connection`` and later put back what they have found there.
That is right where who came last goes first. Tests that overlap go in any order, and left
the database closed to others, or open for good. So here it is one function all the time,
and what was opened and closed is noted with who did it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(eq=False)
class _Note:
    owner: Any
    is_open: bool


class _Gate:
    """In the place of pytest-django's functions. `current` says which test runs."""

    def __init__(self, native: Any, current: Callable[[], Any]) -> None:
        self._ensure_connection = native._real_ensure_connection
        self._refuse = native._blocking_wrapper
        self._notes: list[_Note] = []
        self._current = current

    def note(self, is_open: bool) -> contextlib.AbstractContextManager[None]:
        note = _Note(self._current(), is_open)
        self._notes.append(note)
        return self._until_the_end_of(note)

    @contextlib.contextmanager
    def _until_the_end_of(self, note: _Note) -> Iterator[None]:
        try:
            yield
        finally:
            self._notes.remove(note)

    def undo(self) -> bool:
        """What the running test did last; false where nothing is left to undo."""
        own = self._current()
        for note in reversed(self._notes):
            if note.owner is own:
                self._notes.remove(note)
                return True
        return False

    def ensure_connection(self, wrapper: Any) -> None:
        if not self._is_open():
            self._refuse()
        self._ensure_connection(wrapper)

    def _is_open(self) -> bool:
        """As the test has it; else somebody has opened it, for a class or for all."""
        own = self._current()
        for note in reversed(self._notes):
            if note.owner is own:
                return note.is_open
        return any(note.is_open for note in self._notes)


def install(current: Callable[[], Any]) -> None:
    """Where the project's tests use pytest-django. `current`: the test that runs, if any."""
    plugin = sys.modules.get("pytest_django.plugin")
    if plugin is None or "django.db" not in sys.modules:
        return
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.test import SimpleTestCase

    blocker: Any = plugin.DjangoDbBlocker
    native_restore = blocker.restore
    gates: dict[Any, _Gate] = {}

    def gate_of(manager: Any) -> _Gate:
        if manager not in gates:
            gate = gates[manager] = _Gate(manager, current)
            wrapper: Any = BaseDatabaseWrapper

            def ensure_connection(self: Any) -> None:
                gate.ensure_connection(self)

            wrapper.ensure_connection = ensure_connection
        return gates[manager]

    def restore(manager: Any) -> None:
        if not gate_of(manager).undo():
            native_restore(manager)

    blocker.unblock = lambda manager: gate_of(manager).note(True)
    blocker.block = lambda manager: gate_of(manager).note(False)
    blocker.restore = restore
    # Django's own, of 5.2 and newer, against threads that use another database.
    if hasattr(SimpleTestCase, "ensure_connection_patch_method"):
        case: Any = SimpleTestCase
        case.ensure_connection_patch_method = classmethod(
            lambda _: BaseDatabaseWrapper.ensure_connection
        )
