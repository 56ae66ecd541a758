"""A socket some of whose bytes were read ahead is, by its methods, one like others."""

from __future__ import annotations

import array
import ctypes
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celadon.serving.read_ahead import Ahead, ReadAheadSocket

from tests.support.raw import TIMEOUT
from tests.support.servers import wait_until

AHEAD, LATER = b"ABC", b"DEFGHI"
PEEK, WAITALL, DONTWAIT = socket.MSG_PEEK, socket.MSG_WAITALL, socket.MSG_DONTWAIT
OOB = socket.MSG_OOB
Pair = tuple[socket.socket, socket.socket]


def pair() -> Pair:
    """Two ends of a connection of TCP, as clients have."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), TIMEOUT)
        server, _ = listener.accept()
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return server, client


@pytest.fixture
def ends() -> Iterator[tuple[ReadAheadSocket, socket.socket]]:
    server, client = pair()
    early = ReadAheadSocket(server.detach(), Ahead(AHEAD))
    with early, client:
        client.sendall(LATER)
        # It is there: what follows needs no wait.
        wait_until(lambda: (early.recv(9, PEEK), len(early.recv(9, PEEK)) == 9))
        yield early, client


def into(name: str, *more: Any, room: int = 4) -> Callable[[socket.socket], Any]:
    """What the method has put into a buffer, and what it returns."""

    def call(sock: socket.socket) -> Any:
        buffer = bytearray(b"-" * room)
        return getattr(sock, name)(buffer, *more), bytes(buffer)

    return call


def scattered(flags: int = 0) -> Callable[[socket.socket], Any]:
    def call(sock: socket.socket) -> Any:
        numbers, letters = array.array("H", [0]), bytearray(b"--")
        buffers: list[Any] = [numbers, bytearray(), letters]
        got = sock.recvmsg_into(iter(buffers), 0, flags)
        return got, numbers.tobytes(), bytes(letters)

    return call


# What each of them gives on a socket that has AHEAD + LATER in the kernel, it gives here.
WHOLE: dict[str, Callable[[socket.socket], Any]] = {
    "peek": lambda s: s.recv(5, PEEK),
    "peek of a part": lambda s: s.recv(2, PEEK),
    "peek at more than there is": lambda s: s.recv(100, PEEK),
    "wait for all": lambda s: s.recv(7, WAITALL),
    "peek at all": lambda s: s.recv(7, WAITALL | PEEK),
    "recvfrom, a part": lambda s: s.recvfrom(2),
    "recvfrom, all": lambda s: s.recvfrom(7, WAITALL),
    "recvmsg, a part": lambda s: s.recvmsg(2, 100),
    "recvmsg, all": lambda s: s.recvmsg(7, 0, WAITALL),
    "recv_into, a part": into("recv_into", 2),
    "recv_into, all": into("recv_into", 0, WAITALL, room=7),
    "recv_into, peek": into("recv_into", 0, PEEK, room=7),
    "recvfrom_into, a part": into("recvfrom_into", 3),
    "recvfrom_into, all": into("recvfrom_into", 7, WAITALL, room=9),
    "recvmsg_into, all": scattered(WAITALL),
    "recvmsg_into, peek": scattered(PEEK),
    "nothing": lambda s: s.recv(0),
    "into no room": into("recv_into", room=0),
    "recvfrom_into no room": into("recvfrom_into", room=0),
    "recvmsg_into no room": lambda s: s.recvmsg_into([bytearray()]),
}


@pytest.mark.parametrize("call", WHOLE.values(), ids=WHOLE)
def test_methods_give_what_the_kernel_would(
    ends: tuple[ReadAheadSocket, socket.socket], call: Callable[[socket.socket], Any]
) -> None:
    early, client = ends
    plain, other = pair()
    with plain, other:
        other.sendall(AHEAD + LATER)
        assert plain.recv(9, PEEK | WAITALL) == AHEAD + LATER
        wanted = call(plain), plain.recv(100)
    client.shutdown(socket.SHUT_WR)
    with early.makefile("rb") as rest:
        assert (call(early), rest.read()) == wanted


SHORT: dict[str, Callable[[socket.socket], Any]] = {
    "recv": lambda s: s.recv(9),
    "recvfrom": lambda s: s.recvfrom(9)[0],
    "recvmsg": lambda s: s.recvmsg(9)[0],
    "recv_into": lambda s: into("recv_into", room=9)(s)[1].rstrip(b"-"),
    "recvfrom_into": lambda s: into("recvfrom_into", room=9)(s)[1].rstrip(b"-"),
    "recv, all of one that does not wait": lambda s: s.recv(9, WAITALL | DONTWAIT),
}


@pytest.mark.parametrize("call", SHORT.values(), ids=SHORT)
def test_a_part_of_what_is_there_is_an_answer(
    ends: tuple[ReadAheadSocket, socket.socket], call: Callable[[socket.socket], Any]
) -> None:
    early, _ = ends
    early.settimeout(0)
    assert (call(early), early.recv(9)) == (AHEAD, LATER)
    with pytest.raises(BlockingIOError):
        call(early)


def error_of(
    call: Callable[[socket.socket], Any], sock: socket.socket
) -> type[Exception] | None:
    try:
        call(sock)
    except Exception as error:
        return type(error)
    return None


WRONG: dict[str, Callable[[Any], Any]] = {
    "a negative size": lambda s: s.recv(-1),
    "recvfrom, a negative size": lambda s: s.recvfrom(-1),
    "recvmsg, a negative size": lambda s: s.recvmsg(-1),
    "into, a negative size": lambda s: s.recv_into(bytearray(4), -1),
    "into too little": lambda s: s.recv_into(bytearray(4), 5),
    "recvfrom_into too little": lambda s: s.recvfrom_into(bytearray(4), 5),
    "into what may not change": lambda s: s.recv_into(b"1234"),
    "recvmsg_into what may not change": lambda s: s.recvmsg_into([bytearray(1), b"1"]),
    "into pieces": lambda s: s.recv_into(memoryview(bytearray(8))[::2]),
    "into nothing of the kind": lambda s: s.recv_into("text"),
    "no number": lambda s: s.recv("1"),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_what_cannot_be_loses_nothing(
    ends: tuple[ReadAheadSocket, socket.socket], call: Callable[[socket.socket], Any]
) -> None:
    early, _ = ends
    plain, other = pair()
    with plain, other:
        other.sendall(AHEAD)
        wanted = error_of(call, plain)
    assert wanted is not None
    assert error_of(call, early) is wanted
    assert early.recv(9, WAITALL) == AHEAD + LATER


def test_buffers_of_any_kind_are_filled(
    ends: tuple[ReadAheadSocket, socket.socket],
) -> None:
    early, _ = ends
    numbers = (ctypes.c_uint16 * 4)()
    assert early.recv_into(numbers) == 3
    assert bytes(numbers)[:4] == AHEAD + b"\0"


def test_a_wait_for_all_that_fails_loses_nothing() -> None:
    server, client = pair()
    hard = b"\1\0\0\0\0\0\0\0"
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, hard)
    client.close()
    with ReadAheadSocket(server.detach(), Ahead(AHEAD)) as early:
        with pytest.raises(ConnectionResetError):
            early.recv(100, WAITALL)
        assert early.recv(100) == AHEAD


def test_urgent_bytes_are_the_kernels(
    ends: tuple[ReadAheadSocket, socket.socket],
) -> None:
    early, client = ends
    client.send(b"!", OOB)

    def urgent() -> tuple[bytes, bool]:
        try:
            found = early.recv(1, OOB)
        except OSError:  # not there yet
            return b"", False
        return found, True

    assert wait_until(urgent) == b"!"
    assert early.recv(9) == AHEAD


def test_the_name_of_who_sends_by_a_unix_socket(tmp_path: Any) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "server"))
        listener.listen()
        for name, wanted in (("client", str(tmp_path / "client")), ("", None)):
            client = socket.socket(socket.AF_UNIX)
            if name:
                client.bind(wanted or "")
            client.connect(listener.getsockname())
            server, _ = listener.accept()
            early = ReadAheadSocket(server.detach(), Ahead(AHEAD))
            with client, early:
                client.sendall(LATER)
                assert early.recvfrom(9) == (AHEAD, wanted)
                assert early.recvfrom(9) == (LATER, wanted)


def test_a_second_one_shares_what_is_ahead(
    ends: tuple[ReadAheadSocket, socket.socket],
) -> None:
    early, _ = ends
    early.settimeout(TIMEOUT)
    with early.dup() as second:
        assert second.gettimeout() == TIMEOUT
        assert second.fileno() != early.fileno()
        assert second.recv(2) + early.recv(9) + second.recv(9) == AHEAD + LATER


def test_once_closed_it_gives_nothing(
    ends: tuple[ReadAheadSocket, socket.socket],
) -> None:
    early, _ = ends
    early.close()
    for call in SHORT.values():
        with pytest.raises(OSError, match="Bad file descriptor"):
            call(early)
    assert early.detach() == -1


def test_what_would_lose_bytes_is_refused(
    ends: tuple[ReadAheadSocket, socket.socket],
) -> None:
    early, _ = ends
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(RuntimeError, match="3 bytes that the client sent early"):
        context.wrap_socket(early, server_side=True, do_handshake_on_connect=False)
    with pytest.raises(RuntimeError, match="receive them before"):
        early.detach()
    assert early.recv(9, WAITALL) == AHEAD + LATER
    wrapped = context.wrap_socket(
        early, server_side=True, do_handshake_on_connect=False
    )
    assert early.fileno() == -1
    wrapped.close()


def test_what_is_sent_and_set_is_the_kernels(
    ends: tuple[ReadAheadSocket, socket.socket], tmp_path: Any
) -> None:
    early, client = ends
    (tmp_path / "file").write_bytes(b"of a file")
    with (tmp_path / "file").open("rb") as file:
        assert early.sendfile(file) == 9
    assert early.sendmsg([b" and", b" more"]) == 9
    assert client.recv(18, WAITALL) == b"of a file and more"
    early.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    assert early.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert early.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 4)[0] == 1
    assert early.recv(9, WAITALL) == AHEAD + LATER
