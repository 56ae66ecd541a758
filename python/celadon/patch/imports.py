"""Modules that are patched when, and only if, the application imports them."""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from types import ModuleType

Patch = Callable[[ModuleType], None]

_waiting: dict[str, list[Patch]] = {}


def when_imported(name: str, patch: Patch) -> None:
    """Calls ``patch(module)`` once ``name`` has been imported; now, if it is already.

    The module's own loader and spec stay as they are.
    """
    module = sys.modules.get(name)
    if module is not None:
        patch(module)
        return
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    _waiting.setdefault(name, []).append(patch)


class _Finder:
    """Finds nothing itself: asks the others, and stays behind what they load."""

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        patches = _waiting.pop(name, None)
        if patches is None:
            return None
        spec = find_spec(name)
        if spec is None or spec.loader is None:
            _waiting[name] = patches
            return None
        _run_after(spec.loader, patches)
        return spec


def _run_after(loader: object, patches: list[Patch]) -> None:
    execute = loader.exec_module  # type: ignore[attr-defined]

    def execute_and_patch(module: ModuleType) -> None:
        del loader.exec_module  # type: ignore[attr-defined]
        try:
            execute(module)
        except BaseException:
            _waiting[module.__name__] = patches  # it may be imported again
            raise
        for patch in patches:
            patch(module)

    loader.exec_module = execute_and_patch  # type: ignore[attr-defined]
