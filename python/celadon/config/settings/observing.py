"""Settings of metrics, of what requests say of themselves, and of health."""

from __future__ import annotations

from collections.abc import Iterable

from celadon.config.settings.row import Setting
from celadon.config.values.addresses import parse_datagram_address, parse_health_paths
from celadon.config.values.plain import (
    parse_bool,
    parse_buckets,
    parse_count,
    parse_duration,
    parse_text,
)


def rows() -> Iterable[Setting]:
    s = Setting
    t = "observing"
    yield s(
        "metrics",
        parse_bool,
        True,
        "measure requests; /metrics on the admin listener (admin_bind) shows them",
        section=t,
        for_server=True,
    )
    yield s(
        "metrics_buckets",
        parse_buckets,
        [
            *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5),
            *(0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
        ],
        "upper bounds of the buckets of http_server_request_duration_seconds, at most 64; "
        "the default is OpenTelemetry's",
        section=t,
        for_server=True,
        for_master=True,
        for_life=True,
    )
    yield s(
        "metrics_max_series",
        parse_count,
        10_000,
        "series with labels that one process may have; the samples of further ones go to "
        "one whose labels are _other",
        section=t,
        for_master=True,
        for_life=True,
    )
    yield s(
        "slow_request",
        parse_duration,
        0.0,
        "log requests that take longer, with what they waited for in order; 0: off (the "
        "dashboard shows those above 1s)",
        section=t,
        for_server=True,
    )
    yield s(
        "server_timing",
        parse_bool,
        False,
        "answer with Server-Timing: where the time of the request went, until the head of "
        "its answer",
        section=t,
        for_server=True,
    )
    yield s(
        "statsd_host",
        parse_datagram_address,
        "",
        "HOST:PORT or unix:PATH of a statsd daemon, which is told of requests, workers and "
        "lines of the error log by gunicorn's names",
        section=t,
        metavar="ADDRESS",
        needs_master=True,
    )
    yield s(
        "statsd_prefix",
        parse_text,
        "",
        "what those names begin with",
        section=t,
        needs_master=True,
    )
    yield s(
        "dogstatsd_tags",
        parse_text,
        "",
        "tags of each, as DogStatsD has them: NAME:VALUE,...",
        section=t,
        metavar="TAGS",
        needs_master=True,
    )
    yield s(
        "health_paths",
        parse_health_paths,
        {},
        "paths that the server answers itself at its public addresses: PATH=live, "
        "PATH=ready or PATH=startup, or a path that ends in such a word",
        metavar="PATH[=WORD],...",
        section=t,
        for_server=True,
    )
