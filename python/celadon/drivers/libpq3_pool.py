"""psycopg_pool: a client that is killed while it waits leaves the queue."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from greenlet import GreenletExit

from celadon._core.green import RequestKilled
from celadon.green.timeout import Timeout
from celadon.patch.registry import replace


def adapt(psycopg_pool: ModuleType) -> None:
    pool: Any = psycopg_pool.pool
    errors = (Exception, GreenletExit, Timeout, RequestKilled)
    replace(pool, "CLIENT_EXCEPTIONS", errors)
