"""How often each course was looked at: in Redis, or in this process where there is none."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Protocol

import redis


class Cache(Protocol):
    """Counts views."""

    name: str

    def count_view(self, course_id: int) -> int: ...
    def views(self) -> dict[int, int]: ...


def connect(url: str | None) -> Cache:
    """The cache at `url`, or one that lasts as long as this process."""
    return RedisCache(url) if url else LocalCache()


class RedisCache:
    name = "Redis"

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, decode_responses=True)

    def count_view(self, course_id: int) -> int:
        return int(self._redis.hincrby("studio:views", str(course_id), 1))

    def views(self) -> dict[int, int]:
        return {int(k): int(v) for k, v in self._redis.hgetall("studio:views").items()}


class LocalCache:
    name = "this process"

    def __init__(self) -> None:
        self._views: Counter[int] = Counter()
        self._lock = threading.Lock()

    def count_view(self, course_id: int) -> int:
        with self._lock:
            self._views[course_id] += 1
            return self._views[course_id]

    def views(self) -> dict[int, int]:
        with self._lock:
            return dict(self._views)
