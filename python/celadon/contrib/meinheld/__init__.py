"""meinheld's interface on celadon's core, for programs that were written for meinheld.

``from meinheld import server, middleware`` finds it where meinheld itself is not
installed: under the ``celadon`` command, after `install`, and in
``python -m celadon.contrib.meinheld script.py``, which runs a program unchanged.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

_NAMES = ("common", "gmeinheld", "middleware", "patch", "server", "websocket")
__version__ = "1.0.2"  # of the interface


def install() -> None:
    """Has ``import meinheld`` find this package, unless meinheld is installed."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


class _Finder:
    """Asked last: the real one comes first."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        package, _, name = fullname.partition(".")
        if package != "meinheld" or (name and name not in _NAMES):
            return None
        # importlib.abc, of which a loader is to be, loads half the standard library.
        loader: Any = self
        return importlib.machinery.ModuleSpec(fullname, loader, is_package=not name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return importlib.import_module(__name__ + spec.name.removeprefix("meinheld"))

    def exec_module(self, module: ModuleType) -> None:
        return  # it was run under its own name
