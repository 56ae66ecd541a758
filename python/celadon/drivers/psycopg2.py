"""psycopg2: libpq is told to wait by a callback, and the greenlet parks there.

A connection of psycopg2 has a native lock, which is held while its greenlet is parked:
another one that asked for it would hold the worker, and with it the one that has it. So
whatever takes that lock waits for its turn first, as a greenlet waits.

What psycopg2 refuses to do under a callback (COPY, large objects) runs on a native
thread. The callback is lifted only until the call has looked for it (`psycopg2_lift`).

All this is done in classes that stand below those of the application.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from celadon import logging
from celadon.drivers.psycopg2_driver import Driver
from celadon.drivers.psycopg2_layers import (
    connection_layer,
    copy_class,
    cursor_layers,
    large_object_layer,
)
from celadon.patch.registry import replace


def adapt(psycopg2: ModuleType) -> None:
    driver = Driver(psycopg2)
    driver.connection = connection_layer(driver)
    driver.cursor, driver.named_cursor = cursor_layers(driver)
    driver.large_object = large_object_layer(driver)
    driver.statement = copy_class(driver)
    driver.callback.use()
    replace(psycopg2.extensions, "set_wait_callback", _keep_ours)
    replace(psycopg2, "connect", driver.connect_in_place_of(psycopg2.connect))


def _keep_ours(_callback: Any) -> None:
    """psycogreen's, which waits in gevent's loop, or another's."""
    logging.note(
        "psycopg2.extensions.set_wait_callback() has no effect: a query waits on celadon's loop"
    )
