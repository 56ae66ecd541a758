"""Servers for tests: in a thread of this process, or the real command."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any, ClassVar, Self
from weakref import WeakSet
from wsgiref.validate import validator

import celadon

from tests.support.lines import Lines
from tests.support.raw import TIMEOUT, Client, Response

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
CELADON = str(BIN / "celadon")
_CRASH = re.compile(r"killed by SIG(SEGV|BUS|ILL|FPE|ABRT)|Fatal Python error")


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
    assert not (server._thread and server._thread.is_alive())
    assert server._error is None


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

    def end_of(self, client: Client) -> socket.socket:
        """This process's descriptor of a connection that was accepted, once more."""
        address = client.sock.getsockname()
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                end = socket.socket(fileno=os.dup(int(name)))
                with suppress(OSError):
                    if end.getpeername() == address:
                        return end
                end.close()
        raise AssertionError(f"no connection of {address}")

    def stats(self) -> dict[str, int]:
        return self.server.stats()

    def wait_for(self, condition: Callable[[dict[str, int]], bool]) -> dict[str, int]:
        """Looks at the counters until `condition` holds; fails after a time."""
        return wait_until(lambda: (s := self.stats(), condition(s)))


def wait_until(probe: Callable[[], tuple[Any, bool]], limit: float = TIMEOUT) -> Any:
    """Calls `probe` until its second value is true, and returns the first."""
    event = threading.Event()
    began = time.monotonic()
    while True:
        value, done = probe()
        if done:
            return value
        waited = time.monotonic() - began
        assert waited < limit, f"did not happen in {limit} s: {value!r}"
        # Nothing signals a counter: the one place that polls. What takes long is asked
        # for seldom, since what it waits for wants the processor as well.
        event.wait(min(max(0.005, waited / 20), 0.05))


def can_leave_memory(path: Path) -> bool:
    """Whether the file is anywhere else: not so in a tmpfs."""
    device = os.stat(path).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    kinds = [
        line.partition(" - ")[2].split()[0]
        for line in mounts
        if line.split()[2] == number
    ]
    return not {"tmpfs", "ramfs"} & {*kinds}


def drop_from_memory(descriptor: int) -> bool:
    """Whether a file is out of the page cache now; `can_leave_memory` says if it can be."""
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


# A loop that a busy machine holds does not end its worker where a test does not say so.
PATIENCE = ("--timeout", "600")


class Command:
    """`celadon` as users run it, on a free port: the script that was installed."""

    running: ClassVar[WeakSet[Command]] = WeakSet()
    may_crash = False  # a worker of it, as the test wants

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
        self.start([CELADON, *where, *PATIENCE, *options, target], cwd, env, preexec)

    def start(
        self,
        command: list[str],
        cwd: str | Path,
        env: dict[str, str] | None = None,
        preexec: Callable[[], None] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Runs `command`, whose last words are the server's."""
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="backslashreplace",
            preexec_fn=preexec,
            pass_fds=pass_fds,
        )
        self.running.add(self)
        self.lines = Lines()
        self.out = Lines()
        self._readers = [
            threading.Thread(target=lines.read, args=(stream,), daemon=True)
            for lines, stream in (
                (self.lines, self.process.stderr),
                (self.out, self.process.stdout),
            )
        ]
        self.listen()

    def listen(self) -> None:
        """Takes what `process` says, from now on."""
        for reader in self._readers:
            reader.start()

    def wait_line(self, pattern: str) -> re.Match[str]:
        """Waits for a line of the error log: a new one (see `Lines`)."""
        return self.lines.wait(pattern)

    def said(self, pattern: str) -> re.Match[str]:
        """The first such line of the error log since the start; waits for it."""
        return self.lines.said(pattern)

    @property
    def port(self) -> int:
        return int(self.said(r"listening at https?://.*:(\d+)")[1])

    @property
    def worker(self) -> int:
        """The first process that served, where there is one."""
        return int(self.said(r"worker (\d+) is ready")[1])

    def client(self) -> Client:
        return Client(("127.0.0.1", self.port))

    def request(self, data: bytes) -> Response:
        with self.client() as client:
            client.send(data)
            return client.response()

    def signal(self, number: int) -> None:
        """To the server itself. What it said before answers no wait for what follows."""
        self.lines.act()
        self.process.send_signal(number)

    def kill(self, pid: int, number: int = SIGKILL) -> None:
        """A signal to one of its processes, in the same way."""
        self.lines.act()
        os.kill(pid, number)

    def wait(self) -> int:
        status = self.process.wait(TIMEOUT)
        for reader in self._readers:
            reader.join(TIMEOUT)
        # To close what is read yet would wait for whoever writes there.
        held = any(reader.is_alive() for reader in self._readers)
        assert not held, "a process that it has left holds its output"
        self.process.stdout.close()  # type: ignore[union-attr]
        self.process.stderr.close()  # type: ignore[union-attr]
        return status

    def stop(self) -> int:
        if self.process.poll() is None:
            self.signal(SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Ends it; unless the test failed before, that has to go well, and has gone well."""
        has_ended = self.process.poll() is not None
        status = self.stop()
        if kind is None:
            # Whom a test has just killed may not be gone yet; one that nobody has used,
            # as its test was skipped, may not have begun to hear of signals.
            has_begun = len(self.lines) > 0
            fine = (0, -SIGKILL) if has_begun else (0, -SIGKILL, -SIGTERM)
            assert has_ended or status in fine, (status, self.lines[-30:])
            crashes = [line for line in self.lines if _CRASH.search(line)]
            assert self.may_crash or crashes == [], self.lines[-30:]


class Started(Command):
    """A server that another command becomes, or starts as its own."""

    def __init__(
        self,
        *command: str,
        cwd: str | Path = ROOT,
        env: dict[str, str] | None = None,
        preexec: Callable[[], None] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.start(list(command), cwd, env, preexec, pass_fds)
