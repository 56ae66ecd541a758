"""PyMongo: waits by sockets, which is cooperative; here they are said to be a database's."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from celadon._core.green import mark_database
from celadon.patch.registry import replace


def adapt(network_layer: ModuleType) -> None:
    cls: Any = network_layer.NetworkingInterface
    native = cls.__init__

    @functools.wraps(native)
    def __init__(self: Any, conn: Any) -> None:
        native(self, conn)
        mark_database(conn)

    replace(cls, "__init__", __init__)
