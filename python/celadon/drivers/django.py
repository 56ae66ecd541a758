"""Django: its persistent connections make room for who needs one.

With ``CONN_MAX_AGE`` each runner keeps a connection after its request. One that an idle
runner keeps is closed when the budget is used up, and while somebody waits a request's
own is closed at its end. One that a task of an event loop opens itself is nobody's to close:
Django has it in the context of that task, so that it goes with that, and as long as the
task lives nobody can tell whether it has a use for it.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from celadon._core.green import get_ident, slot_idle
from celadon.base.weakly import Weakly
from celadon.drivers import budget
from celadon.patch.registry import replace

_opened: Weakly[Any] = Weakly()


def adapt(base: ModuleType) -> None:
    cls: Any = base.BaseDatabaseWrapper
    native_connect, native_end = cls.connect, cls.close_if_unusable_or_obsolete

    @functools.wraps(native_connect)
    def connect(self: Any) -> None:
        native_connect(self)
        self._celadon_owner = get_ident()  # of a runner or a thread
        _opened.add(self)

    @functools.wraps(native_end)
    def close_if_unusable_or_obsolete(self: Any) -> None:
        server = budget.server_of(self.connection)
        if server is not None and budget.is_wanted(server) and _is_between(self):
            self.close()
        else:
            native_end(self)

    replace(cls, "connect", connect)
    replace(cls, "close_if_unusable_or_obsolete", close_if_unusable_or_obsolete)
    budget.add_reclaimer(_close_idle_one)


def _is_between(wrapper: Any) -> bool:
    """Whether no transaction is open."""
    return wrapper.connection is not None and not wrapper.in_atomic_block


def _close_idle_one(server: str) -> bool:
    for wrapper in _opened.all():
        conn = wrapper.connection
        if budget.server_of(conn) != server or not _is_between(wrapper):
            continue
        if slot_idle(wrapper._celadon_owner) and getattr(wrapper, "pool", None) is None:
            # Taken away first: its runner may come back while it is being closed.
            wrapper.connection = None
            conn.close()
            return True
    return False
