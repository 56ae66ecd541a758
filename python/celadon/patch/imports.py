"""Modules that are patched when, and only if, the application imports them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from celadon.patch import registry

Patch = Callable[[ModuleType], None]

# By the name of the module, with the part that each belongs to.
_waiting: dict[str, list[tuple[str | None, Patch]]] = {}


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
    _waiting.setdefault(name, []).append((registry.current_part(), patch))


def forget(parts: Sequence[str]) -> None:
    """What waits for an import by these parts, or by any, is not applied any more."""
    for name, patches in [*_waiting.items()]:
        left = [
            (part, patch)
            for part, patch in patches
            if part is None or (parts and part not in parts)
        ]
        if left:
            _waiting[name] = left
        else:
            del _waiting[name]


class _Finder:
    """Finds nothing itself: asks the others, and stays behind what they load."""

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if name not in _waiting:
            return None
        for finder in sys.meta_path:
            # One of the protocol before is passed over, as CPython passes it over.
            find_spec = getattr(finder, "find_spec", None)
            if finder is self or find_spec is None:
                continue
            spec: ModuleSpec | None = find_spec(name, path, target)
            # A folder without code has no loader, or one that executes nothing.
            if spec is not None and hasattr(spec.loader, "exec_module"):
                _stay_behind(spec.loader)
            if spec is not None:
                return spec
        return None


def _stay_behind(loader: object) -> None:
    """Patches what the loader executes next: it may be asked for and never used."""

    def execute_and_patch(module: ModuleType) -> None:
        vars(loader).pop("exec_module", None)
        loader.exec_module(module)  # type: ignore[attr-defined]
        for part, patch in _waiting.pop(module.__name__, ()):
            with registry.applying(part):
                patch(module)

    loader.exec_module = execute_and_patch  # type: ignore[attr-defined]
