"""TLS: whoever is stopped in whichever step of the protocol, the other end notices, both
sockets are closed, and what one read the other had sent."""

from __future__ import annotations

import socket
import ssl
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from celadon.testing import Stage

from tests.explorer.catalogue import scenario
from tests.explorer.scenarios.sockets import pair
from tests.support.machine import program

FLAGS = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
NAMES = "-addext subjectAltName=DNS:localhost -keyout key -out cert"


@cache
def prepare() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's side, and the client's."""
    with tempfile.TemporaryDirectory() as folder:
        command = [program("openssl", "openssl"), *FLAGS.split(), *NAMES.split()]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        cert, key = Path(folder) / "cert", Path(folder) / "key"
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(cert, key)
        return server, ssl.create_default_context(cafile=str(cert))


class Talk:
    """Two ends, and what was read at each of them."""

    def __init__(self, stage: Stage) -> None:
        self.server, self.client = pair(stage, 5)
        self.wires = self.server.dup(), self.client.dup()
        for wire in self.wires:
            stage.at_end(wire.close)
        self.ends: list[ssl.SSLSocket] = []
        stage.deliver("the client leaves", self._cut)

    def _cut(self) -> None:
        self.wires[1].shutdown(socket.SHUT_RDWR)

    def accept(self) -> ssl.SSLSocket:
        context = prepare()[0]
        self.ends.append(context.wrap_socket(self.server, server_side=True))
        return self.ends[-1]

    def connect(self) -> ssl.SSLSocket:
        context = prepare()[1]
        self.ends.append(context.wrap_socket(self.client, server_hostname="localhost"))
        return self.ends[-1]

    def is_over(self) -> None:
        """All that was wrapped is closed."""
        assert all(end.fileno() == -1 for end in self.ends)


@scenario()
def tls(stage: Stage) -> Any:
    talk = Talk(stage)
    got: list[bytes] = []

    def serve() -> None:
        with talk.accept() as conn:
            got.append(conn.recv(5))
            conn.sendall(b"world")
            conn.unwrap().close()

    def ask() -> None:
        with talk.connect() as conn:
            conn.sendall(b"hello")
            got.append(conn.recv(5))
            conn.unwrap().close()

    stage.spawn("serve", serve, expected=(OSError,))
    stage.spawn("ask", ask, expected=(OSError,))

    def check() -> None:
        talk.is_over()
        if stage.ended_by("serve") == stage.ended_by("ask") == "value":
            assert got == [b"hello", b"world"]

    return check


@scenario()
def tls_of_one_who_reads_and_one_who_writes(stage: Stage) -> Any:
    """Of one connection: who is stopped breaks at most what he was in."""
    talk = Talk(stage)
    size = 300_000
    got: list[int] = []

    def echo() -> None:
        with talk.accept() as conn:
            while piece := conn.recv(1 << 16):
                conn.sendall(piece)

    def write(conn: ssl.SSLSocket) -> None:
        conn.sendall(bytes(size))

    def read(conn: ssl.SSLSocket) -> None:
        while sum(got) < size and (piece := conn.recv(1 << 16)):
            got.append(len(piece))

    def both() -> None:
        from celadon import green

        with talk.connect() as conn, green.Group() as group:
            tasks = [group.spawn(part, conn) for part in (write, read)]
            for task in tasks:
                task.get()
        assert sum(got) == size

    stage.spawn("echo", echo, expected=(OSError,))
    stage.spawn("both", both, expected=(OSError, AssertionError))

    def check() -> None:
        talk.is_over()
        if stage.ended_by("both") == "value":
            assert sum(got) == size

    return check


@scenario()
def tls_file(stage: Stage) -> Any:
    """A buffered file over it, as `http.client` reads through one."""
    talk = Talk(stage)
    got: list[bytes] = []

    def serve() -> None:
        with talk.accept() as conn, conn.makefile("wb") as file:
            file.write(b"one\ntwo\n")

    def ask() -> None:
        with talk.connect() as conn, conn.makefile("rb") as file:
            got.extend(file)

    stage.spawn("serve", serve, expected=(OSError,))
    stage.spawn("ask", ask, expected=(OSError,))

    def check() -> None:
        talk.is_over()
        assert b"one\ntwo\n".startswith(b"".join(got))

    return check
