"""An HTTP server that keeps what agents send to it."""

from __future__ import annotations

import gzip
import http.server
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.support.raw import TIMEOUT


class Collector:
    """Bodies by path, decompressed."""

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.port = 0
        self._news = threading.Condition()

    def add(self, path: str, body: bytes) -> None:
        with self._news:
            self.received.append((path, body))
            self._news.notify_all()

    def environ(self) -> dict[str, str]:
        """What makes OpenTelemetry's instrumentation send spans here, and soon."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }

    def wait_for(self, found: Callable[[list[tuple[str, bytes]]], bool]) -> None:
        """Waits until `found` is true of what came."""
        with self._news:
            done = self._news.wait_for(lambda: found(self.received), TIMEOUT)
        assert done, [(path, len(body)) for path, body in self.received]


@contextmanager
def collecting(reply: bytes = b"{}") -> Iterator[Collector]:
    collector = Collector()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            collector.add(self.path, _decompressed(self.headers, self._body()))
            self._answer()

        do_PUT = do_POST

        def do_GET(self) -> None:
            self._answer()

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _answer(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *args: object) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _decompressed(headers: object, body: bytes) -> bytes:
    kind = headers.get("Content-Encoding")  # type: ignore[attr-defined]
    if kind == "gzip":
        return gzip.decompress(body)
    return zlib.decompress(body) if kind == "deflate" else body
