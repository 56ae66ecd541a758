"""From two snapshots of a server to what people want to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

LAGS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Snapshot = dict[str, Any]


def quantile(
    counts: Sequence[float], bounds: Sequence[float], share: float
) -> float | None:
    """Below which value `share` of the observations lie; None without any."""
    total = sum(counts)
    below = 0.0
    for at, count in enumerate(counts):
        if total and below + count >= total * share:
            if at >= len(bounds):
                return bounds[-1]
            low = bounds[at - 1] if at else 0.0
            return low + (bounds[at] - low) * (total * share - below) / (count or 1)
        below += count
    return None


@dataclass
class WorkerFigures:
    """One worker; rates are per second."""

    worker: int
    pid: int
    state: str
    age: float
    held: float
    requests: float = 0.0
    in_flight: int = 0
    queued: int = 0
    connections: int = 0
    loop: float = 0.0  # share of the time that its loop did not wait
    cpu: float = 0.0
    rss: int = 0


@dataclass
class Figures:
    """The server between two snapshots; rates are per second, times in seconds."""

    state: str
    uptime: float
    generation: int
    requests: float = 0.0
    errors: float = 0.0
    finest: float = 0.0  # what is below it, p50 to p99 do not tell
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    lag: float | None = None
    loop: float = 0.0
    in_flight: int = 0
    queued: int = 0
    connections: int = 0
    greenlets: int = 0
    tasks: int = 0  # of ASGI requests
    parked: dict[str, int] = field(default_factory=dict)
    workers: list[WorkerFigures] = field(default_factory=list)
    blockers: list[dict[str, Any]] = field(default_factory=list)
    slow: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)


def derive(now: Snapshot, before: Snapshot) -> Figures:
    """What happened from `before` to `now`."""
    span = max(now["now"] - before["now"], 1e-9)

    def changed(group: str, name: str) -> float:
        return float(max(now[group][name] - before[group][name], 0.0))

    def counts(group: str, name: str) -> list[float]:
        old = [*before[group][name], *[0] * len(now[group][name])]
        return [
            max(new - then, 0) for new, then in zip(now[group][name], old, strict=False)
        ]

    took, lag = counts("requests", "durations"), counts("loop", "lag")
    bounds = now["requests"]["bounds"]
    work, poll = changed("loop", "work"), changed("loop", "poll")
    status = now["status"]
    health = now["health"]
    troubled = "" if health["ok"] else ", not ready" if health["live"] else ", not live"
    return Figures(
        state=status["state"] + troubled,
        uptime=status["uptime"],
        generation=now["generation"],
        requests=changed("requests", "total") / span,
        errors=changed("requests", "errors") / span,
        finest=bounds[0] if bounds else 0.0,
        p50=quantile(took, bounds, 0.5),
        p95=quantile(took, bounds, 0.95),
        p99=quantile(took, bounds, 0.99),
        lag=quantile(lag, LAGS, 0.99),
        loop=work / (work + poll) if work + poll else 0.0,
        in_flight=status["requests"],
        queued=now["requests"]["queued"],
        connections=now["connections"]["open"],
        greenlets=now["greenlets"]["alive"],
        tasks=sum(now["tasks"].values()),
        parked=now["greenlets"]["parked"],
        workers=_workers(now, before, span),
        blockers=now["blockers"],
        slow=now["slow"],
        events=now["events"],
    )


def _workers(now: Snapshot, before: Snapshot, span: float) -> list[WorkerFigures]:
    old = {each["pid"]: each for each in before["workers"]}
    found = []
    for each in now["workers"]:
        then = old.get(each["pid"], each)
        work = each["work"] - then["work"]
        poll = each["poll"] - then["poll"]
        found.append(
            WorkerFigures(
                worker=each["worker"],
                pid=each["pid"],
                state=each["state"] if each["healthy"] else "unhealthy",
                age=each["age"],
                held=each["held"],
                requests=(each["served"] - then["served"]) / span,
                in_flight=each["requests"],
                queued=each["queued"],
                connections=each["connections"],
                loop=work / (work + poll) if work + poll > 0 else 0.0,
                cpu=(each["cpu"] - then["cpu"]) / span,
                rss=each["rss"],
            )
        )
    return found
