"""A pool's figures in ``/metrics``, as OpenTelemetry names them (db.client.connection.*).

The gauge of connections is there `db.client.connection.count`, an ending that Prometheus
keeps for itself.
"""

from __future__ import annotations

from celadon._core.metrics import Series

_POOL = "db_client_connection_pool_name"
_BOUNDS = "0.001,0.005,0.01,0.05,0.1,0.5,1,5,10"
_BUCKETS = len(_BOUNDS.split(",")) + 1


class Measures:
    """Of one pool in this process; pools of the same name are added up."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._used = self._gauge("s", "Connections by their state.", "used")
        self._idle = self._gauge("s", "Connections by their state.", "idle")
        self._pending = self._gauge(
            "s_pending_requests", "Who waits for a connection of a pool."
        )
        self._max = self._gauge("s_max", "Connections that a pool may have.")
        self._timeouts = self._series(
            "s_timeouts_total", "counter", "Waits for a connection that took too long."
        )
        self.create_time = self._histogram("create", "Time to open a connection.")
        self.wait_time = self._histogram("wait", "Time to get a connection.")
        self.use_time = self._histogram("use", "Time that a connection was out.")

    def _series(
        self,
        suffix: str,
        kind: str,
        help_text: str,
        state: str = "",
        bounds: str = "",
        cells: int = 1,
    ) -> Series:
        names: tuple[str, ...] = (_POOL,)
        values: tuple[str, ...] = (self._name,)
        if state:
            names, values = (*names, "db_client_connection_state"), (*values, state)
        merge = "livesum" if kind == "gauge" else "sum"
        family = "db_client_connection" + suffix
        return Series(family, kind, help_text, bounds, merge, cells, names, values)

    def _gauge(self, suffix: str, help_text: str, state: str = "") -> Series:
        return self._series(suffix, "gauge", help_text, state)

    def _histogram(self, what: str, help_text: str) -> Series:
        return self._series(
            f"s_{what}_time_seconds",
            "histogram",
            help_text,
            bounds=_BOUNDS,
            cells=_BUCKETS + 1,
        )

    def note(self, used: int, idle: int, waiting: int, most: int) -> None:
        """How many connections there are now, wait, and may be. Takes no lock."""
        self._used.set(0, used)
        self._idle.set(0, idle)
        self._pending.set(0, waiting)
        self._max.set(0, most)

    def note_timeout(self) -> None:
        self._timeouts.add(0, 1)
