"""Counts with celadon's own metrics, and with prometheus_client's."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace
from typing import Any

from celadon import green, health
from celadon.drivers import budget
from celadon.metrics import Counter, Gauge, Histogram, Info, Summary
from celadon.pools import ConnectionPool

asked = Counter("app_asked", "Requests.", ["path"])
own = Gauge("app_own", "By worker.", multiprocess_mode="all")
most = Gauge("app_most", "The most of all.", multiprocess_mode="max")
last = Gauge("app_last", "The last one set.", multiprocess_mode="mostrecent")
inside = Gauge("app_inside", "In the view.")
took = Histogram("app_took_seconds", "Time.", buckets=(0.001, 0.1, 10))
sizes = Summary("app_sizes", "Sizes.")
about = Info("app_about", "What this is.")
about.info({"flavour": 'quote " and \\ and \n'})
many = Counter("app_many", "With too many labels.", ["n"])


pool = ConnectionPool(lambda: SimpleNamespace(close=int), name="main", reset=None)


@health.check
def always() -> None:
    """Passes."""


@took.time()
def work(path: str) -> None:
    if path == "/sleep":
        time.sleep(0.05)
    if path == "/block":
        end = time.monotonic() + 3
        while time.monotonic() < end:
            pass
    if path == "/hold":
        while not os.path.exists(os.environ["ENOUGH"]):
            end = time.monotonic() + 0.1  # it is here that it is found
            while time.monotonic() < end:
                pass
    if path == "/pool":
        with pool.connection():
            budget.take("a server", OSError).free()
    if path == "/thread":
        green.offload(int)
    if path == "/die":
        os._exit(3)


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    path = environ["PATH_INFO"]
    with inside.track_inprogress():
        asked.labels(path).inc()
        own.set(os.getpid())
        most.set(len(path))
        last.set(len(path))
        sizes.observe(len(path))
        if path.startswith("/many/"):
            many.labels(path[6:]).inc()
        work(path)
    body = b"%d %d" % (1, os.getpid())
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
