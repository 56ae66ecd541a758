"""prometheus_client with right numbers from many workers.

What prometheus_client's metrics count is kept in the memory that all workers share:
``/metrics`` of the admin listener shows the sums, and so does the application's own page
(``generate_latest``, ``make_wsgi_app``), whichever worker answers it. No
``PROMETHEUS_MULTIPROC_DIR`` is needed, no files and no ``child_exit`` hook; where they are
set up, ``MultiProcessCollector`` and ``mark_process_dead`` work and use none of it.

The ``celadon`` command installs this when the application imports prometheus_client (with
``--no-metrics`` it does not). ``Info`` and ``Enum`` stay as they are: of the worker that
is asked. Exemplars are not kept.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from celadon._core import metrics as _core
from celadon.patch.imports import when_imported
from celadon.patch.registry import replace

_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}
_KEPT = ("counter", "gauge", "histogram", "summary")  # in shared memory
_FRESH = 0.05  # seconds that one look at all series serves

_installed = False
# Families that prometheus_client's metrics have made, and what they are to it.
_families: dict[str, tuple[str, str]] = {}

Samples = dict[str, list[tuple[dict[str, str], list[float]]]]


def install() -> None:
    """From now on metrics of prometheus_client are kept in shared memory.

    Metrics that were made before stay where they are.
    """
    when_imported("prometheus_client.values", adapt_values)
    when_imported("prometheus_client.metrics", adapt_metrics)
    when_imported("prometheus_client.multiprocess", adapt_multiprocess)


def adapt_values(values: ModuleType) -> None:
    """For when the module was imported."""
    replace(values, "ValueClass", _value)


def adapt_metrics(metrics: ModuleType) -> None:
    """Likewise."""
    global _installed
    if _installed:
        return
    _installed = True
    replace(metrics.Histogram, "_metric_init", _init_histogram)
    replace(metrics.Summary, "_metric_init", _init_summary)
    native = metrics.MetricWrapperBase.collect
    native_init = metrics.MetricWrapperBase.__init__

    @functools.wraps(native_init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        native_init(self, *args, **kwargs)
        # One with labels has series of other workers before it has any of its own.
        if self._type in _KEPT:
            _families[_family_of(self)] = (self._name, self._type)

    replace(metrics.MetricWrapperBase, "__init__", __init__)

    def collect(self: Any) -> Iterable[Any]:
        family = _family_of(self)
        if family not in _families:
            return native(self)  # type: ignore[no-any-return]
        metric = self._get_metric()
        _add_samples(metric, family, getattr(self, "_labelvalues", ()))
        return [metric]

    replace(metrics.MetricWrapperBase, "collect", collect)


def adapt_multiprocess(module: ModuleType) -> None:
    """Likewise: what needs a folder of files does without."""
    from prometheus_client.metrics_core import (  # type: ignore[import-not-found,unused-ignore]
        Metric,
    )

    def __init__(self: Any, registry: Any, path: Any = None) -> None:
        self._path = path
        if registry:
            registry.register(self)

    def collect(self: Any) -> Iterable[Any]:
        for family, (name, kind) in sorted(_families.items()):
            metric = Metric(name, _look.help_of(family), kind)
            _add_samples(metric, family, ())
            yield metric

    replace(module.MultiProcessCollector, "__init__", __init__)
    replace(module.MultiProcessCollector, "collect", collect)
    replace(module, "mark_process_dead", lambda pid, path=None: None)


# --- where values live ---


class _Cell:
    """One number of a metric, as prometheus_client asks for it."""

    _multiprocess = False

    def __init__(self, series: _core.Series, cell: int, recent: bool = False) -> None:
        self._series = series
        self._cell = cell
        self._recent = recent

    def inc(self, amount: float) -> None:
        self._series.add(self._cell, amount)

    def set(self, value: float, timestamp: float | None = None) -> None:
        self._series.set(self._cell, value)
        if self._recent:
            self._series.set(1, timestamp or time.time())

    def get(self) -> float:
        """That of this worker."""
        values = self._series.values()
        return values[self._cell] if values else 0.0

    def set_exemplar(self, exemplar: Any) -> None:
        return None

    def get_exemplar(self) -> None:
        return None


def _value(
    typ: str,
    metric_name: str,
    name: str,
    labelnames: Iterable[str],
    labelvalues: Iterable[str],
    help_text: str,
    multiprocess_mode: str = "all",
    **_: Any,
) -> _Cell:
    """What prometheus_client calls its ValueClass, of counters and gauges."""
    mode, cells = "sum", 1
    if typ == "gauge":
        mode = multiprocess_mode.removeprefix("live")
        mode = {"sum": "livesum"}.get(mode, mode)
        cells = 2 if mode == "mostrecent" else 1
    series = _make(name, typ, help_text, "", mode, cells, labelnames, labelvalues)
    return _Cell(series, 0, mode == "mostrecent")


def _make(
    family: str,
    kind: str,
    help_text: str,
    bounds: str,
    mode: str,
    cells: int,
    labelnames: Iterable[str],
    labelvalues: Iterable[str],
) -> _core.Series:
    return _core.Series(
        *(family, kind, help_text, bounds, mode, cells),
        *(tuple(labelnames), tuple(map(str, labelvalues))),
    )


def _init_histogram(self: Any) -> None:
    from prometheus_client.utils import floatToGoString

    show: Any = floatToGoString
    bounds = ",".join(show(each) for each in self._upper_bounds[:-1])
    buckets = len(self._upper_bounds)
    series = _make(
        self._name,
        "histogram",
        self._documentation,
        bounds,
        "sum",
        buckets + 1,
        self._labelnames,
        self._labelvalues,
    )
    self._created = time.time()
    self._buckets = [_Cell(series, at) for at in range(buckets)]
    self._sum = _Cell(series, buckets)


def _init_summary(self: Any) -> None:
    series = _make(
        self._name,
        "summary",
        self._documentation,
        "",
        "sum",
        2,
        self._labelnames,
        self._labelvalues,
    )
    self._created = time.time()
    self._count = _Cell(series, 0)
    self._sum = _Cell(series, 1)


# --- what is shown ---


def _family_of(metric: Any) -> str:
    name = str(metric._name)
    return name + "_total" if metric._type == "counter" else name


def _parse_labels(text: str) -> dict[str, str]:
    return {
        name: re.sub(r"\\.", lambda found: _ESCAPES.get(found[0], found[0]), value)
        for name, value in _LABEL.findall(text)
    }


class _Look:
    """All series of all workers, as they were a moment ago."""

    def __init__(self) -> None:
        self._until = 0.0
        self._samples: Samples = {}
        self._bounds: dict[str, list[str]] = {}
        self._help: dict[str, str] = {}

    def _refresh(self) -> None:
        if time.monotonic() < self._until:
            return
        self._samples = {}
        for family, _, help_text, bounds, samples in _core.gather():
            if family in _families:
                self._help[family] = help_text
                self._bounds[family] = [*(bounds.split(",") if bounds else []), "+Inf"]
                self._samples[family] = [
                    (_parse_labels(labels), cells) for labels, cells in samples
                ]
        self._until = time.monotonic() + _FRESH

    def samples(self, family: str) -> list[tuple[dict[str, str], list[float]]]:
        self._refresh()
        return self._samples.get(family, [])

    def bounds(self, family: str) -> list[str]:
        return self._bounds.get(family, ["+Inf"])

    def help_of(self, family: str) -> str:
        self._refresh()
        return self._help.get(family, "")


_look = _Look()


def _add_samples(metric: Any, family: str, only: tuple[str, ...]) -> None:
    name = metric.name
    for labels, cells in _look.samples(family):
        if only and tuple(labels.values()) != only:
            continue
        if metric.type == "histogram":
            _add_histogram(metric, labels, cells, _look.bounds(family))
        elif metric.type == "summary":
            metric.add_sample(name + "_count", labels, cells[0])
            metric.add_sample(name + "_sum", labels, cells[1])
        else:
            suffix = "_total" if metric.type == "counter" else ""
            metric.add_sample(name + suffix, labels, cells[0])


def _add_histogram(
    metric: Any, labels: dict[str, str], cells: list[float], bounds: list[str]
) -> None:
    below = 0.0
    for bound, count in zip(bounds, cells[:-1], strict=False):
        below += count
        metric.add_sample(metric.name + "_bucket", {**labels, "le": bound}, below)
    metric.add_sample(metric.name + "_count", labels, below)
    metric.add_sample(metric.name + "_sum", labels, cells[-1])
