"""Figures of a pool."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Counters:
    """What has happened so far; seconds are sums."""

    acquired: int = 0
    timeouts: int = 0
    shed: int = 0
    opened: int = 0
    open_errors: int = 0
    leaks: int = 0
    wait_seconds: float = 0.0
    use_seconds: float = 0.0
    create_seconds: float = 0.0
    discarded: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class PoolStats:
    """A pool at one moment, and what has happened so far (seconds are sums)."""

    name: str
    min_size: int
    max_size: int
    size: int
    idle: int
    in_use: int
    connecting: int
    waiting: int
    acquired: int
    timeouts: int
    shed: int
    opened: int
    open_errors: int
    leaks: int
    wait_seconds: float
    use_seconds: float
    create_seconds: float
    discarded: Counter[str]  # by reason
