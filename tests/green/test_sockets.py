"""Sockets: greenlets wait in them alone, and what they do is what CPython does."""

from __future__ import annotations

import pytest

from tests.support.green import PRELUDE, run_green

SOCKETS = (
    PRELUDE
    + """
import errno, select, socket, ssl
from celadon._core import sockets
def ticks(call, *args):
    # The result of a call, and how often others ran meanwhile.
    count = 0
    task = green.spawn(call, *args)
    while not task.ready():
        green.sleep(0.001)
        count += 1
    return task.get(), count
def soon(call, *args):
    # After ten turns of the loop, in which others could run, however long they last.
    green.spawn(lambda: ([green.sleep(0.001) for _ in range(10)], call(*args)))
def raises(kind, call, *args):
    try: call(*args)
    except kind as error: return error
    raise AssertionError(f"{call} did not raise {kind}")
a, b = socket.socketpair()
"""
)
SLOW = SOCKETS + "sockets.distrust_layout()\n"
WAYS = pytest.mark.parametrize("prelude", [SOCKETS, SLOW], ids=["direct", "by_methods"])

CALLS = {
    "recv": ("a.recv(100)", "b'hello'"),
    "recv_into": ("a.recv_into(bytearray(9))", "5"),
    "recv_into_named": ("a.recv_into(bytearray(9), nbytes=3)", "3"),
    "recv_waitall": ("a.recv(5, socket.MSG_WAITALL)", "b'hello'"),
    "recvfrom": ("a.recvfrom(100)", "(b'hello', None)"),
    "recvfrom_into": ("a.recvfrom_into(buffer=bytearray(9))", "(5, None)"),
    "recvmsg": ("a.recvmsg(100)", "(b'hello', [], 0, None)"),
    "recvmsg_into": ("a.recvmsg_into(iter([bytearray(9)]))", "(5, [], 0, None)"),
    "makefile": ("a.makefile('rb').read(5)", "b'hello'"),
    "select": ("select.select([a], [], [])[0] == [a]", "True"),
    "poll": ("p.poll(5000) == [(a.fileno(), 1)]", "True"),
    "os_read": ("os.read(a.fileno(), 100)", "b'hello'"),
    "os_readv": ("os.readv(a.fileno(), [bytearray(3), bytearray(9)])", "5"),
}


@WAYS
@pytest.mark.parametrize("way", CALLS)
def test_others_run_while_one_waits(way: str, prelude: str) -> None:
    call, result = CALLS[way]
    run_green(
        f"""
        p = select.poll(); p.register(a, select.POLLIN)
        soon(b.send, b"hello")
        got, count = ticks(lambda: {call})
        assert got == {result}, got
        assert count >= 3, count
        assert a.gettimeout() is None and os.get_blocking(a.fileno())
        """,
        prelude=prelude,
    )


@WAYS
def test_a_full_peer_is_not_asked_all_the_time(prelude: str) -> None:
    """Of a peer that a datagram socket is not connected to nothing tells when it has room."""
    run_green(
        """
        folder = tempfile.mkdtemp()
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); peer.bind(folder + "/peer")
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sent = []
        def fill():
            while len(sent) < 10000: sent.append(sender.sendto(b"x" * 1000, folder + "/peer"))
        task = green.spawn(fill)
        full = 0
        while not 0 < full == len(sent):
            full, before = len(sent), core.hub_stats()["switches"]
            time.sleep(0.3)
        assert len(sent) == full < 10000
        assert core.hub_stats()["switches"] - before < 60
        while len(sent) == full: peer.recv(1000)
        task.kill()
        assert peer.recv(1000) == b"x" * 1000
        shutil.rmtree(folder)
        """,
        prelude=prelude
        + "import shutil, tempfile\nfrom celadon._core import green as core\n",
    )


@WAYS
def test_accept_and_connect(prelude: str) -> None:
    run_green(
        """
        server = socket.create_server(("127.0.0.1", 0))
        address = server.getsockname()
        clients = []
        soon(lambda: clients.append(socket.create_connection(("localhost", address[1]))))
        (conn, peer), count = ticks(server.accept)
        while not clients: green.sleep(0)
        assert count >= 3 and peer == clients[0].getsockname()
        assert conn.gettimeout() is None and os.get_blocking(conn.fileno())
        for timeout in (None, 5):
            c = socket.socket(); c.settimeout(timeout)
            assert c.connect(address) is None and c.gettimeout() == timeout
            assert os.get_blocking(c.fileno()) == (timeout is None)
            assert server.accept()[1] == c.getsockname()
        server.close()
        assert socket.socket().connect_ex(address) == errno.ECONNREFUSED
        raises(ConnectionRefusedError, socket.socket().connect, address)
        """,
        prelude=prelude,
    )


@WAYS
def test_timeouts_are_those_of_cpython(prelude: str) -> None:
    run_green(
        """
        server = socket.create_server(("127.0.0.1", 0))
        for sock in (a, server):
            sock.settimeout(0.01)
        for call in (lambda: a.recv(1), lambda: a.recv_into(bytearray(1)),
                     lambda: a.recvfrom(1), lambda: a.recvmsg(1), server.accept):
            assert str(raises(TimeoutError, call)) == "timed out"
            task = green.spawn(call); task.join()
            assert type(task.exception) is TimeoutError
        assert a.gettimeout() == server.gettimeout() == 0.01
        a.setblocking(False); server.setblocking(False)
        for call in (lambda: a.recv(1), lambda: a.recvfrom(1), server.accept):
            raises(BlockingIOError, call)
        a.settimeout(None)
        raises(BlockingIOError, a.recv, 1, socket.MSG_DONTWAIT)
        raises(BlockingIOError, a.recvfrom, 1, socket.MSG_DONTWAIT)
        a.settimeout(0.05)
        # The limit of sendall is for all of it, however many pieces go.
        def drip():
            while not sender.ready(): green.sleep(0.005); b.recv(1000)
        sender = green.spawn(a.sendall, bytes(10**8))
        green.spawn(drip)
        sender.join()
        assert type(sender.exception) is TimeoutError
        """,
        prelude=prelude,
    )


@WAYS
def test_a_blocking_socket_takes_all(prelude: str) -> None:
    run_green(
        """
        data = os.urandom(3_000_000)
        def drain():
            got = bytearray()
            while len(got) < len(data): got += b.recv(65536)
            return bytes(got)
        whole = [memoryview(data)[:1_000_000], memoryview(data)[1_000_000:]]
        for call, result in ((lambda: a.send(data), len(data)),
                             (lambda: a.sendall(data), None),
                             (lambda: a.sendmsg(iter(whole)), len(data)),
                             (lambda: os.write(a.fileno(), data), len(data)),
                             (lambda: os.writev(a.fileno(), whole), len(data))):
            reader = green.spawn(drain)
            got, count = ticks(call)
            assert got == result and reader.get() == data, (got, result)
        reader = green.spawn(a.recv, len(data), socket.MSG_WAITALL)
        for at in range(0, len(data), 500_000): b.sendall(data[at:at + 500_000])
        assert reader.get() == data
        """,
        prelude=prelude,
    )


def test_closing_wakes_who_waits() -> None:
    run_green(
        """
        for end in ("a.close()", "a.detach()", "os.close(a.fileno())"):
            a, b = socket.socketpair()
            reader, writer = green.spawn(a.recv, 1), green.spawn(a.sendall, bytes(10**8))
            green.sleep(0)
            exec(end)
            for task in (reader, writer):
                task.join(TIMEOUT)
                error = task.exception
                assert error.errno == errno.EBADF, error
                assert "closed in another greenlet" in str(error)
        # From a native thread as well.
        a, b = socket.socketpair()
        task = green.spawn(a.recv, 1)
        green.sleep(0)
        thread = threading.Thread(target=a.close); thread.start(); thread.join()
        task.join(TIMEOUT)
        assert task.exception.errno == errno.EBADF
        """,
        prelude=SOCKETS,
    )


def test_a_number_used_again_is_another_socket() -> None:
    run_green(
        """
        import _socket
        for round in range(50):
            a, b = _socket.socketpair()[0:2]
            sock = socket.socket(fileno=a.detach())
            number = sock.fileno()
            try: sock.settimeout(0.001); sock.recv(1)
            except TimeoutError: pass
            else: raise AssertionError
            # Closed in C, unseen; the next one gets the number.
            _socket.socket.close(sock); b.close()
            pairs = []
            while not any(number == s.fileno() for pair in pairs for s in pair):
                pairs.append(socket.socketpair())
            c, d = pairs[-1]
            same, other = (c, d) if c.fileno() == number else (d, c)
            soon(other.send, b"x")
            same.settimeout(5)
            assert same.recv(1) == b"x"
        """,
        prelude=SOCKETS,
    )


def test_reader_writer_and_closer_on_one_socket() -> None:
    run_green(
        """
        rng = random.Random(7)
        for round in range(200):
            a, b = socket.socketpair()
            def read():
                try:
                    while a.recv(100): pass
                except OSError: pass
            def write():
                try:
                    while True: a.sendall(bytes(50_000))
                except OSError: pass
            def close():
                for _ in range(rng.randrange(4)): green.sleep(0)
                a.close()
            def other_end():
                try:
                    while b.recv(70_000): b.send(b"y")
                except OSError: pass
            jobs = [read, write, close, other_end, read]
            rng.shuffle(jobs)
            tasks = [green.spawn(job) for job in jobs]
            if rng.random() < 0.3: tasks[jobs.index(read)].kill(block=False)
            for task in tasks:
                if jobs[tasks.index(task)] is not other_end: task.join(TIMEOUT)
            b.shutdown(2) if b.fileno() >= 0 else None
            for task in tasks:
                task.join(TIMEOUT)
                assert task.ready(), round
            b.close()
        assert len(os.listdir("/proc/self/fd")) < 40
        """,
        prelude=SOCKETS,
    )


def test_a_kill_and_a_timeout_end_a_wait() -> None:
    run_green(
        """
        task = green.spawn(a.recv, 1); green.sleep(0)
        task.kill()
        assert task.ready()
        with green.Timeout(0.01, False): a.recv(1)
        b.send(b"z")
        assert a.recv(1) == b"z"
        """,
        prelude=SOCKETS,
    )


def test_forked_children_leave_the_parents_waits_alone() -> None:
    run_green(
        """
        def fork_and_close():
            pid = os.fork()
            if pid == 0:
                a.close(); b.close(); os._exit(0)
            os.waitpid(pid, 0)
        reader = green.spawn(a.recv, 5); green.sleep(0)
        fork_and_close()
        thread = threading.Thread(target=fork_and_close); thread.start(); thread.join()
        b.send(b"still")
        assert reader.get(timeout=TIMEOUT) == b"still"
        """,
        prelude=SOCKETS.replace(
            "import celadon.patch",
            "import warnings; warnings.simplefilter('ignore'); import celadon.patch",
            1,
        ),
    )


def test_types_and_names_stay() -> None:
    run_green(
        """
        import _socket, inspect
        assert socket.SocketType is _socket.socket and type(a) is socket.socket
        from celadon.patch import original, patched
        assert patched("socket.socket", "recv") and not patched("socket.socket", "fileno")
        for name in ("recv", "recv_into", "sendall", "recvmsg"):
            method = getattr(socket.socket, name)
            assert method.__name__ == name
            assert method.__doc__ == original("socket.socket", name).__doc__
        for bad in (lambda: a.recv(), lambda: a.recv("x"), lambda: a.recv(-1),
                    lambda: a.send("text"), lambda: a.recv_into(b""), lambda: a.sendto(b"")):
            raises((TypeError, ValueError), bad)
        """,
        prelude=SOCKETS,
    )


def test_a_file_is_sent_by_the_kernel(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 20_000)
    run_green(
        f"""
        data = open({str(path)!r}, "rb").read()
        def drain():
            got = bytearray()
            while len(got) < len(data): got += b.recv(65536)
            return bytes(got)
        for timeout in (None, 5):
            a.settimeout(timeout)
            reader = green.spawn(drain)
            with open({str(path)!r}, "rb") as file:
                sent, count = ticks(a._sendfile_use_sendfile, file)
            assert sent == len(data) and reader.get() == data
            assert os.get_blocking(a.fileno()) == (timeout is None)
        """,
        prelude=SOCKETS,
    )


@WAYS
def test_iterators_of_buffers_are_used_once(prelude: str) -> None:
    """Also by sockets that do not wait: asyncio gives sendmsg an iterator."""
    run_green(
        """
        def broken():
            yield b"one"
            raise KeyError("on purpose")
        def outcome(call):
            try: call()
            except (KeyError, TypeError) as error: return repr(error)
        # Since 3.13.15 whatever is raised is said to be no iterable; who may wait looks
        # at the parts itself, and passes on what they raise.
        plain = socket._socket.socket(fileno=os.dup(a.fileno()))
        natively = {name: outcome(lambda: getattr(plain, name)(broken()))
            for name in ("sendmsg", "recvmsg_into")}
        for timeout in (None, 5, 0):
            a.settimeout(timeout); b.settimeout(timeout)
            assert a.sendmsg(iter([b"ab", b"cd"])) == 4
            buffers = [bytearray(3), bytearray(9)]
            assert b.recvmsg_into(iter(buffers))[0] == 4
            assert buffers == [b"abc", b"d" + bytes(8)], buffers
            assert a.sendmsg((part for part in (b"e", b"f")), iter(())) == 2
            assert b.recv(9) == b"ef"
            for name, expected in natively.items():
                said = outcome(lambda: getattr(a, name)(broken()))
                assert said in (expected, repr(KeyError("on purpose"))), (timeout, said)
            for call in (lambda: a.sendmsg(5), lambda: b.recvmsg_into(5)):
                try: call()
                except TypeError as error: assert "iterable" in str(error), error
                else: raise AssertionError(timeout)
        """,
        prelude=prelude,
    )


def test_g15_where_the_kernel_has_no_room_for_a_wait() -> None:
    """It fails with what the kernel said; taken for ready, it was asked again for ever."""
    run_green(
        """
        import ctypes, platform, struct
        libc = ctypes.CDLL(None, use_errno=True)
        number = {"x86_64": 233, "aarch64": 21}[platform.machine()]  # epoll_ctl
        # Its answer is ENOSPC from now on, as with fs.epoll.max_user_watches.
        program = b"".join(struct.pack("=HBBI", *line) for line in [
            (0x20, 0, 0, 0), (0x15, 0, 1, number),
            (0x06, 0, 0, 0x00050000 | errno.ENOSPC), (0x06, 0, 0, 0x7FFF0000)])
        kept = ctypes.create_string_buffer(program)
        filter = ctypes.create_string_buffer(
            struct.pack("@HP", len(program) // 8, ctypes.addressof(kept)))
        green.sleep(0.001)  # what the loop itself needs is there
        assert libc.prctl(38, 1, 0, 0, 0) == 0
        assert libc.prctl(22, 2, ctypes.byref(filter)) == 0, ctypes.get_errno()
        for call in (lambda: a.recv(1), lambda: green.wait_fd(a.fileno(), 1)):
            assert raises(OSError, call).errno == errno.ENOSPC
        b.send(b"x")
        assert a.recv(1) == b"x"  # no wait
        """,
        prelude=SOCKETS,
    )


@pytest.mark.parametrize(
    "call",
    [
        "a.recvfrom(-1)",
        "a.recvfrom_into(bytearray(2), 5)",
        "a.recvfrom_into(bytearray(2), -1)",
        "a.recvmsg(-1)",
        "a.recvmsg(5, -1)",
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_waited_for(call: str) -> None:
    run_green(
        f"""
        a.settimeout(TIMEOUT)
        _, count = ticks(raises, ValueError, lambda: {call})
        b.send(b"hello")
        raises(ValueError, lambda: {call})
        assert a.recv(9) == b"hello" and count <= 2, count
        """,
        prelude=SOCKETS,
    )
