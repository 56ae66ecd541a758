"""What the patch has put something else in the place of."""

from __future__ import annotations

import _thread
from typing import Any

from celadon.patch.registry import original, patched


def native(name: str) -> Any:
    """``_thread.name`` of CPython."""
    is_patched = patched("_thread", name)
    return original("_thread", name) if is_patched else getattr(_thread, name)
