"""Descriptors that are neither files nor sockets: a greenlet waits in them alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green
from tests.support.raw import TIMEOUT


@pytest.mark.row("G21")
@pytest.mark.parametrize("call", ["os.read(event, 8)", "os.eventfd_read(event)"])
def test_an_eventfd(call: str) -> None:
    run_green(
        f"""
        event = os.eventfd(0)
        soon(os.eventfd_write, event, 7)
        got, count = ticks(lambda: {call})
        assert got in (7, (7).to_bytes(8, sys.byteorder)) and count >= 3, (got, count)
        os.set_blocking(event, False)
        raises(BlockingIOError, lambda: {call})
        os.close(event)
        raises(OSError, lambda: {call})
        """,
        prelude=SOCKETS,
    )


@pytest.mark.row("G21")
@pytest.mark.parametrize("call", ["os.read(event, 8)", "os.eventfd_read(event)"])
def test_two_who_read_an_eventfd_of_which_there_is_one(call: str) -> None:
    """Who is woken second, before the first has read, waits again."""
    run_green(
        f"""
        event, got, woken = os.eventfd(0), [], []
        def read(name): {call}; got.append(name)
        readers = [green.spawn(read, name) for name in "ab"]
        green.sleep(0)
        # Both are woken before either of them goes on: they are behind who is awake.
        def awake():
            for _ in range(10):
                if not woken: os.eventfd_write(event, 1)
                woken.append(1)
                end = time.perf_counter() + 0.006
                while time.perf_counter() < end: pass
                green.sleep(0)
        tasks = [green.spawn(awake) for _ in range(4)]
        for task in tasks: task.join()
        assert len(got) == 1, got
        os.eventfd_write(event, 1)
        for reader in readers: reader.join()
        assert sorted(got) == ["a", "b"], got
        """,
        prelude=SOCKETS,
        timeout=TIMEOUT,
    )


@pytest.mark.row("G21")
def test_inotify(tmp_path: Path) -> None:
    run_green(
        f"""
        import ctypes
        libc, folder = ctypes.CDLL(None), {str(tmp_path)!r}
        watcher = libc.inotify_init1(0)
        assert libc.inotify_add_watch(watcher, folder.encode(), 0x100) >= 0  # IN_CREATE
        soon(lambda: open(folder + "/new", "w").close())
        got, count = ticks(lambda: os.read(watcher, 4096))
        assert b"new" in got and count >= 3, (got, count)
        """,
        prelude=SOCKETS,
    )


@pytest.mark.row("G21")
def test_timerfd() -> None:
    run_green(
        """
        import ctypes
        libc = ctypes.CDLL(None)
        class Spec(ctypes.Structure):
            _fields_ = [(name, ctypes.c_long) for name in ("every", "every_nanos", "after", "after_nanos")]
        def set(*fields): assert libc.timerfd_settime(timer, 0, ctypes.byref(Spec(*fields)), None) == 0
        timer = libc.timerfd_create(1, 0)
        set(0, 0, 3600, 0)
        soon(set, 0, 0, 0, 1)
        got, count = ticks(os.read, timer, 8)
        assert got == (1).to_bytes(8, sys.byteorder) and count >= 3, (got, count)
        """,
        prelude=SOCKETS,
    )


PIPE = (
    SOCKETS
    + """
import io, tempfile
folder = tempfile.TemporaryDirectory()
path = folder.name + "/pipe"
os.mkfifo(path)
def at_the_other_end(mode):
    # Another process: of open descriptors this one has those that the test sees.
    import subprocess
    command = "cat {0}" if mode == "r" else "echo hello > {0}"
    return subprocess.Popen(["sh", "-c", command.format(path)], stdout=subprocess.PIPE)
"""
)


@pytest.mark.row("G21")
@pytest.mark.parametrize(
    "call",
    [
        "open(path).read()",
        "open(path, 'rb', 0).read().decode()",
        "io.open(file=path, mode='rb').readline().decode()",
        "__import__('pathlib').Path(path).read_text()",
        "os.fdopen(os.open(path, os.O_RDONLY)).read()",
        "os.fdopen(os.open('pipe', os.O_RDONLY, dir_fd=os.open(folder.name, os.O_RDONLY))).read()",
    ],
)
def test_who_reads_a_pipe_with_a_name(call: str) -> None:
    run_green(
        f"""
        children = []
        soon(lambda: children.append(at_the_other_end("w")))
        got, count = ticks(lambda: {call})
        assert got == "hello\\n" and count >= 3, (got, count)
        assert children[0].wait() == 0
        """,
        prelude=PIPE,
        malloc="default",
    )


@pytest.mark.row("G21")
@pytest.mark.parametrize("mode", ["w", "a", "wb"])
def test_who_writes_a_pipe_with_a_name(mode: str) -> None:
    run_green(
        f"""
        children = []
        soon(lambda: children.append(at_the_other_end("r")))
        text = "x" * 300_000
        def write():
            with open(path, {mode!r}) as file: file.write(text if {mode!r} != "wb" else text.encode())
        writer = green.spawn(write)
        count = 0
        while not children:
            green.sleep(0.001); count += 1
        assert count >= 3
        assert children[0].communicate()[0].decode() == text
        writer.get()
        """,
        prelude=PIPE,
        malloc="default",
    )


@pytest.mark.row("G21")
def test_both_ends_of_a_pipe_are_opened_here() -> None:
    run_green(
        """
        # Each waits for the other, though nothing is written.
        for first, second in (("r", "w"), ("w", "r")):
            task = green.spawn(open, path, first)
            for _ in range(10): green.sleep(0.001)
            assert not task.ready()
            files = [open(path, second), task.get()]
            assert [file.mode for file in files] == [second, first]
            assert all(os.get_blocking(file.fileno()) for file in files)
            for file in files: file.close()
        # Who comes, says nothing and leaves was there.
        task = green.spawn(open, path, "rb")
        green.sleep(0)
        open(path, "wb").close()
        with task.get() as file: assert file.read() == b""
        # Who is killed leaves nothing behind.
        before = os.listdir("/proc/self/fd")
        for mode in ("r", "w"):
            task = green.spawn(open, path, mode)
            for _ in range(10): green.sleep(0.001)
            task.kill()
        assert os.listdir("/proc/self/fd") == before
        # What waits for nobody does not wait.
        os.close(os.open(path, os.O_RDWR)); os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        open(path, "r+b", 0).close()
        assert raises(OSError, os.open, path, os.O_WRONLY | os.O_NONBLOCK).errno == errno.ENXIO
        """,
        prelude=PIPE,
        malloc="default",
    )


@pytest.mark.row("G21")
def test_a_pipe_that_is_open_is_a_file_that_lets_others_run() -> None:
    run_green(
        """
        here, there = os.pipe()
        soon(os.write, there, b"hello\\n")
        reader = os.fdopen(here, "rb")
        got, count = ticks(reader.readline)
        assert got == b"hello\\n" and count >= 3, (got, count)
        assert isinstance(reader, io.BufferedReader) and isinstance(reader.raw, io.FileIO)
        writer = open(there, "w", 1)
        assert isinstance(writer, io.TextIOWrapper) and writer.line_buffering
        writer.write("line\\n")
        assert reader.readline() == b"line\\n"
        os.set_blocking(here, False)
        assert reader.raw.read(1) is None and reader.raw.readinto(bytearray(9)) is None
        assert reader.raw.read() is None
        raises(io.UnsupportedOperation, reader.raw.write, b"x")
        raises(io.UnsupportedOperation, writer.buffer.raw.read, 1)
        reader.close(); raises(ValueError, reader.read); raises(ValueError, reader.raw.read, 1)
        """,
        prelude=PIPE,
    )


@pytest.mark.row("G21")
def test_open_is_what_it_was() -> None:
    run_green(
        """
        import _io, inspect, pathlib, pickle, traceback
        from celadon.patch import original
        import builtins
        for now, before in ((open, original("builtins", "open")), (os.open, original("os", "open"))):
            assert (now.__name__, now.__qualname__, now.__doc__) == (before.__name__, before.__qualname__, before.__doc__)
            assert type(now) is type(before) and inspect.signature(now) == inspect.signature(before)
        assert open is io.open is _io.open is builtins.open
        assert pickle.loads(pickle.dumps(open)) is open
        try: open(path + "/nothing")
        except NotADirectoryError as error: assert len(traceback.extract_tb(error.__traceback__)) == 1
        for wrong in (lambda: open(), lambda: open(path, "q"), lambda: open(path, "rwb"), lambda: open(path, "r", 0),
                      lambda: open(path, "rb", encoding="utf-8"), lambda: open(path, 7), lambda: open(3.5),
                      lambda: open("a\\0b"), lambda: os.open(path, "r"), lambda: os.open()):
            error = raises((TypeError, ValueError), wrong)
        with open(path + "s", "w") as file: file.write("plain")
        with open(path + "s") as file: assert file.read() == "plain" and type(file) is io.TextIOWrapper
        """,
        prelude=PIPE,
        malloc="default",
    )


@pytest.mark.row("G21")
@pytest.mark.parametrize("how", ["offset", "position"])
def test_others_run_while_a_file_is_sent_to_a_full_socket(how: str) -> None:
    offset = {"offset": "100", "position": "None"}[how]
    run_green(
        f"""
        import tempfile
        content = os.urandom(3_000_000)
        file = tempfile.TemporaryFile()
        file.write(content); file.flush(); file.seek(100)
        fd = file.fileno()
        got = []
        def read():
            while len(got) < 4: green.sleep(0.001); got.append(b"")
            while part := b.recv(1 << 20): got.append(part)
        reader = green.spawn(read)
        sent, count = ticks(lambda: os.sendfile(a.fileno(), fd, {offset}, 1 << 40))
        assert sent == len(content) - 100 and count >= 3, (sent, count)
        assert os.lseek(fd, 0, os.SEEK_CUR) == (100 if {offset} else len(content))
        assert os.sendfile(a.fileno(), fd, offset=len(content), count=10) == 0
        assert os.sendfile(out_fd=a.fileno(), in_fd=fd, offset=0, count=3) == 3
        a.shutdown(socket.SHUT_WR); reader.join(TIMEOUT)
        assert b"".join(got) == content[100:] + content[:3]
        # The errors are the call's.
        raises(BrokenPipeError, os.sendfile, a.fileno(), fd, 0, 5)
        raises(OSError, os.sendfile, 9999, fd, 0, 5)
        raises(OSError, os.sendfile, a.fileno(), 9999, 0, 5)
        raises(TypeError, os.sendfile, a.fileno(), fd, "x", 5)
        raises(TypeError, os.sendfile, a.fileno(), fd, 0)
        # One that does not block has its say.
        c, d = socket.socketpair(); c.setblocking(False)
        with d:
            while True:
                try: os.sendfile(c.fileno(), fd, 0, 1 << 20)
                except BlockingIOError: break
        """,
        prelude=SOCKETS,
    )


SPLICES = {
    "from_pipe": ("os.splice(r, v, 100)", "soon(os.write, w, b'hello')"),
    "from_socket": ("os.splice(a.fileno(), v, 100)", "soon(b.send, b'hello')"),
    "to_full_pipe": (
        "(fill(v), os.write(w, b'hello'), os.splice(r, v, 5))[2]",
        "soon(os.read, u, 65536)",
    ),
    "to_full_socket": (
        "(fill(a.fileno()), os.write(w, b'hello'), os.splice(r, a.fileno(), 5))[2]",
        "soon(lambda: [b.recv(1 << 20) for _ in range(9)])",
    ),
}


@pytest.mark.row("G21")
@pytest.mark.parametrize("way", SPLICES)
def test_others_run_while_one_splices(way: str) -> None:
    call, news = SPLICES[way]
    run_green(
        f"""
        r, w = os.pipe(); u, v = os.pipe()
        def fill(fd):
            os.set_blocking(fd, False)
            try:
                while True: os.write(fd, b"x" * 4096)
            except BlockingIOError: os.set_blocking(fd, True)
        {news}
        got, count = ticks(lambda: {call})
        assert got == 5 and count >= 3, (got, count)
        os.close(r); os.close(w)
        raises(OSError, os.splice, r, v, 5)
        raises(ValueError, os.splice, u, v, -1)
        raises(TypeError, os.splice, u, "x", 1)
        """,
        prelude=SOCKETS,
    )


@pytest.mark.row("G21")
@pytest.mark.parametrize("file", ["theirs", "os.ttyname(theirs)"])
def test_a_terminal_is_a_file_that_lets_others_run(file: str) -> None:
    run_green(
        f"""
        ours, theirs = os.openpty()
        native = celadon.patch.original("io", "open")
        for mode, got in (("r", "hello\\n"), ("rb", b"hello\\n")):
            with open({file}, mode, closefd=isinstance({file}, str)) as lines:
                soon(os.write, ours, b"hello\\n")
                line, count = ticks(lines.readline)
                assert line == got and count >= 3, (line, count)
        with open({file}, "w", closefd=isinstance({file}, str)) as out:
            with native({file}, "w", closefd=isinstance({file}, str)) as by_cpython:
                for name in ("line_buffering", "encoding", "mode", "name"):
                    assert getattr(out, name) == getattr(by_cpython, name), name
            assert out.isatty()
        raises(ValueError, open, {file}, "r", 0)
        """,
        prelude=SOCKETS,
    )


@pytest.mark.row("G21")
def test_a_splice_that_waits_is_of_what_it_was_called_with() -> None:
    run_green(
        """
        r, w = os.pipe()
        c, d = socket.socketpair()
        for end in (b, d): end.setblocking(False)
        task = green.spawn(os.splice, r, a.fileno(), 100)
        green.sleep(0)
        number = a.detach()
        os.close(number)
        os.dup2(c.fileno(), number)
        os.write(w, b"secret of a")
        assert task.get() == 11
        assert b.recv(100) == b"secret of a"
        raises(BlockingIOError, d.recv, 100)
        """,
        prelude=SOCKETS,
    )


@pytest.mark.row("G21")
def test_a_splice_that_the_kernel_refuses_waits_for_nothing() -> None:
    run_green(
        """
        from celadon.patch.registry import original
        r, w = os.pipe()
        def outcome(splice, *args, **words):
            try: return splice(*args, **words)
            except (OSError, ValueError) as error: return type(error), str(error)
        wrong = [((a.fileno(), w, 0), {}), ((a.fileno(), w, -1), {}),
                 ((a.fileno(), w, 5), {"flags": 64}), ((a.fileno(), w, 5, 0), {}),
                 ((r, a.fileno(), 5, None, 0), {}), ((a.fileno(), b.fileno(), 5), {}),
                 ((a.fileno(), r, 5), {}), ((w, a.fileno(), 5), {})]
        for args, words in wrong:
            expected = outcome(original("os", "splice"), *args, **words)
            with green.Timeout(TIMEOUT): got = outcome(os.splice, *args, **words)
            assert got == expected, (args, words, got, expected)
        """,
        prelude=SOCKETS,
    )


@pytest.mark.row("G21")
def test_a_file_that_is_sent_is_the_one_it_was() -> None:
    run_green(
        """
        import tempfile
        first, second = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        for file, byte in ((first, b"1"), (second, b"2")):
            file.write(byte * 3_000_000); file.flush(); file.seek(0)
        number = first.fileno()
        task = green.spawn(os.sendfile, a.fileno(), number, 0, 3_000_000)
        green.sleep(0)
        os.dup2(second.fileno(), number)
        got = 0
        while got < 3_000_000:
            part = b.recv(1 << 20)
            assert part.strip(b"1") == b"", part.strip(b"1")[:10]
            got += len(part)
        assert task.get() == 3_000_000
        """,
        prelude=SOCKETS,
    )


@pytest.mark.row("G21")
def test_a_file_that_leaves_its_descriptor_open_ends_no_wait_for_that() -> None:
    run_green(
        """
        import pty
        leader, terminal = pty.openpty()
        def reads():
            with open(terminal, closefd=False) as file: return file.readline()
        task = green.spawn(reads)
        green.sleep(0)
        with open(terminal, "w", closefd=False): pass
        green.sleep(0)
        os.write(leader, b"a line\\n")
        assert task.get(timeout=TIMEOUT) == "a line\\n"
        """,
        prelude=SOCKETS,
    )
