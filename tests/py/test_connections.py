"""Connections: keep-alive, pipelining, closing, time limits, floods (CN, CE, SL, T rows)."""

from __future__ import annotations

import os
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext, suppress
from functools import partial
from typing import Any

import pytest
from celadon import green

from tests.support import raw
from tests.support.servers import Running, serving
from tests.support.timing import once_right

TEXT = [("Content-Type", "text/plain")]


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    body = environ["wsgi.input"].read(-1)
    start_response("200 OK", TEXT)
    return [environ["PATH_INFO"].encode() + b":" + body]


@pytest.mark.row("T02", "T12")
def test_cn01_pipelined_requests_are_answered_in_order() -> None:
    """Also thousands, without recursion."""
    count = 10_000
    with serving(echo) as server, server.client() as client:
        data = b"".join(raw.get(f"/{i}") for i in range(count))
        sender = threading.Thread(target=client.send, args=(data,))
        sender.start()
        for i in range(count):
            assert client.response().body == b"/%d:" % i
        sender.join()


@pytest.mark.row("CN05", "T02")
def test_cn01_mixed_pipelined_bodies() -> None:
    """Framing of one request never leaks into the next."""
    chunked = raw.get("/c", "Transfer-Encoding: chunked", method="POST")
    chunked += b"3\r\nabc\r\n0\r\n\r\n"
    data = raw.post("/a", b"12345") + chunked + raw.get("/b") + raw.post("/d", b"")
    with serving(echo) as server, server.client() as client:
        client.send(data * 20)
        for _ in range(20):
            got = [client.response().body for _ in range(4)]
            assert got == [b"/a:12345", b"/c:abc", b"/b:", b"/d:"]


def test_cn01_without_keepalive_a_connection_ends_with_what_is_here() -> None:
    """As in gunicorn, uvicorn and nginx."""
    with serving(echo, keepalive=0) as server:
        with server.client() as client:
            client.send(raw.get("/1"))
            (answer,) = client.responses()
            assert answer.get("Connection") == "close"
        with server.client() as client:
            client.send(raw.get("/1") + raw.get("/2"))
            assert [a.body for a in client.responses()] == [b"/1:", b"/2:"]
        assert server.stats()["timeouts_keepalive"] == 0


def test_cn03_nothing_after_connection_close() -> None:
    with serving(echo) as server, server.client() as client:
        client.send(raw.get("/1", "Connection: close") + raw.get("/2"))
        assert [a.body for a in client.responses()] == [b"/1:"]


def test_cn04_http_1_0() -> None:
    """Kept only with a Content-Length, which the validator's iterator hides."""
    with serving(echo, validate=False) as server:
        with server.client() as client:
            client.send(b"GET / HTTP/1.0\r\n\r\n")
            answer = client.response()
            assert (answer.version, answer.get("Connection")) == ("HTTP/1.1", "close")
            assert client.at_end()
        with server.client() as client:
            for _ in range(2):
                client.send(b"GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n")
                assert client.response().get("Connection") == "keep-alive"


def test_cn14_half_close_is_answered_in_full() -> None:
    body = b"x" * 3_000_000

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", TEXT)
        return [body]

    with serving(app) as server, server.client() as client:
        client.send(raw.get())
        client.shutdown()
        assert client.response().body == body
        assert client.at_end()


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("shielded", [False, True])
def test_cn15_t14_reset_is_noticed_while_the_application_waits(shielded: bool) -> None:
    """It ends where it waits; where it must not, the write raises. The iterable is closed."""
    proceed = threading.Event()
    events: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        write = start_response("200 OK", TEXT)
        try:
            write(b"first")
            with green.shield(60) if shielded else nullcontext():
                while not proceed.is_set():
                    green.sleep(0.005)
                for _ in range(100):
                    write(b"x" * 100_000)
            events.append("all written")
        except BaseException as error:
            events.append(type(error).__name__)
            raise
        yield b"never"

    class Counting:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __iter__(self) -> Any:
            return self.inner

        def close(self) -> None:
            self.inner.close()
            events.append("closed")

    with serving(lambda e, s: Counting(app(e, s)), validate=False) as server:
        client = server.client()
        client.send(raw.get())
        client.read_until(b"first\r\n")
        reset(client.sock)
        found = server.wait_for(lambda s: s["client_gone"] == 1)
        if shielded:
            assert found["in_flight"] == 1
            proceed.set()
        server.wait_for(lambda s: s["in_flight"] == 0)
        how = "ClientDisconnected" if shielded else "GreenletExit"
        assert events == [how, "closed"]
        assert server.stats()["client_gone"] == 1
        assert server.stats()["failed"] == 0


@pytest.mark.row("T28")
def test_ce01_error_answers_survive_unread_input() -> None:
    """No reset destroys the 413 although megabytes are on their way."""
    with serving(echo, limit_request_body=10) as server:
        for _ in range(20):
            with server.client() as client:
                head = raw.get("/", "Content-Length: 200000", method="POST")
                client.send_pieces([head, b"x" * 200_000])
                assert [a.status for a in client.responses()] == [413]


@pytest.mark.parametrize("rest", [b"bad\r\n\r\n", b"X-A: "], ids=["bad", "slow"])
def test_rs07_no_body_follows_a_head_that_is_refused(rest: bytes) -> None:
    """Though it never became a request."""
    with serving(echo, header_timeout=0.1) as server, server.client() as client:
        client.send(b"\r\nHEAD / HTTP/1.1\r\nHost: a\r\n" + rest)
        answer = client.response(head_only=True)
        assert answer.status in (400, 408)
        assert int(answer.get("Content-Length") or 0) > 0
        assert client.at_end()


def test_ce02_linger_is_bounded() -> None:
    """By time, and by bytes."""
    with serving(echo, linger_timeout=0.05) as server, server.client() as client:
        client.send(b"BAD\r\n\r\n")
        assert client.response().status == 400
        server.wait_for(lambda s: s["connections"] == 0)
    with serving(echo, linger_timeout=60, linger_bytes=1000) as server:
        with server.client() as client:
            client.send(b"BAD\r\n\r\n")
            assert client.response().status == 400
            client.send_pieces([b"x" * 500] * 10)
            server.wait_for(lambda s: s["connections"] == 0)


@pytest.mark.row("T11")
def test_ce03_idle_connections_close_silently() -> None:
    """By end of file, and by time."""
    with serving(echo, keepalive=0.3, header_timeout=1) as server:
        with server.client() as client:
            client.shutdown()
            assert client.read_to_end() == b""
        with server.client() as client:  # never sent a byte
            assert client.read_to_end() == b""
        with server.client() as client:
            client.send(raw.get())
            client.response()
            assert client.read_to_end() == b""
        assert server.stats()["rejected"] == 0
        assert server.stats()["timeouts_keepalive"] == 1


def test_sl01_slow_heads_get_408() -> None:
    """Absolute, no byte resets it."""
    with serving(echo, header_timeout=1) as server, server.client() as client:
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.02):
                try:
                    client.sock.sendall(b"X")
                except OSError:
                    return

        client.send(b"GET / HTTP/1.1\r\nX-A: ")
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            assert client.response().status == 408
        finally:
            stop.set()
            thread.join()


def test_t17_keepalive_does_not_limit_bodies() -> None:
    """A body may take longer than the keep-alive time."""
    with (
        serving(echo, keepalive=0.02, body_timeout=5) as server,
        server.client() as client,
    ):
        client.send(raw.get("/", "Content-Length: 4", method="POST"))
        for byte in (b"a", b"b", b"c", b"d"):
            threading.Event().wait(0.02)  # the client's own pace is what is tested
            client.send(byte)
        assert client.response().body == b"/:abcd"


def test_t16_sub_second_and_huge_time_limits() -> None:
    """0.05 is not for ever, a year is not clipped to something short."""
    with serving(echo, keepalive=31_536_000, header_timeout=0.9) as server:
        with server.client() as client:
            client.send(raw.get())
            client.response()
            with server.client() as silent:
                assert silent.read_to_end() == b""
            client.send(raw.get())
            assert client.response().status == 200


def test_t16_lengths_beyond_32_bits() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [*TEXT, ("Content-Length", str(5 << 30))])
        return [environ["CONTENT_LENGTH"].encode()]

    with serving(app, False, limit_request_body=0) as server, server.client() as client:
        client.send(raw.get("/", f"Content-Length: {3 << 30}", method="POST"))
        head = client.read_until(b"\r\n\r\n")
        assert b"Content-Length: %d\r\n" % (5 << 30) in head
        assert client.read_to_end() == str(3 << 30).encode()


def test_t22_answers_do_not_wait_for_acknowledgements() -> None:
    """No Nagle: the option is on at the server's end of a connection."""
    with serving(echo) as server, server.client() as client:
        client.send(raw.get())
        assert client.response().status == 200
        with server.end_of(client) as end:
            assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) > 0


def test_sl03_readers_that_stop_are_reset() -> None:
    """Write_timeout; the buffer stays bounded, others are served."""
    produced = 0

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", TEXT)
        if environ["PATH_INFO"] == "/ok":
            return [b"ok"]

        def generate() -> Iterator[bytes]:
            nonlocal produced
            for _ in range(2000):
                produced += 1
                yield b"x" * 65536

        return generate()

    with (
        serving(app, validate=False, write_timeout=0.2) as server,
        server.client() as client,
    ):
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(raw.get())
        assert server.request(raw.get("/ok")).body == b"ok"
        stats = server.wait_for(lambda s: s["in_flight"] == 0)
        assert stats["timeouts_write"] == 1
        assert produced < 200


SLOWLY_READ = 60_000  # bytes, which the kernel takes at once


def read_slowly(server: Running, piece: int, pace: float, then: bytes = b"") -> bytes:
    """An answer, piece by piece; what follows to `then` is returned."""
    whole = b"x" * SLOWLY_READ
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(server.address)
        sock.settimeout(raw.TIMEOUT)
        sock.sendall(raw.get())
        got = b""
        while not got.endswith(whole):
            data = sock.recv(piece)
            assert data, len(got)
            got += data
            threading.Event().wait(pace)  # nothing is waited for
        if not then:
            return b""
        sock.sendall(then)
        return sock.recv(piece)


def slowly_read(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [*TEXT, ("Content-Length", str(SLOWLY_READ))])
    return [b"x" * SLOWLY_READ]


@pytest.mark.row("C17")
def test_sl03_a_slow_reader_gets_what_the_kernel_holds() -> None:
    """However long it takes: TCP_USER_TIMEOUT would end it, though it reads on."""
    with serving(slowly_read, validate=False, write_timeout=1) as server:
        read_slowly(server, 4096, 0.25)
        assert server.stats()["timeouts_write"] == 0


@pytest.mark.row("D26")
@pytest.mark.parametrize("bind", ["127.0.0.1:0", "unix:@celadon-slow-{pid}"])
def test_sl03_a_file_goes_on_for_who_takes_it_slowly(bind: str) -> None:
    """The kernel asks for more of it when much of what it holds has gone, and that may take
    longer than write_timeout."""
    once_right(partial(_a_file_is_taken_slowly, bind.format(pid=os.getpid())))


def _a_file_is_taken_slowly(bind: str) -> None:
    # In each period more than one piece of a unix socket's buffer, and far less than it
    # asks for more at.
    period, piece, pieces = 1.0, 5000, 20

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        file = tempfile.TemporaryFile()
        file.truncate(50_000_000)
        start_response("200 OK", [*TEXT, ("Content-Length", "50000000")])
        return environ["wsgi.file_wrapper"](file)

    with (
        serving(app, validate=False, bind=bind, write_timeout=period) as server,
        server.client() as client,
    ):
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        client.send(raw.get())
        with suppress(ConnectionResetError):
            for _ in range(3 * pieces):
                client.sock.recv(piece)
                threading.Event().wait(period / pieces)  # nothing is waited for
        assert server.stats()["timeouts_write"] == 0


def test_a_slow_reader_is_not_idle_while_it_takes_its_answer() -> None:
    """What the kernel holds is not with the client yet (http.md 3: end of a response)."""
    once_right(_a_slow_reader_is_kept)


def _a_slow_reader_is_kept() -> None:
    piece, keepalive = 1000, 3.0
    # The whole takes a little longer than keepalive.
    pace = 1.2 * keepalive * piece / SLOWLY_READ
    with serving(slowly_read, validate=False, keepalive=keepalive) as server:
        assert read_slowly(server, piece, pace, then=raw.get())
        assert server.stats()["timeouts_keepalive"] == 0


def test_sl04_the_oldest_idle_connection_makes_room() -> None:
    """New clients are served when all places are taken by idle ones."""
    with serving(echo, worker_connections=4) as server:
        clients = [server.client() for _ in range(10)]
        for client in clients:
            client.send(raw.get())
            assert client.response().status == 200
        assert server.stats()["evicted"] >= 6
        assert clients[0].read_to_end() == b""
        for client in clients:
            client.close()


@pytest.mark.row("D13")
def test_sl04_who_does_not_read_makes_nobody_wait() -> None:
    """The oldest one lacks part of its answer, so that its end takes a while: another one's
    place is there sooner."""
    size = 60_000

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [*TEXT, ("Content-Length", str(size))])
        return [b"x" * size]

    # No place is free again by a limit of time, while anybody here waits for one.
    times = ("header_timeout", "keepalive", "linger_timeout", "linger_total_timeout")
    limits = {"worker_connections": 3, **dict.fromkeys(times, 10 * raw.TIMEOUT)}
    with serving(app, validate=False, **limits) as server, ExitStack() as stack:
        lazy = stack.enter_context(socket.socket())
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.settimeout(raw.TIMEOUT)
        lazy.connect(server.address)
        lazy.sendall(raw.get())
        server.wait_for(lambda s: s["requests"] == 1 and s["in_flight"] == 0)
        idle = stack.enter_context(server.client())
        idle.send(raw.get())
        assert idle.response().status == 200
        _silent, last = (stack.enter_context(server.client()) for _ in range(2))
        last.send(raw.get())
        assert last.response().status == 200
        assert idle.at_end()
        got = b""
        while piece := lazy.recv(4096):
            got += piece
        assert got.endswith(b"x" * size)


def test_worker_connections_busy_ones_make_others_wait() -> None:
    """worker_connections: accepting pauses, the backlog keeps the rest."""
    gate = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"begun "
        yield b"x" * 30_000_000  # stays in the buffer: the connection is busy

    with serving(app, validate=False, worker_connections=2) as server:
        busy = [server.client() for _ in range(2)]
        for client in busy:
            client.send(raw.get())
            client.read_until(b"begun ")
        late = server.client()
        late.send(raw.get())
        gate.wait(0.05)
        assert server.stats()["connections"] == 2
        busy[0].close()
        late.read_until(b"begun ")
        for client in (busy[1], late):
            client.close()


def test_max_concurrent_requests_queue_and_503() -> None:
    """Admission: bounded in flight, bounded queue, 503 with Retry-After."""
    states: list[int] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"begun "
        yield b"x" * 30_000_000

    settings = {"max_concurrent_requests": 1, "queue_depth": 1, "retry_after": 7}
    with serving(app, validate=False, **settings) as server:
        first, second, third = (server.client() for _ in range(3))
        first.send(raw.get())
        first.read_until(b"begun ")
        second.send(raw.get())
        server.wait_for(lambda s: s["queued"] == 1)
        third.send(raw.get())
        answer = third.response()
        states.append(answer.status)
        assert (answer.status, answer.get("Retry-After")) == (503, "7")
        first.close()
        second.read_until(b"begun ")
        second.close()
        third.close()


def test_queue_timeout_is_503() -> None:
    """Admission: the longest wait in the queue."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"begun "
        yield b"x" * 30_000_000

    settings = {"max_concurrent_requests": 1, "queue_timeout": 0.05}
    with serving(app, validate=False, **settings) as server:
        with server.client() as first, server.client() as second:
            first.send(raw.get())
            first.read_until(b"begun ")
            second.send(raw.get())
            assert second.response().status == 503


@pytest.mark.parametrize(
    ("mode", "header", "address"),
    [
        ("v1", b"PROXY TCP4 9.8.7.6 1.2.3.4 11 22\r\n", "9.8.7.6"),
        ("v1", b"PROXY TCP6 2001:db8::1 ::2 11 22\r\n", "2001:db8::1"),
        ("v1", b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (
            "v2",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x09\x08\x07\x06\x01\x02\x03\x04\x00\x0b\x00\x16",
            "9.8.7.6",
        ),
        ("auto", b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00", "127.0.0.1"),
    ],
)
@pytest.mark.row("EN09")
def test_sl10_proxy_protocol(mode: str, header: bytes, address: str) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", TEXT)
        return [environ["REMOTE_ADDR"].encode()]

    with serving(app, proxy_protocol=mode) as server, server.client() as client:
        client.send_pieces([header[:5], header[5:20], header[20:] + raw.get()])
        assert client.response().body.decode() == address
        client.send(raw.get())
        assert client.response().body.decode() == address


@pytest.mark.parametrize(
    "data",
    [
        raw.get(),
        b"PROXY TCP4 1.2.3.4\r\n",
        b"PROXY TCP4 999.1.1.1 1.2.3.4 1 2\r\n",
        b"PROXY " + b"x" * 200,
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\x00\x0c",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
    ],
)
def test_sl10_bad_proxy_headers_close(data: bytes) -> None:
    with serving(echo, proxy_protocol="auto") as server, server.client() as client:
        client.send(data)
        try:
            assert client.read_to_end() == b""
        except ConnectionResetError:
            pass


def test_sl10_untrusted_peers_may_not_use_it() -> None:
    with serving(echo, proxy_protocol="v1", proxy_allow_ips="10.0.0.1") as server:
        with server.client() as client:
            client.send(b"PROXY TCP4 9.8.7.6 1.2.3.4 11 22\r\n" + raw.get())
            try:
                assert client.read_to_end() == b""
            except ConnectionResetError:
                pass


def test_sl07_header_bombs_are_431_and_bodies_are_never_inflated() -> None:
    """By count and by bytes."""
    with serving(echo) as server:
        assert server.request(raw.get("/", *["Cookie: a=b"] * 100)).status == 431
        assert (
            server.request(raw.get("/", *["Cookie: " + "a" * 8000] * 9)).status == 431
        )
        bomb = raw.post("/", b"\x1f\x8b compressed?", "Content-Encoding: gzip")
        assert server.request(bomb).body == b"/:\x1f\x8b compressed?"


@pytest.mark.row("SL08")
def test_refusals_are_logged_once_each_and_limited(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No request byte unescaped, at most ten lines a second."""
    with serving(echo) as server:
        for _ in range(30):
            server.request(b"GET /\x1b[31m HTTP/1.1\r\n\r\n")
        assert server.stats()["rejected"] == 30
    lines = [r for r in caplog.records if "refused a request" in r.getMessage()]
    assert 1 <= len(lines) <= 20
    assert all("\x1b" not in r.getMessage() for r in lines)


@pytest.mark.parametrize("lines", [b"\r\n", b"\r\n\r\n"])
def test_an_empty_line_behind_a_body_begins_no_request(lines: bytes) -> None:
    """RFC 9112 2.2. An answer to it would be taken for that to the next request."""
    limits: dict[str, Any] = {"header_timeout": 0.1, "keepalive": 0.3}
    with serving(echo, **limits) as server, server.client() as client:
        client.send(raw.post("/1", b"abc") + lines)
        assert client.response().body == b"/1:abc"
        assert client.read_to_end() == b""  # it was idle
    with serving(echo) as server, server.client() as client:
        for number in range(5):
            client.send(raw.post(f"/{number}", b"abc") + lines)
            assert client.response().body == b"/%d:abc" % number
        for _ in range(5):
            client.send(b"\r\n")
        assert client.response().status == 400
