"""Traces across services: each request gets, or makes, a trace; calls of it carry that on.

    opentelemetry-instrument celadon --chdir examples traced:app

sends spans to OTEL_EXPORTER_OTLP_ENDPOINT. Without OpenTelemetry the ids are there all the
same: in the access log, in errors, and for calls to other services by hand.
"""

from __future__ import annotations

import logging
import os

import requests
from flask import Flask, request

app = Flask(__name__)
UPSTREAM = os.environ.get("UPSTREAM", "")


@app.get("/orders/<int:number>")
def order(number: int) -> dict[str, object]:
    info = request.environ["celadon.request"]
    logging.getLogger("traced").warning("order %d in trace %s", number, info.trace_id)
    # celadon's own header; an instrumented client sets that of its span instead.
    headers = {"traceparent": info.traceparent}
    price = requests.get(f"{UPSTREAM}/prices/{number}", headers=headers, timeout=5).text
    return {"order": number, "price": price, "trace": info.trace_id}


@app.get("/prices/<int:number>")
def price(number: int) -> str:
    return f"{number}.00 in {request.environ['celadon.request'].trace_id}"
