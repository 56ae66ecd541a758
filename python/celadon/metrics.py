"""Metrics of the application's own, right across all workers.

The classes have the shape of prometheus_client's: a metric is made once, at import, and
``/metrics`` of the admin listener shows it beside the server's own::

    from celadon.metrics import Counter, Histogram

    orders = Counter("shop_orders", "Orders taken.", ["currency"])
    orders.labels("EUR").inc()

What workers count is added up in memory that they share; what a worker counted that is
gone stays counted. At most ``metrics_max_series`` combinations of labels are kept apart in
a worker; those beyond go to one whose labels are ``_other``.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Generic, TypeVar

from celadon._core.metrics import Series

__all__ = ["DEFAULT_BUCKETS", "Counter", "Gauge", "Histogram", "Info", "Summary"]

DEFAULT_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5),
    *(0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
# Of what the server and its pools show; a scrape with one name twice is dropped.
_SERVERS_OWN = re.compile(
    r"celadon_|db_client_connection_|http_server_(active_requests|request_duration_seconds"
    r"|(request|response)_body_size_bytes)(_bucket|_count|_sum|_total)?\Z"
    r"|process_(cpu_seconds_total|resident_memory_bytes|open_fds|max_fds"
    r"|start_time_seconds)\Z"
)
_MERGES = ("sum", "livesum", "max", "min", "mostrecent", "all")

# All names of this process, so that one name is one metric.
_names: dict[str, object] = {}

M = TypeVar("M", bound="_Metric[Any]")
C = TypeVar("C")


class _Metric(Generic[C]):
    """What all kinds share: a name, labels, and a child for each combination of them."""

    _type = ""
    _cells = 1
    _reserved: tuple[str, ...] = ()
    _is_users = True

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Iterable[str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
    ) -> None:
        full = "_".join(part for part in (namespace, subsystem, name) if part)
        if unit and not full.endswith("_" + unit):
            full += "_" + unit
        self._name = self._full_name(full)
        self._documentation = documentation
        self._labelnames = tuple(labelnames)
        self._labelvalues: tuple[str, ...] = ()
        self._children: dict[tuple[str, ...], C] = {}
        self._check()
        if _names.setdefault(self._name, self) is not self:
            raise ValueError(f"there is a metric {self._name} already")
        self._own = self._make_own()

    def _full_name(self, name: str) -> str:
        return name

    def _make_own(self) -> C | None:
        return None if self._labelnames else self._make(())

    def _check(self) -> None:
        if not _NAME.match(self._name):
            raise ValueError(f"not a name of a metric: {self._name!r}")
        for label in self._labelnames:
            if not _LABEL.match(label) or label.startswith("__"):
                raise ValueError(f"not a name of a label: {label!r}")
            if label in self._reserved:
                raise ValueError(f"{self._type}: the label {label} is its own")
        if self._is_users and _SERVERS_OWN.match(self._name):
            raise ValueError(
                f"{self._name} is a name of the server's own: take another"
            )

    def _merge(self) -> str:
        return "sum"

    def _bounds(self) -> str:
        return ""

    def _series(self, values: tuple[str, ...]) -> Series:
        return Series(
            self._name,
            self._type,
            self._documentation,
            self._bounds(),
            self._merge(),
            self._cells,
            self._labelnames,
            values,
        )

    def _make(self, values: tuple[str, ...]) -> C:
        raise NotImplementedError

    def labels(self, *values: Any, **by_name: Any) -> C:
        """The child of these values: in order, or by name. All texts are cut at 128 bytes.

        Raises `ValueError` where values are missing, or there are too many.
        """
        if by_name:
            if values or set(by_name) != set(self._labelnames):
                raise ValueError(f"{self._name} has the labels {self._labelnames}")
            values = tuple(by_name[name] for name in self._labelnames)
        if len(values) != len(self._labelnames) or not values:
            raise ValueError(f"{self._name} has the labels {self._labelnames}")
        texts = tuple(map(str, values))
        child = self._children.get(texts)
        if child is None:
            child = self._children.setdefault(texts, self._make(texts))
        return child

    @property
    def _only(self) -> C:
        if self._own is None:
            raise ValueError(f"{self._name}: labels() first: {self._labelnames}")
        return self._own

    def remove(self, *values: Any) -> None:
        """Forgets the child of these values in this process, whose numbers go to zero."""
        child = self._children.pop(tuple(map(str, values)), None)
        if child is not None:
            child._series.clear()  # type: ignore[attr-defined]

    def clear(self) -> None:
        """Likewise all of them."""
        for values in list(self._children):
            self.remove(*values)


class _Timer:
    """Measures a block, or each call of a function that it decorates."""

    def __init__(self, tell: Callable[[float], object]) -> None:
        self._tell = tell
        self._began = 0.0

    def __enter__(self) -> _Timer:
        self._began = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tell(max(time.perf_counter() - self._began, 0.0))

    def __call__(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        import functools

        @functools.wraps(fn)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with _Timer(self._tell):
                return fn(*args, **kwargs)

        return timed


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


class Counter(_Metric[_CounterChild]):
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


class _GaugeChild:
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

    def time(self) -> _Timer:
        """Sets how long a block took, in seconds."""
        return _Timer(self.set)


class Gauge(_Metric[_GaugeChild]):
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

    def _make(self, values: tuple[str, ...]) -> _GaugeChild:
        return _GaugeChild(self._series(values), self._cells == 2)

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

    def time(self) -> _Timer:
        return self._only.time()


class ServersGauge(Gauge):
    """One of the server's own, whose names no other metric has."""

    _is_users = False


class _HistogramChild:
    def __init__(self, series: Series) -> None:
        self._series = series

    def observe(self, amount: float) -> None:
        self._series.observe(amount)

    def time(self) -> _Timer:
        """Observes how long a block takes, in seconds."""
        return _Timer(self.observe)


def format_bound(bound: float) -> str:
    """As Prometheus writes a number: ``1.0``, ``0.005``."""
    return repr(float(bound))


class Histogram(_Metric[_HistogramChild]):
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

    def time(self) -> _Timer:
        return self._only.time()


class _SummaryChild:
    def __init__(self, series: Series) -> None:
        self._series = series

    def observe(self, amount: float) -> None:
        self._series.add(0, 1)
        self._series.add(1, amount)

    def time(self) -> _Timer:
        """Observes how long a block takes, in seconds."""
        return _Timer(self.observe)


class Summary(_Metric[_SummaryChild]):
    """How many were observed, and their sum."""

    _type = "summary"
    _cells = 2
    _reserved = ("quantile",)

    def _make(self, values: tuple[str, ...]) -> _SummaryChild:
        return _SummaryChild(self._series(values))

    def observe(self, amount: float) -> None:
        self._only.observe(amount)

    def time(self) -> _Timer:
        return self._only.time()


class Info(_Metric[_GaugeChild]):
    """Texts that describe something: a 1 whose labels they are."""

    _type = "gauge"

    def _full_name(self, name: str) -> str:
        return name if name.endswith("_info") else name + "_info"

    def _make(self, values: tuple[str, ...]) -> _GaugeChild:
        return _GaugeChild(self._series(values), recent=False)

    def __init__(self, name: str, documentation: str, **kwargs: Any) -> None:
        super().__init__(name, documentation, labelnames=(), **kwargs)

    def _make_own(self) -> None:
        return None  # before there are texts

    def _series(self, values: tuple[str, ...]) -> Series:
        names = tuple(sorted(self._texts)) if values else ()
        return Series(
            self._name, self._type, self._documentation, "", "max", 1, names, values
        )

    def info(self, texts: dict[str, str]) -> None:
        """Sets the texts, by their names."""
        self._texts = {str(key): str(value) for key, value in texts.items()}
        for name in self._texts:
            if not _LABEL.match(name):
                raise ValueError(f"not a name of a label: {name!r}")
        self.clear()
        values = tuple(value for _, value in sorted(self._texts.items()))
        self._children[values] = self._make(values)
        self._children[values].set(1)

    _texts: dict[str, str] = {}  # noqa: RUF012 - replaced, never changed
