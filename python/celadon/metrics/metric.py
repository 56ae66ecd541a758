"""What all kinds of metrics share."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Generic, NamedTuple, TypeVar

from celadon._core.metrics import Series

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
# Of what the server and its pools show; a scrape with one name twice is dropped.
_SERVERS_OWN = re.compile(
    r"celadon_|db_client_connection_|http_server_(active_requests|request_duration_seconds"
    r"|(request|response)_body_size_bytes)(_bucket|_count|_sum|_total)?\Z"
    r"|process_(cpu_seconds_total|resident_memory_bytes|open_fds|max_fds"
    r"|start_time_seconds)\Z"
)

# All names of this process and who declared them, so that one name is one metric.
_names: dict[str, _Declared] = {}

C = TypeVar("C")


class _Declared(NamedTuple):
    """Where a metric was declared."""

    file: str
    namespace: dict[str, Any]

    @classmethod
    def by_caller(cls) -> _Declared:
        frame = sys._getframe(1)
        while frame.f_globals.get("__package__") == __package__ and frame.f_back:
            frame = frame.f_back
        return cls(frame.f_code.co_filename, frame.f_globals)

    def runs_again(self, before: _Declared) -> bool:
        """A configuration is read again by a reload: a new module of the same file, whose
        metrics go on with the numbers of before."""
        return self.file == before.file and self.namespace is not before.namespace


class Metric(Generic[C]):
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
        declared = _Declared.by_caller()
        before = _names.setdefault(self._name, declared)
        if before is not declared:
            if not declared.runs_again(before):
                raise ValueError(f"there is a metric {self._name} already")
            _names[self._name] = declared
        self._own = self._make_own()

    def _full_name(self, name: str) -> str:
        return name

    def _make_own(self) -> C | None:
        return None if self._labelnames else self._make(())

    def _check(self) -> None:
        if not _NAME.match(self._name):
            raise ValueError(f"not a name of a metric: {self._name!r}")
        for label in self._labelnames:
            if not LABEL.match(label) or label.startswith("__"):
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


class Timer:
    """Measures a block, or each call of a function that it decorates."""

    def __init__(self, tell: Callable[[float], object]) -> None:
        self._tell = tell
        self._began = 0.0

    def __enter__(self) -> Timer:
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
            with Timer(self._tell):
                return fn(*args, **kwargs)

        return timed
