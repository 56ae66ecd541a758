"""Servers for tests: in a thread of this process, or the real command."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import celadon

from tests.support.raw import TIMEOUT, Client, Response

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def serving(
    app: Callable[..., Any], validate: bool = True, **settings: Any
) -> Iterator[Running]:
    """Serves `app` from a thread, under `wsgiref.validate` unless told otherwise."""
    server = celadon.Server(validator(app) if validate else app, **settings)
    server.start()
    try:
        yield Running(server)
    finally:
        server.stop(quick=True)
        server.join(TIMEOUT)


class Running:
    def __init__(self, server: celadon.Server) -> None:
        self.server = server
        self.port = server.port

    @property
    def address(self) -> str | tuple[str, int]:
        described = self.server.addresses[0]
        if described.startswith("unix:@"):
            return "\0" + described.removeprefix("unix:@")
        if described.startswith("unix:"):
            return described.removeprefix("unix:")
        if "[" in described:
            return ("::1", self.port)
        return ("127.0.0.1", self.port)

    def client(self) -> Client:
        return Client(self.address)

    def request(self, data: bytes) -> Response:
        with self.client() as client:
            client.send(data)
            return client.response()

    def stats(self) -> dict[str, int]:
        return self.server.stats()

    def wait_for(self, condition: Callable[[dict[str, int]], bool]) -> dict[str, int]:
        """Looks at the counters until `condition` holds; fails after a time."""
        return wait_until(lambda: (s := self.stats(), condition(s)))


def wait_until(probe: Callable[[], tuple[Any, bool]], limit: float = TIMEOUT) -> Any:
    """Calls `probe` until its second value is true, and returns the first."""
    event = threading.Event()
    end = time.monotonic() + limit
    while True:
        value, done = probe()
        if done:
            return value
        assert time.monotonic() < end, f"did not happen in {limit} s: {value!r}"
        event.wait(0.005)  # nothing signals a counter: the one place that polls


def drop_from_memory(descriptor: int) -> bool:
    """Whether a file is out of the page cache now; one in a tmpfs cannot leave it."""
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    # Not by a read that does not wait: it starts reading ahead.
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY) as mapped:
        pages = (ctypes.c_ubyte * (len(mapped) // mmap.PAGESIZE + 1))()
        start = ctypes.c_char.from_buffer(mapped)
        libc = ctypes.CDLL(None, use_errno=True)
        failed = libc.mincore(
            ctypes.c_void_p(ctypes.addressof(start)),
            ctypes.c_size_t(len(mapped)),
            pages,
        )
        del start
        assert failed == 0, os.strerror(ctypes.get_errno())
    return not any(page & 1 for page in pages)


class Command:
    """`celadon` as users run it, on a free port."""

    def __init__(
        self,
        target: str,
        *options: str,
        cwd: str | Path = ROOT,
        env: dict[str, str] | None = None,
        bind: str | None = "127.0.0.1:0",
        preexec: Callable[[], None] | None = None,
    ) -> None:
        where = ["--bind", bind] if bind else []
        command = [sys.executable, "-m", "celadon", *where, *options, target]
        self.start(command, cwd, env, preexec)

    def start(
        self,
        command: list[str],
        cwd: str | Path,
        env: dict[str, str] | None = None,
        preexec: Callable[[], None] | None = None,
    ) -> None:
        """Runs `command`, whose last words are the server's."""
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=preexec,
        )
        self.listen()

    def listen(self) -> None:
        """Keeps what `process` says."""
        self.lines: list[str] = []
        self.out: list[str] = []
        self._heard = threading.Condition()
        self._closed = False
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stderr, self.lines)),
            threading.Thread(target=self._read, args=(self.process.stdout, self.out)),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: Any, lines: list[str]) -> None:
        for line in stream:
            with self._heard:
                lines.append(line.rstrip("\n"))
                self._heard.notify_all()
        with self._heard:
            self._closed = True
            self._heard.notify_all()

    def wait_line(self, pattern: str) -> re.Match[str]:
        """Waits for a line of the error log."""

        def find() -> re.Match[str] | None:
            for line in self.lines:
                if match := re.search(pattern, line):
                    return match
            return None

        with self._heard:
            self._heard.wait_for(lambda: find() or self._closed, TIMEOUT)
            found = find()
        assert found, f"no line {pattern!r} in:\n" + "\n".join(self.lines)
        return found

    @property
    def port(self) -> int:
        return int(self.wait_line(r"listening at http://.*:(\d+)")[1])

    @property
    def worker(self) -> int:
        """The process that serves, where there is one."""
        return int(self.wait_line(r"worker (\d+) is ready")[1])

    def client(self) -> Client:
        return Client(("127.0.0.1", self.port))

    def request(self, data: bytes) -> Response:
        with self.client() as client:
            client.send(data)
            return client.response()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        status = self.process.wait(TIMEOUT)
        for reader in self._readers:
            reader.join(TIMEOUT)
        self.process.stdout.close()  # type: ignore[union-attr]
        self.process.stderr.close()  # type: ignore[union-attr]
        return status

    def stop(self) -> int:
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
