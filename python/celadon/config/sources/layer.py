"""What one source says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Layer:
    """Values of settings as they were found, not parsed yet.

    `source` names where they stand, for people. `hooks` are server hooks (functions);
    `problems` and `warnings` are lines about what stands there beside settings.
    """

    source: str
    values: dict[str, Any] = field(default_factory=dict)
    hooks: dict[str, Callable[..., Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
