"""Metrics of many observations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from celadon._core.metrics import Series
from celadon.metrics.metric import Metric, Timer

DEFAULT_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5),
    *(0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)


class _HistogramChild:
    def __init__(self, series: Series) -> None:
        self._series = series

    def observe(self, amount: float) -> None:
        self._series.observe(amount)

    def time(self) -> Timer:
        """Observes how long a block takes, in seconds."""
        return Timer(self.observe)


def format_bound(bound: float) -> str:
    """As Prometheus writes a number: ``1.0``, ``0.005``."""
    return repr(float(bound))


class Histogram(Metric[_HistogramChild]):
    """How often what was observed was how large. `buckets` are upper bounds, ascending."""

    _type = "histogram"
    _reserved = ("le",)

    def __init__(
        self, *args: Any, buckets: Sequence[float] = DEFAULT_BUCKETS, **kwargs: Any
    ) -> None:
        bounds = [float(each) for each in buckets]
        if bounds and math.isinf(bounds[-1]):
            bounds.pop()
        if not bounds or bounds != sorted(set(bounds)):
            raise ValueError("buckets: bounds in ascending order")
        self._upper_bounds = bounds
        self._cells = len(bounds) + 2
        super().__init__(*args, **kwargs)

    def _bounds(self) -> str:
        return ",".join(map(format_bound, self._upper_bounds))

    def _make(self, values: tuple[str, ...]) -> _HistogramChild:
        return _HistogramChild(self._series(values))

    def observe(self, amount: float) -> None:
        self._only.observe(amount)

    def time(self) -> Timer:
        return self._only.time()


class _SummaryChild:
    def __init__(self, series: Series) -> None:
        self._series = series

    def observe(self, amount: float) -> None:
        self._series.add(0, 1)
        self._series.add(1, amount)

    def time(self) -> Timer:
        """Observes how long a block takes, in seconds."""
        return Timer(self.observe)


class Summary(Metric[_SummaryChild]):
    """How many were observed, and their sum."""

    _type = "summary"
    _cells = 2
    _reserved = ("quantile",)

    def _make(self, values: tuple[str, ...]) -> _SummaryChild:
        return _SummaryChild(self._series(values))

    def observe(self, amount: float) -> None:
        self._only.observe(amount)

    def time(self) -> Timer:
        return self._only.time()
