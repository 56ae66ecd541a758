"""Threads of celadon's own, which are no business of the application's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class HelperThread(threading.Thread):
    """Under the patch `threading.enumerate` does not list it: applications go through that
    to see whether anybody else runs in their process."""

    def __init__(self, target: Callable[..., Any], name: str, *args: Any) -> None:
        super().__init__(target=target, name=name, args=args, daemon=True)
