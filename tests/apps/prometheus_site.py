"""As many applications have it: prometheus_client, and a page of its own."""

from __future__ import annotations

import os
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Summary,
    generate_latest,
    multiprocess,
)

asked = Counter("site_asked", "Requests.", ["path"])
took = Histogram("site_took_seconds", "Time.", ["path"], buckets=(0.1, 1))
level = Gauge("site_level", "A level.", multiprocess_mode="max")
sizes = Summary("site_sizes", "Sizes.")
plain = Counter("site_plain", "Without labels.")


def page() -> bytes:
    """With a collector over all processes, where the environment asks for one."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
    return generate_latest()


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    path = environ["PATH_INFO"]
    if path == "/metrics":
        body = page()
    else:
        asked.labels(path).inc()
        took.labels(path=path).observe(0.5)
        level.set(len(path))
        sizes.observe(2)
        plain.inc()
        body = b"%d" % os.getpid()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
