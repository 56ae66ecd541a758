"""What is counted or kept for a while: in Redis, or in this process where there is none."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

import redis


class Cache(Protocol):
    """Counts, and keeps values for a number of seconds."""

    name: str

    def count(self, group: str, key: str, seconds: int = 0) -> int:
        """One more; the group begins at zero again after `seconds`, if any."""

    def counts(self, group: str) -> dict[str, int]: ...
    def get(self, key: str) -> Any: ...
    def put(self, key: str, value: Any, seconds: int) -> None: ...
    def forget(self, key: str) -> None: ...


def connect(url: str | None) -> Cache:
    """The cache at `url`, or one that lasts as long as this process."""
    return RedisCache(url) if url else LocalCache()


def remember(cache: Cache, key: str, seconds: int, make: Callable[[], Any]) -> Any:
    """What is kept as `key`, else what `make` returns, kept from now on."""
    value = cache.get(key)
    if value is None:
        value = make()
        cache.put(key, value, seconds)
    return value


class RedisCache:
    name = "Redis"

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, decode_responses=True)

    def count(self, group: str, key: str, seconds: int = 0) -> int:
        number = int(self._redis.hincrby(f"studio:{group}", key, 1))
        if seconds:
            self._redis.expire(f"studio:{group}", seconds, nx=True)
        return number

    def counts(self, group: str) -> dict[str, int]:
        found = self._redis.hgetall(f"studio:{group}")
        return {key: int(number) for key, number in found.items()}

    def get(self, key: str) -> Any:
        found = self._redis.get(f"studio:{key}")
        return None if found is None else json.loads(found)

    def put(self, key: str, value: Any, seconds: int) -> None:
        self._redis.set(f"studio:{key}", json.dumps(value), ex=seconds)

    def forget(self, key: str) -> None:
        self._redis.delete(f"studio:{key}")


class LocalCache:
    name = "this process"

    def __init__(self) -> None:
        self._groups: dict[str, tuple[float, Counter[str]]] = {}
        self._values: dict[str, tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def count(self, group: str, key: str, seconds: int = 0) -> int:
        now = time.monotonic()
        with self._lock:
            until, counter = self._groups.get(group, (0.0, Counter()))
            if seconds and until < now:
                until, counter = now + seconds, Counter()
            self._groups[group] = until, counter
            counter[key] += 1
            return counter[key]

    def counts(self, group: str) -> dict[str, int]:
        with self._lock:
            return dict(self._groups.get(group, (0.0, Counter()))[1])

    def get(self, key: str) -> Any:
        until, value = self._values.get(key, (0.0, None))
        return value if time.monotonic() < until else None

    def put(self, key: str, value: Any, seconds: int) -> None:
        self._values[key] = time.monotonic() + seconds, value

    def forget(self, key: str) -> None:
        self._values.pop(key, None)
