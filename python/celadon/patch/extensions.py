"""Extension modules in C++: what was loaded is looked at for what no switch may tear."""

from __future__ import annotations

import _imp
import functools
from typing import Any

from celadon._core import green
from celadon.patch.registry import replace


def install() -> None:
    native = _imp.create_dynamic

    @functools.wraps(native)
    def create_dynamic(*args: Any) -> Any:
        module = native(*args)
        green.look_at_loaded()
        return module

    replace(_imp, "create_dynamic", create_dynamic)
    green.look_at_loaded()
