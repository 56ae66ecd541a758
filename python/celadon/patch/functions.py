"""`functools.cached_property` before Python 3.12: one lock for all instances of a class.

Who computes a value that waits would keep all others from theirs. From 3.12 on it has
none.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

from celadon.patch.registry import replace

_MISSING = object()


def install() -> None:
    if sys.version_info >= (3, 12):
        return
    cls: Any = functools.cached_property
    native = cls.__get__

    @functools.wraps(native)
    def __get__(self: Any, instance: Any, owner: Any = None) -> Any:
        own = getattr(instance, "__dict__", None)
        if self.attrname is None or type(own) is not dict:
            return native(self, instance, owner)  # which says what is wrong
        value = own.get(self.attrname, _MISSING)
        if value is _MISSING:
            value = own[self.attrname] = self.func(instance)
        return value

    replace(cls, "__get__", __get__)
