"""wsgi.input, and bodies that do not come in well."""

from __future__ import annotations

import array
import fcntl
import hashlib
import os
import re
import select
import socket
import termios
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from celadon import green

from tests.support import raw
from tests.support.servers import can_leave_memory, drop_from_memory, serving
from tests.support.timing import once_right

BODY = b"first\nsecond\n\nlast without end"


def run_on_body(
    use: Any, body: bytes = BODY, chunked: bool = False, **settings: Any
) -> Any:
    """What `use(wsgi.input)` returns for one POST; validated where `read` has arguments."""
    results: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        results.append(use(environ["wsgi.input"]))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    if chunked:
        data = raw.get("/", "Transfer-Encoding: chunked", method="POST")
        for at in range(0, len(body), 7):
            piece = body[at : at + 7]
            data += b"%x\r\n%b\r\n" % (len(piece), piece)
        data += b"0\r\n\r\n"
    else:
        data = raw.post("/", body)
    with serving(app, validate=False, **settings) as server:
        assert server.request(data).status == 200
    return results[0]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("buffering", [False, True])
@pytest.mark.row("IN01", "T34")
class TestReading:
    """Each way to read, for every size."""

    @pytest.mark.parametrize("size", [-1, None, 2**62, 2**70, -(2**70)])
    def test_read_everything(self, chunked: bool, buffering: bool, size: Any) -> None:
        use = lambda stream: (stream.read(size), stream.read(size), stream.read())  # noqa: E731
        got = run_on_body(use, chunked=chunked, request_buffering=buffering)
        assert got == (BODY, b"", b"")

    def test_read_in_pieces(self, chunked: bool, buffering: bool) -> None:
        def use(stream: Any) -> list[bytes]:
            return [stream.read(0), stream.read(4), stream.read(100), stream.read(1)]

        got = run_on_body(use, chunked=chunked, request_buffering=buffering)
        assert got == [b"", BODY[:4], BODY[4:], b""]

    def test_readline(self, chunked: bool, buffering: bool) -> None:
        def use(stream: Any) -> list[bytes]:
            sizes = [3, None, -1, 0, 100, 4, -1, 5]
            return [stream.readline(size) for size in sizes]

        got = run_on_body(use, chunked=chunked, request_buffering=buffering)
        assert got == [
            b"fir",
            b"st\n",
            b"second\n",
            b"",
            b"\n",
            b"last",
            b" without end",
            b"",
        ]

    def test_readlines_and_iteration(self, chunked: bool, buffering: bool) -> None:
        lines = BODY.splitlines(keepends=True)
        settings = {"chunked": chunked, "request_buffering": buffering}
        assert run_on_body(lambda s: s.readlines(), **settings) == lines
        assert run_on_body(lambda s: s.readlines(7), **settings) == lines[:2]
        assert run_on_body(list, **settings) == lines


def test_in01_bad_arguments() -> None:
    def use(stream: Any) -> list[str]:
        found = []
        for call in (lambda: stream.read("x"), lambda: stream.read(1, 2)):
            try:
                call()
            except TypeError as error:
                found.append(type(error).__name__)
        return found

    assert run_on_body(use) == ["TypeError", "TypeError"]


@pytest.mark.parametrize("buffering", [False, True])
@pytest.mark.row("T20")
def test_in02_large_bodies_stream_or_spool(buffering: bool, tmp_path: Any) -> None:
    """10 MB arrives whole, and leaves no file behind."""
    body = os.urandom(10 << 20)

    def use(stream: Any) -> str:
        digest = hashlib.sha256()
        while piece := stream.read(70_001):
            digest.update(piece)
        return digest.hexdigest()

    got = run_on_body(
        use, body, request_buffering=buffering, tmp_upload_dir=str(tmp_path)
    )
    assert got == hashlib.sha256(body).hexdigest()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("way", ["read", "lines", "spawned"])
def test_a_spooled_body_that_left_memory_is_read_off_the_loop(
    way: str, tmp_path: Any
) -> None:
    """Design §9, cold files: a pool thread waits for the disk, not the loop. (A look that
    does not wait starts to read, which may be over before it ends.)"""
    once_right(lambda: _is_read_off_the_loop(way, tmp_path))


def _is_read_off_the_loop(way: str, folder: Path) -> None:
    body = b"".join(b"%d\n" % number for number in range(200_000))

    def use(stream: Any) -> tuple[bool, set[str], bytes]:
        [spool] = [
            int(fd.name)
            for fd in Path("/proc/self/fd").iterdir()
            if fd.is_symlink() and str(folder) in str(fd.readlink())
        ]
        cold = drop_from_memory(spool)
        threads = set(os.listdir("/proc/self/task"))
        if way == "spawned":
            got = green.spawn(stream.read).get()
        else:
            got = stream.read() if way == "read" else b"".join(stream)
        return cold, set(os.listdir("/proc/self/task")) - threads, got

    cold, started, got = run_on_body(
        use, body, request_buffering=True, tmp_upload_dir=str(folder)
    )
    assert got == body
    assert cold == can_leave_memory(folder)
    # A spawned greenlet may outlive the request, so it does not let go of the body.
    assert bool(started) == (cold and way != "spawned")


def test_in02_the_application_starts_at_the_head_and_reading_stops_at_the_buffer() -> (
    None
):
    """No more than the buffer is taken from the socket while nobody reads."""
    total = 32 << 20
    started: list[str] = []
    go = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        started.append(environ["CONTENT_LENGTH"])
        while not go.is_set():
            green.sleep(0.005)
        size = sum(
            len(piece) for piece in iter(lambda: environ["wsgi.input"].read(8192), b"")
        )
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"%d" % size]

    with serving(app) as server, server.client() as client:
        client.send(raw.get("/", f"Content-Length: {total}", method="POST"))
        server.wait_for(lambda s: s["in_flight"] == 1)
        assert started == [str(total)]
        with server.end_of(client) as end:
            sent = send_until_full(client.sock, total)
            assert (
                sent - unread(end) < 300_000
            )  # the buffer, one read, what is on its way
        go.set()
        client.send(b"x" * (total - sent))
        assert client.response().body == b"%d" % total


def send_until_full(sock: socket.socket, most: int) -> int:
    """Sends as much as the kernel takes; returns how much."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    sent = 0
    while sent < most and select.select([], [sock], [], 0.1)[1]:
        sent += sock.send(b"x" * 16384, socket.MSG_DONTWAIT)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    return sent


def unread(sock: socket.socket) -> int:
    """Bytes that the kernel has for it."""
    count = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, count)
    return count[0]


def test_what_comes_after_the_answer_is_read_by_close() -> None:
    """Whole, while the application has the request."""
    read: list[bytes] = []

    class Answer:
        def __init__(self, stream: Any) -> None:
            self.stream = stream

        def __iter__(self) -> Any:
            return iter([b"ack"])

        def close(self) -> None:
            read.append(self.stream.read())

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "3")])
        return Answer(environ["wsgi.input"])

    for body in (b"y" * 1000, b"z" * 500_000):
        with serving(app, validate=False) as server, server.client() as client:
            client.send(raw.get("/", f"Content-Length: {len(body)}", method="POST"))
            client.send(body[:100])
            assert client.response().body == b"ack"
            client.send(body[100:])
            server.wait_for(lambda s: s["in_flight"] == 0)
        assert read.pop() == body


@pytest.mark.parametrize("buffering", [False, True])
@pytest.mark.parametrize("way", ["read", "lines"])
def test_a_native_thread_reads_what_comes_later(way: str, buffering: bool) -> None:
    """It waits for it as any other does, whatever is there by then."""
    reading = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        stream = environ["wsgi.input"]

        def read() -> bytes:
            first: bytes = stream.readline()
            reading.set()
            rest: bytes = stream.read() if way == "read" else b"".join(stream)
            return first + rest

        body = green.offload(read)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body]

    body = (b"x" * 499 + b"\n") * 400
    with serving(app, validate=False, request_buffering=buffering) as server:
        with server.client() as client:
            client.send(raw.get("/", f"Content-Length: {len(body)}", method="POST"))
            client.send(body[:1000])
            if not buffering:
                assert reading.wait(raw.TIMEOUT)
            client.send(body[1000:])
            assert client.response().body == body


def collect_failure(send: Any, **settings: Any) -> tuple[list[Any], Any]:
    """What reads give for a body that breaks, and the answer, if one came."""
    seen: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            while True:
                piece = environ["wsgi.input"].read(5)
                seen.append(piece)
                if not piece:
                    break
        except OSError as error:
            seen.append(type(error).__name__)
            raise
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    with serving(app, **settings) as server, server.client() as client:
        send(client)
        try:
            answer = client.response()
        except EOFError:
            answer = None
    return seen, answer


def test_cl06_in03_cut_body_raises() -> None:
    """What came is given out, the next read raises, never an empty end."""

    def send(client: raw.Client) -> None:
        client.send(raw.get("/", "Content-Length: 10", method="POST") + b"hello")
        client.shutdown()

    seen, answer = collect_failure(send)
    assert seen == [b"hello", "ClientDisconnected"]
    assert answer.status == 400


def test_ch09_cut_chunked_body_raises() -> None:

    def send(client: raw.Client) -> None:
        head = raw.get("/", "Transfer-Encoding: chunked", method="POST")
        client.send(head + b"5\r\nhello\r\n0\r\n")
        client.shutdown()

    seen, answer = collect_failure(send)
    assert seen == [b"hello", "ClientDisconnected"]
    assert answer.status == 400


def test_sl02_a_body_that_stands_still_is_408() -> None:

    def send(client: raw.Client) -> None:
        client.send(raw.get("/", "Content-Length: 10", method="POST") + b"hello")

    seen, answer = collect_failure(send, body_timeout=0.05)
    assert seen == [b"hello", "BodyError"]
    assert answer.status == 408
    assert answer.get("Connection") == "close"


@pytest.mark.parametrize("rate", [0, 1000])
def test_sl02_a_body_must_keep_its_rate(rate: int) -> None:
    """A byte now and then is enough without `body_min_rate`, and too slow with it."""

    def send(client: raw.Client) -> None:
        client.send(raw.get("/", "Content-Length: 7", method="POST"))
        for _ in range(7):  # over more than a period
            client.send_pieces([b"x"])
            threading.Event().wait(0.5)  # the client's own pace is what is tested

    seen, answer = collect_failure(send, body_timeout=2, body_min_rate=rate)
    assert answer.status == (408 if rate else 200)
    assert seen[-1] == ("BodyError" if rate else b"")


@pytest.mark.row("T38")
def test_cl07_chunked_body_is_cut_at_the_limit() -> None:
    """The limit holds for the sum of the chunks."""

    head = raw.get("/", "Transfer-Encoding: chunked", method="POST")
    chunk = b"5\r\nhello\r\n"
    # All at once it is refused before the application starts.
    seen, answer = collect_failure(
        lambda client: client.send(head + chunk * 3 + b"0\r\n\r\n"),
        limit_request_body=10,
    )
    assert (seen, answer.status) == ([], 413)

    def send(client: raw.Client) -> None:
        client.send(head + chunk)
        assert started.wait(raw.TIMEOUT)
        client.send(chunk * 2)

    started = threading.Event()
    late: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        late.append(environ["wsgi.input"].read(5))
        started.set()
        try:
            late.append(environ["wsgi.input"].read(20))
            late.append(environ["wsgi.input"].read(20))
        except OSError as error:
            late.append(type(error).__name__)
            raise
        return []

    with serving(app, limit_request_body=10) as server, server.client() as client:
        send(client)
        assert client.response().status == 413
    assert late[0] == b"hello"
    assert late[-1] == "BodyError"


def test_cl07_expect_gets_no_100_when_the_body_is_too_large() -> None:

    def send(client: raw.Client) -> None:
        client.send(
            raw.get("/", "Content-Length: 11", "Expect: 100-continue", method="POST")
        )

    seen, answer = collect_failure(send, limit_request_body=10)
    assert (seen, answer.status) == ([], 413)


def test_cn09_continue_comes_with_the_first_read() -> None:
    """One 100, when the application reads."""
    answers = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = b""
        if environ["PATH_INFO"] == "/read":
            body = environ["wsgi.input"].read(2) + environ["wsgi.input"].read(3)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body]

    with serving(app) as server:
        with server.client() as client:
            client.send(
                raw.get(
                    "/read", "Content-Length: 5", "expect: 100-Continue", method="POST"
                )
            )
            answers.append(client.any_response())
            client.send(b"hello")
            answers.append(client.any_response())
            assert [a.status for a in answers] == [100, 200]
            assert answers[1].body == b"hello"
        with server.client() as client:
            client.send(
                raw.get(
                    "/no", "Content-Length: 5", "Expect: 100-continue", method="POST"
                )
            )
            answer = client.any_response()
            assert (answer.status, answer.get("Connection")) == (200, "close")
        with server.client() as client:
            client.send(
                b"POST /no HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello"
            )
            assert client.any_response().status == 200


@pytest.mark.parametrize("buffering", [False, True])
@pytest.mark.row("C08", "CN09")
def test_the_clock_of_a_body_begins_when_the_client_could_be_told(
    buffering: bool,
) -> None:
    """What tells it to send waits behind an answer that it has not read."""
    once_right(partial(_is_told_late, buffering))


def _is_told_late(buffering: bool) -> None:
    size, time_limit = 8_000_000, 0.5  # more than the kernel takes for both sides

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read() or bytes(size)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body]

    settings = {"body_timeout": time_limit, "request_buffering": buffering}
    with (
        serving(app, validate=False, response_buffer=2 * size, **settings) as server,
        server.client() as client,
    ):
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        post = raw.get("/", "Content-Length: 5", "Expect: 100-continue", method="POST")
        client.send(raw.get() + post)
        threading.Event().wait(3 * time_limit)  # nothing is waited for
        assert len(client.any_response().body) == size
        assert client.any_response().status == 100
        client.send(b"hello")
        answer = client.any_response()
        assert (answer.status, answer.body) == (200, b"hello")


@pytest.mark.parametrize("size", [5, 60_000, 500_000])
@pytest.mark.row("T28")
def test_cn07_answer_without_reading_the_body(size: int) -> None:
    """A small rest is drained, a large one closes; never parsed as a request."""
    paths: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        paths.append(environ["PATH_INFO"])
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"answer"]

    with serving(app) as server, server.client() as client:
        client.send(raw.get("/1", f"Content-Length: {size}", method="POST"))
        first = client.response()
        assert first.body == b"answer"
        if size <= 65536:
            client.send(
                b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n".ljust(size, b"x")[:size]
            )
            client.send(raw.get("/2"))
            assert client.response().status == 200
            assert paths == ["/1", "/2"]
        else:
            assert first.get("Connection") == "close"
            client.send_pieces([raw.get("/evil")] * 10)
            assert client.at_end()
            assert paths == ["/1"]


@pytest.mark.row("T37")
def test_ch11_many_small_chunks() -> None:
    """A chunk per byte is fine."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        total = sum(len(p) for p in iter(lambda: environ["wsgi.input"].read(4096), b""))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"%d" % total]

    def seconds(count: int) -> float:
        """Of CPU."""
        data = b"1\r\nx\r\n" * count + b"0\r\n\r\n"
        with serving(app) as server, server.client() as client:
            began = time.process_time()
            client.send(raw.get("/", "Transfer-Encoding: chunked", method="POST"))
            client.send(data)
            assert client.response().body == b"%d" % count
            return time.process_time() - began

    # Were it the square, it would be a hundred times as much.
    assert seconds(1_000_000) < 25 * seconds(100_000)


def test_small_chunks_are_gathered_before_they_are_stored() -> None:
    """A body that goes to disk costs no write per chunk."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode()]

    def writes() -> int:
        found = re.search(r"syscw: (\d+)", Path("/proc/self/io").read_text())
        assert found
        return int(found[1])

    count = 50_000
    first = b"A" * 200_000
    data = b"%x\r\n%b\r\n" % (len(first), first) + b"1\r\nx\r\n" * count
    with serving(app, validate=False, request_buffering=True) as server:
        before = writes()
        head = raw.get("/", "Transfer-Encoding: chunked", method="POST")
        answer = server.request(head + data + b"0\r\n\r\n")
        assert writes() - before < count / 10
    assert answer.body.decode() == hashlib.sha256(first + b"x" * count).hexdigest()


@pytest.mark.row("T15")
def test_t13_input_is_cut_off_when_its_request_ends() -> None:
    """A kept input never reads another request's body."""
    kept: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        kept.append(environ["wsgi.input"])
        start_response("200 OK", [("Content-Type", "text/plain")])
        if len(kept) == 1:
            return [b"first"]
        try:
            kept[0].read()
        except ValueError:
            return [b"refused"]
        return [b"leaked"]

    with serving(app, validate=False) as server, server.client() as client:
        client.send(raw.post("/", b"one"))
        client.response()
        client.send(raw.post("/", b"two"))
        assert client.response().body == b"refused"


def test_spool_failure_is_500_and_the_server_lives(tmp_path: Path) -> None:
    """A body that cannot be stored."""
    folder = tmp_path / "bodies"
    folder.mkdir()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    with serving(app, request_buffering=True, tmp_upload_dir=str(folder)) as server:
        folder.rmdir()
        assert server.request(raw.post("/", b"x" * 200_000)).status == 500
        assert server.request(raw.get("/")).status == 200


def test_what_is_read_of_a_body_is_not_kept() -> None:
    """Though its reader never catches up."""
    size = 64 << 20

    def peak() -> int:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) << 10

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        stream, got = environ["wsgi.input"], 0
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins again
        before = peak()
        while piece := stream.read(8000):
            got += len(piece)
            if got // 8000 % 4 == 0:
                green.sleep(0.0005)  # meanwhile more comes than was taken
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{got} {peak() - before}".encode()]

    with serving(app, validate=False) as server, server.client() as client:
        block = b"x" * (1 << 20)
        head = raw.get("/", f"Content-Length: {size}", method="POST")
        client.send_pieces([head, *[block] * (size >> 20)])
        got, grown = client.response().body.split()
        assert int(got) == size
        assert int(grown) < size / 4
