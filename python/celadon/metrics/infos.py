"""Texts as a metric."""

from __future__ import annotations

from typing import Any

from celadon._core.metrics import Series
from celadon.metrics.levels import GaugeChild
from celadon.metrics.metric import LABEL, Metric


class Info(Metric[GaugeChild]):
    """Texts that describe something: a 1 whose labels they are."""

    _type = "gauge"

    def _full_name(self, name: str) -> str:
        return name if name.endswith("_info") else name + "_info"

    def _make(self, values: tuple[str, ...]) -> GaugeChild:
        return GaugeChild(self._series(values), recent=False)

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
            if not LABEL.match(name):
                raise ValueError(f"not a name of a label: {name!r}")
        self.clear()
        values = tuple(value for _, value in sorted(self._texts.items()))
        self._children[values] = self._make(values)
        self._children[values].set(1)

    _texts: dict[str, str] = {}  # noqa: RUF012 - replaced, never changed
