"""mysql.connector: its form in pure Python waits by sockets, which is cooperative; the one in
C, which it prefers, does not. So the former is taken unless `use_pure` says otherwise."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from celadon.patch.registry import replace


def adapt(pooling: ModuleType) -> None:
    native: Any = pooling.connect

    @functools.wraps(native)
    def connect(*args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("use_pure", True)
        return native(*args, **kwargs)

    replace(pooling, "connect", connect)
