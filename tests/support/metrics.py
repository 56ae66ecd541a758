"""The admin listener's pages, and what a Prometheus makes of them."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from typing import Any

from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.support import raw
from tests.support.raw import Client, Response
from tests.support.servers import Command

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def admin_port(server: Command) -> int:
    return int(server.said(r"admin pages at http://.*:(\d+)")[1])


def page(server: Command, path: str = "/metrics", *fields: str) -> Response:
    with Client(("127.0.0.1", admin_port(server))) as client:
        client.send(raw.get(path, *fields))
        return client.response()


def samples(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_text(text)
        for sample in family.samples
    }


def value(server: Command, name: str, **labels: str) -> float:
    found = samples(page(server).body.decode())
    return found.get((name, frozenset(labels.items())), 0.0)


class Queries:
    """What a Prometheus knows."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, query: str, when: float = 0.0) -> list[dict[str, Any]]:
        text = urllib.parse.urlencode({"query": query, "time": when or time.time()})
        with urllib.request.urlopen(f"{self._url}/api/v1/query?{text}") as answer:
            found: list[dict[str, Any]] = json.loads(answer.read())["data"]["result"]
            return found

    def names(self) -> list[str]:
        with urllib.request.urlopen(
            f"{self._url}/api/v1/label/__name__/values"
        ) as answer:
            found: list[str] = json.loads(answer.read())["data"]
            return found

    def number(self, query: str, when: float = 0.0) -> float:
        found = self.ask(query, when)
        return float(found[0]["value"][1]) if found else 0.0
