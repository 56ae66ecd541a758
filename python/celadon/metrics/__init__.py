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

from celadon.metrics.infos import Info
from celadon.metrics.levels import Counter, Gauge
from celadon.metrics.observations import DEFAULT_BUCKETS, Histogram, Summary

__all__ = ["DEFAULT_BUCKETS", "Counter", "Gauge", "Histogram", "Info", "Summary"]
