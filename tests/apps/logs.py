"""An application for tests of the logs: it says what its request is called."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from typing import Any

from celadon.patch import original

kept: list[Any] = []


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    request = environ["celadon.request"]
    path = environ["PATH_INFO"]
    body = json.dumps([request.id, request.trace_id, request.span_id]).encode()
    headers = [("Content-Length", str(len(body)))]
    if path == "/own":
        headers.append(("X-Request-Id", "mine"))
    if path == "/keep":
        kept.append(request)
    if path == "/kept":
        body = json.dumps([kept[0].id, kept[0].traceparent]).encode()
        headers = [("Content-Length", str(len(body)))]
    if path == "/raise":
        raise ValueError("on purpose")
    if path == "/log":
        logging.getLogger("celadon.error").warning("from the application")
    if path == "/say":
        level, _, text = environ["QUERY_STRING"].partition("-")
        logging.getLogger("celadon.error").log(int(level), "said %s", text)
    if path == "/user":
        environ["REMOTE_USER"] = "jo"
    if path == "/print":
        print("y" * int(environ["QUERY_STRING"]))
        sys.stdout.flush()
    if path == "/orphaned":
        master = os.getppid()
        start_response("200 OK", [("Content-Length", "4")])(b"wait")
        held = environ["QUERY_STRING"] == "held"
        wait = original("time", "sleep") if held else time.sleep
        while os.getppid() == master:
            wait(0.01)
        print("z" * (3 << 20))
        for _ in range(100):  # a reader that lags behind loses the first of them
            print("after the master", flush=True)
            time.sleep(0.01)
        return []
    if path == "/slow":
        time.sleep(0.1)
    if path == "/die":
        os.kill(os.getpid(), signal.SIGKILL)
    start_response("200 OK", headers)
    return [body]
