"""Locks that are never given back."""

from __future__ import annotations

import threading
import time
from typing import Any

first, second, lost, slow = (threading.Lock() for _ in range(4))


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    path = environ["PATH_INFO"]
    if path == "/leave" or path == "/want":
        lost.acquire()
    elif path in ("/x", "/y"):
        one, other = (first, second) if path == "/x" else (second, first)
        with one:
            time.sleep(0.2)
            with other:
                pass
    elif path == "/hold":
        with slow:
            time.sleep(60)
    elif path == "/wait":
        with slow:
            pass
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
