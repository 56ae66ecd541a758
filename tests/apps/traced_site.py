"""A plain Flask application for agents: a page that waits, one that fails, and one that
tells what identifies the request."""

import logging
import threading
import time

import flask

app = flask.Flask(__name__)


@app.get("/page/<name>")
def page(name):
    time.sleep(0.02)
    return f"page {name}"


@app.get("/fail")
def fail():
    time.sleep(0.01)
    raise ValueError("on purpose")


@app.get("/trace")
def trace():
    from opentelemetry import trace

    before = trace.get_current_span().get_span_context().trace_id
    time.sleep(0.02)
    after = trace.get_current_span().get_span_context().trace_id
    assert before == after
    return f"{before:032x}"


@app.get("/log")
def log():
    logging.getLogger("site").warning("a line of the site")
    return "logged"


@app.get("/threads")
def threads():
    return "\n".join(thread.name for thread in threading.enumerate())


def sentry_app():
    import os

    import sentry_sdk

    sentry_sdk.init(os.environ["SENTRY_TEST_DSN"], traces_sample_rate=1.0)
    # Of an application made after the start, as factories do it.
    return app
