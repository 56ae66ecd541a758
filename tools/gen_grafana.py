"""Writes the Grafana dashboard, deploy/grafana/celadon.json, to standard output."""

from __future__ import annotations

import json
from typing import Any

SCOPE = 'job=~"$job",instance=~"$instance"'
WORKER = SCOPE + ',worker=~"$worker"'
# Row, then panels: title, unit, and for each line its query and its legend.
ROWS: list[tuple[str, list[tuple[str, str, list[tuple[str, str]]]]]] = [
    (
        "Requests",
        [
            (
                "Requests per second",
                "reqps",
                [
                    (
                        "sum by (http_response_status_code) (rate("
                        f"http_server_request_duration_seconds_count{{{SCOPE}}}[$__rate_interval]))",
                        "{{http_response_status_code}}",
                    )
                ],
            ),
            (
                "Server errors",
                "percentunit",
                [
                    (
                        "sum(rate(http_server_request_duration_seconds_count"
                        f'{{{SCOPE},http_response_status_code=~"5.."}}[$__rate_interval]))'
                        " / sum(rate(http_server_request_duration_seconds_count"
                        f"{{{SCOPE}}}[$__rate_interval]))",
                        "share of requests",
                    )
                ],
            ),
            (
                "Latency",
                "s",
                [
                    (
                        f"histogram_quantile({share}, sum by (le) (rate("
                        f"http_server_request_duration_seconds_bucket{{{SCOPE}}}"
                        "[$__rate_interval])))",
                        f"p{100 * share:.0f}",
                    )
                    for share in (0.5, 0.95, 0.99)
                ],
            ),
            (
                "Latency by route, p95",
                "s",
                [
                    (
                        "histogram_quantile(0.95, sum by (le, http_route) (rate("
                        f"http_server_request_duration_seconds_bucket{{{SCOPE}}}"
                        "[$__rate_interval])))",
                        "{{http_route}}",
                    )
                ],
            ),
            (
                "In flight and queued",
                "short",
                [
                    (f"sum(http_server_active_requests{{{SCOPE}}})", "in flight"),
                    (f"sum(celadon_requests_queued{{{SCOPE}}})", "queued"),
                    (
                        f"sum(celadon_listen_backlog{{{SCOPE}}})",
                        "in the kernel's queue",
                    ),
                ],
            ),
            (
                "Refused, timed out, abandoned",
                "reqps",
                [
                    (
                        f"sum by (reason) (rate(celadon_requests_rejected_total{{{SCOPE}}}"
                        "[$__rate_interval]))",
                        "refused: {{reason}}",
                    ),
                    (
                        f"sum by (kind) (rate(celadon_timeouts_total{{{SCOPE}}}"
                        "[$__rate_interval]))",
                        "time limit: {{kind}}",
                    ),
                    (
                        f"sum(rate(celadon_requests_abandoned_total{{{SCOPE}}}"
                        "[$__rate_interval]))",
                        "abandoned by their client",
                    ),
                ],
            ),
        ],
    ),
    (
        "Loop",
        [
            (
                "Time by what loops did",
                "percentunit",
                [
                    (
                        f"sum by (state) (rate(celadon_loop_seconds_total{{{SCOPE}}}"
                        "[$__rate_interval]))",
                        "{{state}}",
                    )
                ],
            ),
            (
                "Lag of timers",
                "s",
                [
                    (
                        f"histogram_quantile({share}, sum by (le) (rate("
                        f"celadon_loop_lag_seconds_bucket{{{SCOPE}}}[$__rate_interval])))",
                        f"p{100 * share:.0f}",
                    )
                    for share in (0.5, 0.99)
                ],
            ),
            (
                "Time that loops were held",
                "percentunit",
                [
                    (
                        f"sum by (instance) (rate(celadon_loop_blocked_seconds_sum{{{SCOPE}}}"
                        "[$__rate_interval]))",
                        "{{instance}}",
                    )
                ],
            ),
            (
                "Wait for the interpreter, and its collector",
                "percentunit",
                [
                    (
                        f"sum(rate(celadon_gil_wait_seconds_total{{{SCOPE}}}"
                        "[$__rate_interval]))",
                        "GIL",
                    ),
                    (
                        f"sum(rate(celadon_gc_pause_seconds_sum{{{SCOPE}}}"
                        "[$__rate_interval]))",
                        "garbage collection",
                    ),
                ],
            ),
        ],
    ),
    (
        "Greenlets",
        [
            (
                "By what they wait for",
                "short",
                [(f"sum by (on) (celadon_greenlets_parked{{{SCOPE}}})", "{{on}}")],
            ),
            (
                "Alive and ready",
                "short",
                [(f"sum by (state) (celadon_greenlets{{{SCOPE}}})", "{{state}}")],
            ),
            (
                "Tasks of ASGI requests",
                "short",
                [(f"sum by (state) (celadon_asgi_tasks{{{SCOPE}}})", "{{state}}")],
            ),
            (
                "Switches and preemptions",
                "ops",
                [
                    (
                        f"sum(rate(celadon_greenlet_switches_total{{{SCOPE}}}"
                        "[$__rate_interval]))",
                        "switches",
                    ),
                    (
                        f"sum(rate(celadon_greenlet_preemptions_total{{{SCOPE}}}"
                        "[$__rate_interval]))",
                        "preemptions",
                    ),
                ],
            ),
            (
                "Native threads",
                "short",
                [
                    (
                        f"sum by (pool, state) (celadon_offload_tasks{{{SCOPE}}})",
                        "{{pool}} {{state}}",
                    )
                ],
            ),
        ],
    ),
    (
        "Pools",
        [
            (
                "Connections",
                "short",
                [
                    (
                        "sum by (db_client_connection_pool_name, db_client_connection_state)"
                        f" (db_client_connections{{{SCOPE}}})",
                        "{{db_client_connection_pool_name}} {{db_client_connection_state}}",
                    ),
                    (
                        f"sum by (server) (celadon_db_connections_open{{{SCOPE}}})",
                        "open to {{server}}",
                    ),
                ],
            ),
            (
                "Who waits for one",
                "short",
                [
                    (
                        "sum by (db_client_connection_pool_name) "
                        f"(db_client_connections_pending_requests{{{SCOPE}}})",
                        "{{db_client_connection_pool_name}}",
                    ),
                    (
                        f"sum by (server) (celadon_db_connections_waiting{{{SCOPE}}})",
                        "{{server}} (db_connections)",
                    ),
                ],
            ),
            (
                "Time to get one, p95",
                "s",
                [
                    (
                        "histogram_quantile(0.95, sum by (le, db_client_connection_pool_name)"
                        f" (rate(db_client_connections_wait_time_seconds_bucket{{{SCOPE}}}"
                        "[$__rate_interval])))",
                        "{{db_client_connection_pool_name}}",
                    )
                ],
            ),
        ],
    ),
    (
        "Workers",
        [
            (
                "By state",
                "short",
                [(f"sum by (state) (celadon_workers{{{SCOPE}}})", "{{state}}")],
            ),
            (
                "Ended, by reason",
                "short",
                [
                    (
                        f"sum by (reason) (increase(celadon_worker_exits_total{{{SCOPE}}}"
                        "[$__rate_interval]))",
                        "{{reason}}",
                    )
                ],
            ),
            (
                "Memory",
                "bytes",
                [
                    (
                        f"celadon_worker_resident_memory_bytes{{{WORKER}}}",
                        "{{instance}} {{worker}}",
                    )
                ],
            ),
            (
                "CPU of all processes",
                "percentunit",
                [
                    (
                        f"sum by (instance) (rate(process_cpu_seconds_total{{{SCOPE}}}"
                        "[$__rate_interval]))",
                        "{{instance}}",
                    )
                ],
            ),
            (
                "Slice that runs now",
                "s",
                [
                    (
                        f"celadon_worker_heartbeat_age_seconds{{{WORKER}}}",
                        "{{instance}} {{worker}}",
                    )
                ],
            ),
            (
                "Connections",
                "short",
                [
                    (f"sum(celadon_connections{{{SCOPE}}})", "open"),
                    (f"sum(celadon_connections_idle{{{SCOPE}}})", "idle"),
                ],
            ),
        ],
    ),
]
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT, COLUMNS = 8, 7, 3


def queries() -> list[str]:
    """All that the dashboard asks, its variables replaced."""
    found = [
        query for _, panels in ROWS for _, _, lines in panels for query, _ in lines
    ]
    for name, value in {
        "$job": ".+",
        "$instance": ".+",
        "$worker": ".+",
        "$__rate_interval": "1m",
    }.items():
        found = [query.replace(name, value) for query in found]
    return found


def _panel(number: int, title: str, unit: str, lines: list[tuple[str, str]]) -> Any:
    return {
        "id": number,
        "type": "timeseries",
        "title": title,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"tooltip": {"mode": "multi"}, "legend": {"showLegend": True}},
        "targets": [
            {
                "refId": chr(ord("A") + at),
                "datasource": SOURCE,
                "expr": query,
                "legendFormat": legend,
            }
            for at, (query, legend) in enumerate(lines)
        ],
    }


def _variable(name: str, of: str) -> Any:
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": f"label_values({of}, {name})", "refId": name},
        "includeAll": True,
        "multi": True,
        "allValue": ".+",
        "current": {"text": "All", "value": "$__all"},
        "refresh": 2,
    }


def dashboard() -> Any:
    panels: list[Any] = []
    y = 0
    for title, contents in ROWS:
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "panels": [],
                "gridPos": {"x": 0, "y": y, "w": 24, "h": 1},
            }
        )
        y += 1
        for at, (name, unit, lines) in enumerate(contents):
            panel = _panel(len(panels) + 1, name, unit, lines)
            panel["gridPos"] = {
                "x": WIDTH * (at % COLUMNS),
                "y": y + HEIGHT * (at // COLUMNS),
                "w": WIDTH,
                "h": HEIGHT,
            }
            panels.append(panel)
        y += HEIGHT * (-(-len(contents) // COLUMNS))
    return {
        "uid": "celadon",
        "title": "celadon",
        "tags": ["celadon"],
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus"},
                _variable("job", "celadon_build_info"),
                _variable("instance", 'celadon_build_info{job=~"$job"}'),
                _variable("worker", f"celadon_worker_uptime_seconds{{{SCOPE}}}"),
            ]
        },
        "panels": panels,
    }


if __name__ == "__main__":
    print(json.dumps(dashboard(), indent=1))
