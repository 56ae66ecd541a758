"""What may be declared as a metric."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from celadon.metrics import Counter, Gauge, Histogram

pytestmark = pytest.mark.row("S17")


@pytest.mark.parametrize(
    ("declare", "why"),
    [
        (
            lambda: Gauge("s17_of_each", "", ["worker"], multiprocess_mode="all"),
            "worker",
        ),
        (lambda: Gauge("celadon_workers", ""), "server's own"),
        (lambda: Counter("process_cpu_seconds", ""), "server's own"),
        (lambda: Counter("http_server_request_duration_seconds", ""), "server's own"),
        (
            lambda: Gauge("http_server_request_duration_seconds_count", ""),
            "server's own",
        ),
        (lambda: Histogram("db_client_connection_wait_time", ""), "server's own"),
    ],
)
def test_what_would_spoil_a_scrape_is_refused(
    declare: Callable[[], object], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        declare()


def test_names_that_are_only_near_are_free() -> None:
    Gauge("s17_of_all", "", ["worker"])
    Counter("http_server_requests", "")
    Counter("process_orders", "")


def test_a_name_is_one_metric() -> None:
    """But for a file that is run again, whose metric it is still."""
    Counter("s17_once", "")
    with pytest.raises(ValueError, match="already"):
        Counter("s17_once", "")
    code = compile(
        "from celadon.metrics import Counter; Counter('s17_again', '')", "a", "exec"
    )
    exec(code, {})
    exec(code, {})
    with pytest.raises(ValueError, match="already"):
        Counter("s17_again", "")
