"""What the studio asks of others: the kilns at the edge of town, and the post office.

`Town` asks a service over HTTP that takes its time; `PretendTown` stands in for it where
none is named. examples/studio/town_service.py is one to try it with.
"""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import requests
from requests.adapters import HTTPAdapter

KILNS = ("north", "south", "raku")


class Outside(Protocol):
    """Others, who are slow."""

    def degrees(self, kiln: str) -> int: ...
    def post(self, letter: int, text: str) -> None: ...


def connect(url: str | None) -> Outside:
    return Town(url) if url else PretendTown()


def all_degrees(town: Outside) -> dict[str, int]:
    """What every kiln says; they are asked at the same time."""
    with ThreadPoolExecutor(len(KILNS)) as pool:
        return dict(zip(KILNS, pool.map(town.degrees, KILNS), strict=True))


class Town:
    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        # As many connections are kept as there may be visitors at once.
        self._session.mount("http://", HTTPAdapter(pool_maxsize=500))

    def degrees(self, kiln: str) -> int:
        answer = self._session.get(f"{self._url}/kilns/{kiln}", timeout=10)
        answer.raise_for_status()
        return int(answer.text)

    def post(self, letter: int, text: str) -> None:
        # The same letter may be posted twice: its number tells.
        url = f"{self._url}/letters/{letter}"
        self._session.put(url, data=text.encode(), timeout=10).raise_for_status()


class PretendTown:
    def degrees(self, kiln: str) -> int:
        time.sleep(1)
        return (980 if kiln == "raku" else 1230) + random.randrange(60)

    def post(self, letter: int, text: str) -> None:
        time.sleep(0.2)
