"""Sockets and pipes: who is stopped has sent or received, or has not; who goes on is served."""

from __future__ import annotations

import os
import select
import selectors
import socket
from typing import Any

from celadon.testing import Stage

from tests.explorer.catalogue import scenario


def pair(stage: Stage, timeout: float | None = None) -> tuple[Any, Any]:
    left, right = socket.socketpair()
    left.settimeout(timeout)
    right.settimeout(timeout)
    stage.at_end(left.close)
    stage.at_end(right.close)
    return left, right


@scenario()
def recv_and_send(stage: Stage) -> Any:
    left, right = pair(stage, 5)
    got: list[bytes] = []

    def receive() -> None:
        got.append(left.recv(10))

    def send() -> None:
        right.sendall(b"abc")

    stage.spawn("recv", receive, expected=(TimeoutError,))
    stage.spawn("send", send, expected=(OSError,))
    stage.deliver("the peer leaves", right.close)

    def check() -> None:
        assert got in ([], [b"abc"], [b""])

    return check


@scenario()
def two_who_receive(stage: Stage) -> Any:
    """Each message has one receiver, and those who were stopped have none."""
    left, right = pair(stage, 5)
    got: list[bytes] = []

    def receive() -> None:
        got.append(left.recv(1))

    stage.spawn("a", receive, expected=(TimeoutError,))
    stage.spawn("b", receive, expected=(TimeoutError,))
    stage.spawn("send", right.sendall, b"12")

    def check() -> None:
        right.sendall(b"3")
        right.shutdown(socket.SHUT_WR)
        rest = b""
        while piece := left.recv(10):
            rest += piece
        sent = b"123" if stage.ended_by("send") == "value" else b"3"
        assert b"".join(got) + rest == sent

    return check


@scenario()
def send_that_waits_for_room(stage: Stage) -> Any:
    left, right = pair(stage, 5)
    right.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    got: list[int] = []

    def receive() -> None:
        while piece := left.recv(1 << 16):
            got.append(len(piece))

    def send() -> None:
        try:
            right.sendall(bytes(100_000))
        finally:
            right.shutdown(socket.SHUT_WR)

    stage.spawn("send", send, expected=(TimeoutError,))
    stage.spawn("recv", receive, deliver=(), expected=(TimeoutError,))

    def check() -> None:
        whole = stage.ended_by("send") == stage.ended_by("recv") == "value"
        assert (sum(got) == 100_000) if whole else sum(got) <= 100_000

    return check


@scenario()
def recv_with_a_time_limit(stage: Stage) -> Any:
    left, right = pair(stage, 1)

    def send() -> None:
        right.sendall(b"x")

    stage.spawn("recv", left.recv, 10, expected=(TimeoutError,))
    stage.spawn("send", send)

    def check() -> None:
        right.sendall(b"y")
        assert left.recv(10) in (b"y", b"xy")

    return check


@scenario()
def close_while_others_wait(stage: Stage) -> Any:
    left, right = pair(stage, 5)
    gone = (OSError,)
    stage.spawn("a", left.recv, 1, expected=gone)
    stage.spawn("b", left.recv, 1, expected=gone)
    stage.spawn("closer", left.close)
    stage.deliver("the peer leaves", right.close)
    return None


@scenario()
def accept_and_connect(stage: Stage) -> Any:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5)
    stage.at_end(listener.close)
    address = listener.getsockname()

    def accept() -> None:
        conn, _ = listener.accept()
        with conn:
            conn.sendall(b"hello")

    def connect() -> None:
        with socket.create_connection(address, timeout=5) as client:
            assert client.recv(10) in (b"hello", b"")

    stage.spawn("accept", accept, expected=(OSError,))
    stage.spawn("connect", connect, expected=(OSError,))

    def check() -> None:
        with socket.create_connection(address, timeout=1):
            listener.accept()[0].close()

    return check


@scenario()
def pipe(stage: Stage) -> Any:
    end, start = os.pipe()
    got: list[bytes] = []

    def close() -> None:
        for fd in (end, start):
            try:
                os.close(fd)
            except OSError:
                pass

    stage.at_end(close)
    stage.spawn("read", lambda: got.append(os.read(end, 10)))
    stage.spawn("write", os.write, start, b"abc", deliver=())

    def check() -> None:
        os.write(start, b"d")
        assert b"".join(got) + os.read(end, 10) in (b"d", b"abcd")

    return check


def _waits(stage: Stage, wait: Any) -> Any:
    """Two ask the kernel for the same descriptor; both are told, or stopped."""
    left, right = pair(stage)
    seen: list[str] = []

    def look(name: str) -> None:
        while not wait(left):
            pass  # the time was over
        seen.append(name)

    for name in "ab":
        stage.spawn(name, look, name)
    stage.spawn("send", right.sendall, b"x", deliver=())

    def check() -> None:
        assert wait(left)
        for name in "ab":
            assert (name in seen) == (stage.ended_by(name) == "value")
        assert left.recv(10) == b"x"

    return check


@scenario()
def select_of_two(stage: Stage) -> Any:
    return _waits(stage, lambda sock: select.select([sock], [], [], 5)[0])


@scenario()
def poll_of_two(stage: Stage) -> Any:
    def wait(sock: Any) -> Any:
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return poll.poll(5000)

    return _waits(stage, wait)


@scenario()
def selector_of_two(stage: Stage) -> Any:
    def wait(sock: Any) -> Any:
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ)
            return selector.select(5)

    return _waits(stage, wait)


@scenario()
def file_of_a_socket(stage: Stage) -> Any:
    """A line is read whole, or by the next one."""
    left, right = pair(stage, 5)
    file = left.makefile("rb")
    stage.at_end(file.close)
    got: list[bytes] = []

    def read() -> None:
        got.append(file.readline())

    def send() -> None:
        right.sendall(b"one\ntwo\n")

    stage.spawn("read", read, expected=(OSError,))
    stage.spawn("send", send, expected=(OSError,))

    def check() -> None:
        assert got in ([], [b"one\n"])

    return check
