"""Files that are sent: wsgi.file_wrapper, and what is no plain file."""

from __future__ import annotations

import io
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celadon import green

from tests.support import raw
from tests.support.raw import TIMEOUT
from tests.support.servers import Command, can_leave_memory, drop_from_memory, serving
from tests.support.timing import once_right

TEXT = [("Content-Type", "text/plain")]
App = Callable[[dict[str, Any], Any], Any]


def answer_of(app: App, data: bytes = raw.get()) -> raw.Response:
    with serving(app, validate=False) as server:
        return server.request(data)


@pytest.fixture
def path(tmp_path: Any) -> Any:
    target = tmp_path / "file.bin"
    target.write_bytes(os.urandom(3 << 20))
    return target


def file_app(
    open_file: Callable[[], Any], headers: Any = TEXT, wrap: Any = None
) -> App:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", headers)
        result = environ["wsgi.file_wrapper"](open_file(), 8192)
        return wrap(result) if wrap else result

    return app


def test_fw01_fw03_a_file_is_sent_and_closed(path: Any) -> None:
    opened: list[Any] = []

    def open_file() -> Any:
        opened.append(path.open("rb"))
        return opened[-1]

    answer = answer_of(file_app(open_file))
    assert answer.body == path.read_bytes()
    assert answer.get("Content-Length") == str(3 << 20)
    assert opened[0].closed


def test_fw03_a_file_that_is_not_in_memory_is_read_off_the_loop(path: Any) -> None:
    """Design §9: a pool thread waits for the disk, not the loop. (A look that does not
    wait starts to read, which may be over before it ends.)"""
    once_right(lambda: _is_read_off_the_loop(path))


def test_g15_so_is_one_of_which_the_first_page_is_in_memory(path: Any) -> None:
    path.write_bytes(os.urandom(512 << 10))
    once_right(lambda: _is_read_off_the_loop(path, but=1))


def _is_read_off_the_loop(path: Any, but: int = 0) -> None:
    found: list[Any] = []

    def open_file() -> Any:
        file = path.open("rb")
        found.append(drop_from_memory(file.fileno()))
        if but:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
            os.pread(file.fileno(), but, 0)
        found.append(set(os.listdir("/proc/self/task")))
        return file

    app = file_app(open_file)
    with serving(app, validate=False) as server:
        assert server.request(raw.get("/")).body == path.read_bytes()
        cold, before = found
        assert cold == can_leave_memory(path)  # somebody's hand may lie on a page
        assert bool(set(os.listdir("/proc/self/task")) - before) == cold


@pytest.mark.row("T33")
def test_fw01_through_middleware_it_is_an_iterator(path: Any) -> None:

    def flip(result: Any) -> Iterator[bytes]:
        try:
            for piece in result:
                yield bytes(b ^ 1 for b in piece)
        finally:
            result.close()

    answer = answer_of(file_app(lambda: path.open("rb"), wrap=flip))
    assert answer.body == bytes(b ^ 1 for b in path.read_bytes())


@pytest.mark.row("T07")
def test_fw02_position_and_length_are_respected(path: Any) -> None:

    def at(offset: int) -> Any:
        stream = path.open("rb")
        stream.read(10)  # fills the buffer: the descriptor is ahead of the position
        stream.seek(offset)
        return stream

    data = path.read_bytes()
    assert answer_of(file_app(lambda: at(1000))).body == data[1000:]
    headers = [*TEXT, ("Content-Length", "50")]
    assert answer_of(file_app(lambda: at(7), headers)).body == data[7:57]


def test_fw02_objects_without_a_descriptor_are_read() -> None:
    answer = answer_of(file_app(lambda: io.BytesIO(b"x" * 20_000)))
    assert (len(answer.body), answer.get("Transfer-Encoding")) == (20_000, "chunked")
    read, write = os.pipe()
    os.write(write, b"through a pipe")
    os.close(write)
    answer = answer_of(file_app(lambda: os.fdopen(read, "rb")))
    assert answer.body == b"through a pipe"


def test_fw02_a_descriptor_that_is_not_the_data_is_not_used(tmp_path: Any) -> None:
    """A gzip member has a descriptor, of the compressed bytes."""
    import gzip

    target = tmp_path / "a.gz"
    target.write_bytes(gzip.compress(b"plain text " * 100))
    answer = answer_of(file_app(lambda: gzip.open(target)))
    assert answer.body == b"plain text " * 100


@pytest.mark.row("T07")
def test_fw03_file_shorter_than_announced_aborts(path: Any) -> None:
    """No spin, no complete-looking answer."""
    headers = [*TEXT, ("Content-Length", str((3 << 20) + 1))]
    with serving(file_app(lambda: path.open("rb"), headers), validate=False) as server:
        with server.client() as client, pytest.raises((EOFError, ConnectionResetError)):
            client.send(raw.get())
            client.response()
        server.wait_for(lambda s: s["in_flight"] == 0)


@pytest.mark.parametrize(
    "name", ["/proc/self/status", "/sys/devices/system/cpu/possible"]
)
def test_fw02_files_whose_size_says_nothing_are_read(name: str) -> None:
    answer = answer_of(file_app(lambda: open(name, "rb")))
    with open(name, "rb") as file:
        assert answer.body.split(b"\t")[0] == file.read().split(b"\t")[0]


@pytest.mark.row("RS07")
def test_fw01_head_sends_no_bytes(path: Any) -> None:
    with (
        serving(file_app(lambda: path.open("rb")), False) as server,
        server.client() as client,
    ):
        client.send(raw.get(method="HEAD") + raw.get("/2"))
        assert client.response(head_only=True).get("Content-Length") == str(3 << 20)
        assert len(client.response().body) == 3 << 20


FORGED = b"0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nEVIL!"


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_fw01_a_file_behind_write_is_framed_as_that(
    tmp_path: Any, version: str
) -> None:
    """What a file has in it is nobody's answer."""
    target = tmp_path / "uploaded"
    target.write_bytes(FORGED)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", TEXT)(b"hello")
        return environ["wsgi.file_wrapper"](target.open("rb"))

    asked = raw.get().replace(b"HTTP/1.1", version.encode())
    with serving(app, validate=False) as server, server.client() as client:
        client.send(asked)
        assert client.response().body == b"hello" + FORGED
        if version == "HTTP/1.1":
            client.send(raw.get("/second"))
            assert client.response().body == b"hello" + FORGED
        else:
            assert client.read_to_end() == b""


@pytest.mark.parametrize("length", ["29", "7"])
def test_fw02_a_file_behind_write_has_the_rest_of_the_length(
    path: Any, length: str
) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [*TEXT, ("Content-Length", length)])(b"hello")
        return environ["wsgi.file_wrapper"](path.open("rb"))

    begin = path.read_bytes()[: int(length) - 5]
    assert answer_of(app).body == b"hello" + begin


class Storage:
    """A file behind one that gives other bytes."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def read(self, size: int = -1) -> bytes:
        return bytes(self.file.read(size).upper())

    def close(self) -> None:
        self.file.close()


def test_fw02_what_is_read_is_sent_not_the_file_behind_it(tmp_path: Any) -> None:
    target = tmp_path / "secret"
    target.write_bytes(b"raw bytes" * 1000)
    answer = answer_of(file_app(lambda: Storage(target.open("rb"))))
    assert answer.body == b"RAW BYTES" * 1000


def test_fw02_a_file_of_tempfile_is_a_file() -> None:
    def temporary() -> Any:
        file = tempfile.NamedTemporaryFile()
        file.write(b"kept by name")
        file.seek(5)
        return file

    answer = answer_of(file_app(temporary))
    assert (answer.body, answer.get("Content-Length")) == (b"by name", "7")


BROKEN = """
import signal, threading
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/": return [b"alive"]
    return environ["wsgi.file_wrapper"](open(environ["PATH_INFO"], "rb"))
"""


def test_a_client_that_leaves_a_file_ends_no_worker(tmp_path: Any) -> None:
    """Though the application asks for the default of SIGPIPE."""
    (tmp_path / "broken.py").write_text(BROKEN)
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(64 << 20)
    with Command("broken:app", "--workers", "1", cwd=tmp_path) as server:
        for _ in range(5):
            with server.client() as client:
                client.send(raw.get(str(large)))
                client.read_until(b"\r\n\r\n")
        assert server.request(raw.get()).body == b"alive"
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert not any("SIGPIPE" in line for line in server.lines)


def test_fw03_a_file_that_cannot_be_read_is_an_error_of_the_application(
    path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no client that left."""

    def open_file() -> Any:
        file = io.FileIO(path, "a")  # which is not readable
        file.seek(0)
        return file

    with serving(file_app(open_file), validate=False) as server:
        with server.client() as client, pytest.raises(EOFError):
            client.send(raw.get())
            client.response()
        assert server.wait_for(lambda s: s["in_flight"] == 0)["failed"] == 1
        assert server.stats()["client_gone"] == 0
    assert "Bad file descriptor" in caplog.text


def test_fw03_a_number_that_becomes_another_files_is_not_sent(tmp_path: Any) -> None:
    """Who closes a file while it is sent may open another one in its place."""
    size = 32 << 20
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode() * size)
    replaced = threading.Event()

    def replace(number: int) -> None:
        with (tmp_path / "b").open("rb") as other:
            os.dup2(other.fileno(), number)
        replaced.set()

    def open_file() -> Any:
        file = (tmp_path / "a").open("rb")
        green.spawn(replace, file.fileno())
        return file

    with (
        serving(file_app(open_file), validate=False) as server,
        server.client() as client,
    ):
        client.send(raw.get(version="1.0"))
        assert replaced.wait(TIMEOUT)  # by then the sending waits, or had its turn
        client.read_until(b"\r\n\r\n")
        came = len(client.buffer)
        while data := client.sock.recv(1 << 20):
            assert not data.strip(b"a")
            came += len(data)
        assert came == size
