"""Metrics that are one number each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celadon._core.metrics import Series
from celadon.metrics.metric import Metric, Timer

_MERGES = ("sum", "livesum", "max", "min", "mostrecent", "all")


class _CounterChild:
    def __init__(self, series: Series) -> None:
        self._series = series

    def inc(self, amount: float = 1) -> None:
        """Adds `amount`. Raises `ValueError` where that is negative."""
        if amount < 0:
            raise ValueError("counters only go up")
        self._series.add(0, amount)

    @contextmanager
    def count_exceptions(
        self,
        exception: type[BaseException] | tuple[type[BaseException], ...] = Exception,
    ) -> Iterator[None]:
        """Counts those that leave the block, or a function that it decorates."""
        try:
            yield
        except exception:
            self.inc()
            raise


class Counter(Metric[_CounterChild]):
    """A number that only goes up. Its name is shown with ``_total`` at the end."""

    _type = "counter"

    def _full_name(self, name: str) -> str:
        return name if name.endswith("_total") else name + "_total"

    def _make(self, values: tuple[str, ...]) -> _CounterChild:
        return _CounterChild(self._series(values))

    def inc(self, amount: float = 1) -> None:
        self._only.inc(amount)

    def count_exceptions(
        self,
        exception: type[BaseException] | tuple[type[BaseException], ...] = Exception,
    ) -> Any:
        return self._only.count_exceptions(exception)


class GaugeChild:
    def __init__(self, series: Series, recent: bool) -> None:
        self._series = series
        self._recent = recent

    def set(self, value: float) -> None:
        self._series.set(0, float(value))
        if self._recent:
            self._series.set(1, time.time())

    def inc(self, amount: float = 1) -> None:
        self._change(amount)

    def dec(self, amount: float = 1) -> None:
        self._change(-amount)

    def _change(self, amount: float) -> None:
        if self._recent:
            raise RuntimeError("a gauge of mode mostrecent can only be set")
        self._series.add(0, amount)

    def set_to_current_time(self) -> None:
        self.set(time.time())

    @contextmanager
    def track_inprogress(self) -> Iterator[None]:
        """Counts who is in the block, or in a function that it decorates."""
        self.inc()
        try:
            yield
        finally:
            self.dec()

    def time(self) -> Timer:
        """Sets how long a block took, in seconds."""
        return Timer(self.set)


class Gauge(Metric[GaugeChild]):
    """A number that goes up and down.

    `multiprocess_mode` says how those of several workers become one: ``sum`` (the
    default; ``livesum`` is the same here), ``max``, ``min``, ``mostrecent``, or ``all``
    for one of each, with the label ``worker``. What a worker says that is gone is
    forgotten, but for ``mostrecent``. prometheus_client's ``liveall``, ``livemax``,
    ``livemin`` and ``livemostrecent`` are taken for those without ``live``.
    """

    _type = "gauge"

    def __init__(
        self, *args: Any, multiprocess_mode: str = "sum", **kwargs: Any
    ) -> None:
        mode = multiprocess_mode
        if mode.removeprefix("live") in _MERGES:
            mode = mode.removeprefix("live")
        if mode not in _MERGES:
            raise ValueError(f"multiprocess_mode: one of {', '.join(_MERGES)}")
        self._mode = "livesum" if mode == "sum" else mode
        if mode == "mostrecent":
            self._cells = 2
        if mode == "all":
            self._reserved = ("worker",)
        super().__init__(*args, **kwargs)

    def _merge(self) -> str:
        return self._mode

    def _make(self, values: tuple[str, ...]) -> GaugeChild:
        return GaugeChild(self._series(values), self._cells == 2)

    def set(self, value: float) -> None:
        self._only.set(value)

    def inc(self, amount: float = 1) -> None:
        self._only.inc(amount)

    def dec(self, amount: float = 1) -> None:
        self._only.dec(amount)

    def set_to_current_time(self) -> None:
        self._only.set_to_current_time()

    def track_inprogress(self) -> Any:
        return self._only.track_inprogress()

    def time(self) -> Timer:
        return self._only.time()


class ServersGauge(Gauge):
    """One of the server's own, whose names no other metric has."""

    _is_users = False
