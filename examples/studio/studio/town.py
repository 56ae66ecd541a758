"""What the studio asks of others: the kilns at the edge of town, and the post office.

`Town` asks a service over HTTP that takes its time; `PretendTown` stands in for it where
none is named. examples/studio/town_service.py is one to try it with.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import urllib3

KILNS = ("north", "south", "raku")


class Unreachable(Exception):
    """The town does not answer, or not as it should."""


class Outside(Protocol):
    """Others, who are slow. Both raise `Unreachable`."""

    def degrees(self, kiln: str) -> int: ...
    def post(self, letter: int, text: str) -> None: ...


def connect(url: str | None) -> Outside:
    return Town(url) if url else PretendTown()


def by_threads(call: Callable[[str], int], names: Sequence[str]) -> list[int]:
    """What `call` returns for each name; the calls are made at the same time."""
    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(call, names))


# A server that has something lighter than threads may put it here.
at_once = by_threads


def all_degrees(town: Outside) -> dict[str, int]:
    """What every kiln says."""
    return dict(zip(KILNS, at_once(town.degrees, KILNS), strict=True))


class Town:
    def __init__(self, url: str) -> None:
        self._url = url
        # As many connections are kept as there may be visitors at once.
        self._http = urllib3.PoolManager(maxsize=500, timeout=10, retries=1)

    def degrees(self, kiln: str) -> int:
        return int(self._ask("GET", f"/kilns/{kiln}"))

    def post(self, letter: int, text: str) -> None:
        # The same letter may be posted twice: its number tells.
        self._ask("PUT", f"/letters/{letter}", text.encode())

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        try:
            answer = self._http.request(method, self._url + path, body=body)
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(str(error)) from error
        if answer.status >= 400:
            raise Unreachable(f"{method} {path}: the town says {answer.status}")
        return answer.data


class PretendTown:
    def degrees(self, kiln: str) -> int:
        time.sleep(1)
        return (980 if kiln == "raku" else 1230) + random.randrange(60)

    def post(self, letter: int, text: str) -> None:
        time.sleep(0.2)
