"""Handshakes that do not come to their end: who speaks something else, who is slow, who leaves.
None of them holds anybody up, and nothing is left of them."""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.machine import program
from tests.support.metrics import value
from tests.support.raw import TIMEOUT, get, post
from tests.support.servers import wait_until
from tests.support.tls import SITE, ByHand, Secure, hello, in_thread

COUNTED = ("--admin-bind", "127.0.0.1:0")
RESET = struct.pack("ii", 1, 0)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(signer: Authority) -> Iterator[Secure]:
    pair = (signer.trusted(), signer.issue())
    with Secure(SITE, *pair, *COUNTED) as command:
        yield command


def handshakes(server: Secure, result: str) -> float:
    """How many came to that."""
    labels = {"result": result, "version": "", "resumed": ""}
    return value(server, "celadon_tls_handshakes_total", **labels)


def counted(server: Secure, result: str, act: Callable[[], object]) -> None:
    """It happens once, and so it is counted."""
    before = handshakes(server, result)
    act()
    wait_until(lambda: (n := handshakes(server, result), n > before))
    assert handshakes(server, result) == before + 1


# --- TL07: other protocols ---


@pytest.mark.parametrize(
    "request_",
    [
        get(),
        get(method="HEAD"),
        get(version="1.0"),
        post("/echo", b"x" * 300_000),
        get("/", "Expect: 100-continue", "Content-Length: 5", method="PUT"),
        get() + get("/second"),
        *(get(method=method) for method in ("DELETE", "OPTIONS", "PATCH", "PROPFIND")),
        b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=[
        *("get", "head", "http-1.0", "post", "expects", "two"),
        *("delete", "options", "patch", "propfind", "connect", "http-2"),
    ],
)
def test_tl07_plain_http_is_told_so_in_the_clear(
    server: Secure, request_: bytes
) -> None:
    def ask() -> None:
        with server.in_clear() as client:
            client.send(request_)
            answer = client.response()
            assert answer.status == 400
            assert b"https" in answer.body
            assert answer.get("Connection") == "close"
            assert client.at_end()

    counted(server, "plain_http", ask)
    assert server.ask()


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_tl07_also_where_it_comes_in_pieces(server: Secure, method: str) -> None:
    with server.in_clear() as client:
        request = get(method=method)
        client.send_pieces(request[i : i + 1] for i in range(len(request)))
        assert client.response().status == 400
        assert client.at_end()


def test_tl07_a_browser_shows_it(server: Secure) -> None:
    done = subprocess.run(
        [
            *(program("curl", "curl"), "-sS", "--noproxy", "*", "-w", "%{http_code}"),
            f"http://127.0.0.1:{server.port}/",
        ],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.stdout.endswith("400"), done.stderr
    assert "https" in done.stdout


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        b"\x00" * 64,
        bytes(range(255, 191, -1)),
        b"\x16\x03\x01\xff\xff" + b"\x00" * 300,
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"\x80\x2e\x01\x00\x02" + b"\x00" * 60,  # of SSL 2
        b"\x15\x03\x01\x00\x02\x02\x28",  # an alert
    ],
    ids=["ssh", "zeros", "noise", "large", "short", "ssl2", "alert"],
)
def test_tl07_who_says_anything_else_gets_no_page(server: Secure, said: bytes) -> None:
    with server.in_clear() as client:
        client.send(said)
        client.shutdown()
        answer = client.read_to_end()
    # Nothing, or an alert that is fatal.
    assert answer == b"" or (len(answer), answer[0], answer[5]) == (7, 0x15, 2)
    assert server.ask()


# --- SL06: slow ones, and many ---


def pieces_of(signer: Authority) -> dict[str, bytes]:
    """As far as somebody may have come, who says no more."""
    whole = hello(signer.trusted())
    return {"nothing": b"", "a byte": whole[:1], "half": whole[:100], "all": whole}


def test_sl06_slow_ones_hold_up_nobody(signer: Authority) -> None:
    with Secure(SITE, signer.trusted(), signer.issue()) as server:
        with server.client() as early, ExitStack() as stack:
            for said in [*pieces_of(signer).values()] * 25:
                stack.enter_context(server.in_clear()).send(said)
            for _ in range(5):
                assert early.ask()
                assert server.ask()


def test_sl06_slow_ones_are_ended_by_their_time_limit(signer: Authority) -> None:
    options = ("--tls-handshake-timeout", "1", *COUNTED)
    with Secure(SITE, signer.trusted(), signer.issue(), *options) as server:
        with ExitStack() as stack:
            slow = []
            for said in [*pieces_of(signer).values()] * 5:
                slow.append(stack.enter_context(server.in_clear()))
                slow[-1].send_pieces([said])  # its time may be over
            for client in slow:
                with suppress(ConnectionResetError):
                    client.read_to_end()  # an answer to what it has said, and no more
            limit = partial(value, server, "celadon_timeouts_total", kind="handshake")
            wait_until(lambda: (n := limit(), n == len(slow)))
        wait_until(lambda: (n := value(server, "celadon_connections"), n == 0))


def test_sl06_so_many_at_a_time(signer: Authority) -> None:
    """Others wait in line, unread, and have their turn when one ends; whoever is through waits
    for nobody."""
    options = ("--tls-handshakes", "2", *COUNTED)
    with Secure(SITE, signer.trusted(), signer.issue(), *options) as server:
        progress = partial(value, server, "celadon_tls_handshakes_in_progress")
        connections = partial(value, server, "celadon_connections")
        whole = hello(signer.trusted())
        with server.client() as through, ExitStack() as stack:
            slow = [stack.enter_context(server.in_clear()) for _ in range(2)]
            for client in slow:
                client.send(whole[:100])
            wait_until(lambda: (n := progress(), n == 2))
            third = stack.enter_context(server.in_clear())
            third.send(whole)
            wait_until(lambda: (n := connections(), n == 4))
            assert through.ask()
            third.sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                third.sock.recv(1)
            third.sock.settimeout(TIMEOUT)
            slow[1].close()
            assert third.read_exactly(1) == b"\x16"  # its part of the handshake
            third.close()
            assert server.ask()
            assert through.ask()


def test_tl07_who_leaves_in_the_midst_of_it_leaves_nothing(signer: Authority) -> None:
    descriptors = Path("/proc/self/fd")
    with in_thread(signer) as server:
        before = len([*descriptors.iterdir()])
        for said in pieces_of(signer).values():
            for resets in (False, True):
                for _ in range(20):
                    with server.in_clear() as client:
                        client.send(said)
                        if resets:
                            option = (socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                            client.sock.setsockopt(*option)
        wait_until(lambda: (s := server.stats(), s["connections"] == 0))
        assert len([*descriptors.iterdir()]) == before
        with server.client() as client:
            assert client.ask()


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_tl07_who_says_goodbye_is_told_so_too(signer: Authority, version: str) -> None:
    """RFC 8446 6.1: else he would not know that nothing is missing."""
    context = signer.trusted()
    context.maximum_version = ssl.TLSVersion[version]
    with in_thread(signer) as server, server.in_clear() as wire:
        client = ByHand(wire, context)
        client.do(client.tls.do_handshake)
        client.do(client.tls.write, get())
        found = b""
        while not found.endswith(b"}"):
            found += client.do(client.tls.read, 65536)
        client.do(client.tls.unwrap)
        # What came was an end of TLS, ahead of that of the connection.
        with pytest.raises(ssl.SSLZeroReturnError):
            client.tls.read(1)
        assert wire.read_to_end() == b""


def test_tl07_who_leaves_behind_it_is_noticed(signer: Authority) -> None:
    """Whether he says so, or goes without a word."""
    with in_thread(signer) as server:
        for how in ("goodbye", "end", "reset"):
            with server.client() as client:
                assert client.ask()
                if how == "goodbye":
                    client.sock.unwrap().close()
                elif how == "reset":
                    option = (socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    client.sock.setsockopt(*option)
            wait_until(lambda: (s := server.stats(), s["connections"] == 0))


def test_tl01_what_handshakes_come_to_is_counted(
    server: Secure, signer: Authority
) -> None:
    def of(version: str, resumed: str) -> float:
        labels = {"result": "ok", "version": version, "resumed": resumed}
        return value(server, "celadon_tls_handshakes_total", **labels)

    old, new = signer.trusted(), signer.trusted()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    for context, version in ((old, "TLSv1.2"), (new, "TLSv1.3")):
        before = [of(version, resumed) for resumed in ("false", "true")]
        with server.client(context) as client:
            assert client.ask()
            session = client.sock.session
        for _ in range(2):
            with server.client(context, session=session) as client:
                assert client.ask()
        after = [of(version, resumed) for resumed in ("false", "true")]
        assert [b - a for a, b in zip(before, after, strict=True)] == [1, 2]

    def refuse() -> None:
        other = ssl.create_default_context()  # which does not know who has signed
        with pytest.raises(ssl.SSLCertVerificationError):
            server.client(other)

    counted(server, "refused", refuse)
