"""SQLAlchemy: its pool serves first who came first, and a time limit that ended a
statement ends its connection, too.

`celadon.RequestTimeout` is an `Exception`, so that applications can answer it; to
SQLAlchemy it would look like an error after which the connection is fine.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from celadon._core.green import RequestTimeout
from celadon.patch.queues import adapt_class


def adapt(sqlalchemy: ModuleType) -> None:
    # The queue of its pool is a copy of the standard library's.
    copy = sqlalchemy.util.queue
    adapt_class(copy.Queue, copy.Empty)

    @sqlalchemy.event.listens_for(sqlalchemy.engine.Engine, "handle_error")  # type: ignore[untyped-decorator]
    def handle_error(context: Any) -> None:
        if isinstance(context.original_exception, RequestTimeout):
            context.is_disconnect = True
            context.invalidate_pool_on_disconnect = False
